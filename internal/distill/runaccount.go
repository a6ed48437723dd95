package distill

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/sandbox"
)

// accountOf looks up the user of an image's configuration ("app", "1000:1000", "" for
// root), as the OCI image specification says, in the files below root.
func accountOf(root *os.Root, user string) (u sandbox.User, home string, err error) {
	name, group, hasGroup := strings.Cut(user, ":")
	if name == "" {
		name = "0"
	}
	uid, notNumber := strconv.Atoi(name)
	found := false
	for _, f := range accountLines(root, "etc/passwd", 7) {
		id, errU := strconv.Atoi(f[2])
		gid, errG := strconv.Atoi(f[3])
		if errU == nil && errG == nil && (f[0] == name || notNumber == nil && id == uid) {
			u, home, found = sandbox.User{UID: id, GID: gid}, f[5], true
			break
		}
	}
	if !found {
		if notNumber != nil {
			return u, "", fmt.Errorf("no %q in /etc/passwd", name)
		}
		u.UID = uid
	}
	if !hasGroup {
		return u, home, nil
	}
	if u.GID, err = strconv.Atoi(group); err == nil {
		return u, home, nil
	}
	for _, f := range accountLines(root, "etc/group", 4) {
		if id, err := strconv.Atoi(f[2]); err == nil && f[0] == group {
			u.GID = id
			return u, home, nil
		}
	}
	return u, "", fmt.Errorf("no %q in /etc/group", group)
}

// accountLines returns the lines of a file that have as many fields as they should.
func accountLines(root *os.Root, name string, fields int) (out [][]string) {
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) || err != nil {
		return nil
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, maxAccounts))
	for line := range strings.Lines(string(text)) {
		if list := strings.Split(strings.TrimSpace(line), ":"); len(list) == fields {
			out = append(out, list)
		}
	}
	return out
}
