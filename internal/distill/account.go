package distill

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/layers"
	"github.com/r-seed-1713b764/distill/internal/plan"
)

const (
	passwdFile = "etc/passwd"
	groupFile  = "etc/group"
	// maxAccounts bounds both; those of images have some kilobytes.
	maxAccounts = 1 << 20
	// firstID is above what distributions give out to people (from 1000 on) and
	// services, and what kubernetes' guides ask for (over 10000).
	firstID = 10001
	// maxName is the limit of shadow-utils and busybox.
	maxName = 32
	noShell = "/sbin/nologin"
	noHome  = "/nonexistent"
)

// checkUser refuses a --user that can't be an account: USER[:GROUP], each a name
// or a number.
func checkUser(spec string) error {
	if spec == "" { // root, as without a user
		return nil
	}
	user, group, hasGroup := strings.Cut(spec, ":")
	names := []string{user}
	if hasGroup {
		names = append(names, group)
	}
	for _, s := range names {
		if !isID(s) && !isAccountName(s) {
			return usagef("write a name, or UID or UID:GID", "--user %q: %q is no name of an account", spec, s)
		}
	}
	return nil
}

func isID(s string) bool {
	n, err := strconv.ParseUint(s, 10, 32)
	return err == nil && n < 1<<32-1 && strings.Trim(s, "0123456789") == ""
}

// isAccountName admits what useradd and adduser do.
func isAccountName(s string) bool {
	if s == "" || len(s) > maxName || strings.ContainsRune("-.0123456789", rune(s[0])) {
		return false
	}
	for _, c := range strings.TrimSuffix(s, "$") {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// runAs is what --user comes to on one base.
type runAs struct {
	user  string    // for the image's configuration
	files files.Set // account files of the base with what was added
}

// newRunAs makes the accounts of spec that base lacks. A name that is there, and a
// number, stay as they are written. The configuration gets the numbers of an
// account that is made: kubernetes can tell only of a number that it is not root.
func newRunAs(spec, home string, base files.Set) (*runAs, error) {
	out := &runAs{user: spec}
	if spec == "" {
		return out, nil
	}
	passwd, err := readAccounts(base, passwdFile)
	if err != nil {
		return nil, err
	}
	groups, err := readAccounts(base, groupFile)
	if err != nil {
		return nil, err
	}
	user, group, hasGroup := strings.Cut(spec, ":")
	makeUser := !isID(user) && !passwd.has(user)
	makeGroup := hasGroup && !isID(group) && !groups.has(group)
	if !makeUser && !makeGroup {
		return out, nil
	}
	id := firstID
	for passwd.ids[id] || groups.ids[id] {
		id++
	}
	if !hasGroup {
		group = user
		makeGroup = !groups.has(group)
	}
	gid := id
	switch {
	case makeGroup:
		groups.add(fmt.Sprintf("%s:x:%d:", group, gid), "root:x:0:")
	case isID(group):
		gid, _ = strconv.Atoi(group)
	default:
		gid = groups.byName[group]
	}
	out.user = fmt.Sprintf("%s:%d", user, gid)
	if makeUser {
		out.user = fmt.Sprintf("%d:%d", id, gid)
		passwd.add(fmt.Sprintf("%s:x:%d:%d::%s:%s", user, id, gid, home, noShell), "root:x:0:0:root:/root:"+noShell)
	}
	out.files = files.NewSet(append(passwd.changed(), groups.changed()...))
	return out, nil
}

// accounts is etc/passwd or etc/group of an image.
type accounts struct {
	file   *files.File // as the base has it; without content if it has none
	text   []byte
	byName map[string]int
	ids    map[int]bool
	added  bool
}

func readAccounts(base files.Set, name string) (*accounts, error) {
	a := &accounts{byName: map[string]int{}, ids: map[int]bool{}}
	f, at, ok := base.Lookup(name)
	switch {
	case !ok:
		a.file = &files.File{Path: name, Mode: 0o644}
		return a, nil
	case !f.IsRegular():
		return nil, unsupportedf("", "base image: /%s is no file", at)
	}
	var err error
	if a.text, err = f.ReadAll(maxAccounts); err != nil {
		return nil, unsupportedf("", "base image: %v", err)
	}
	a.file = f
	for line := range bytes.Lines(a.text) {
		fields := strings.Split(string(bytes.TrimRight(line, "\n")), ":")
		if len(fields) < 3 {
			continue
		}
		id, err := strconv.Atoi(fields[2])
		if err != nil {
			continue
		}
		a.ids[id] = true
		if !a.has(fields[0]) {
			a.byName[fields[0]] = id
		}
	}
	return a, nil
}

func (a *accounts) has(name string) bool { _, ok := a.byName[name]; return ok }

// add puts a line at the end, and first before it if the base has no such file.
func (a *accounts) add(line, first string) {
	text := slices.Clone(a.text)
	switch {
	case a.file.Content == nil:
		text = []byte(first + "\n")
	case len(text) > 0 && text[len(text)-1] != '\n':
		text = append(text, '\n')
	}
	text = append(text, line+"\n"...)
	a.text, a.added = text, true
}

func (a *accounts) changed() []*files.File {
	if !a.added {
		return nil
	}
	f := *a.file
	sum := sha256.Sum256(a.text)
	f.Size, f.SHA256, f.Note, f.Inode, f.Content = int64(len(a.text)), hex.EncodeToString(sum[:]), nil, 0, textContent(a.text)
	return []*files.File{&f}
}

// textContent is the content of a small file that was made here.
type textContent []byte

// Open implements [files.Content].
func (t textContent) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(t)), nil }

// configured is what the options change in the configuration of the image on one
// base, with the files that this takes.
type configured struct {
	asked  layers.ConfigChange
	change layers.ConfigChange // asked, with accounts as numbers
	dirs   files.Set           // the working directory
	merged files.Set           // account files
}

func newConfigured(asked layers.ConfigChange, base files.Set) (*configured, error) {
	c := &configured{asked: asked, change: asked}
	home := noHome
	if asked.Workdir != nil {
		workdir := path.Clean(*asked.Workdir)
		c.change.Workdir = &workdir
		if dir := files.Clean(workdir); dir != "" {
			c.dirs = files.NewSet([]*files.File{{Path: dir, Mode: fs.ModeDir | 0o755}})
		}
		if !strings.ContainsAny(workdir, ":\n") { // a line of etc/passwd can't hold these
			home = workdir
		}
	}
	if asked.User == nil {
		return c, nil
	}
	if err := checkUser(*asked.User); err != nil { // it may come from the record of an image
		return nil, err
	}
	r, err := newRunAs(*asked.User, home, base)
	if err != nil {
		return nil, err
	}
	c.change.User, c.merged = &r.user, r.files
	return c, nil
}

// change is what the options ask for in the configuration.
func (o ImageOptions) change() layers.ConfigChange {
	return layers.ConfigChange{Entrypoint: o.Entrypoint, Cmd: o.Cmd, Env: o.Env, User: o.User, Workdir: o.Workdir, Labels: o.Labels}
}

// record says what a rebase has to know of the image that p makes.
func (c *configured) record(p *plan.Plan, app []string) *layers.Record {
	r := &layers.Record{Config: c.asked, App: app}
	for _, k := range p.Packages {
		if k.From == "base" {
			r.InBase = append(r.InBase, string(k.Name)+" "+k.Version.String())
		}
	}
	return r
}
