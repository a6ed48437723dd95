package distill

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/layers"
)

func TestParseApp(t *testing.T) {
	for _, c := range []struct{ in, from, to string }{
		{"src", "src", "/app/"},
		{"src:/srv", "src", "/srv"},
		{"./a:b:/srv/x/", "./a:b", "/srv/x/"},
		{"/abs/dir:/", "/abs/dir", "/"},
		{"", "", ""}, {":/app", "", ""}, {"src:app", "", ""}, {"src:", "", ""}, {"a\x00b", "", ""},
	} {
		got, err := parseApp(c.in)
		if got.from != c.from || got.to != c.to || (err == nil) != (c.from != "") {
			t.Errorf("%q gives %q, %q, %v", c.in, got.from, got.to, err)
		}
	}
}

// write makes files of a folder; a name that ends in a slash is a directory.
func write(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, n := range names {
		p := filepath.Join(dir, filepath.FromSlash(n))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(n, "/") {
			if err := os.MkdirAll(p, 0o755); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(p, []byte("content of "+n), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// What docker leaves out of a build context is left out, see its documentation of
// .dockerignore files.
func TestIgnoreRules(t *testing.T) {
	all := []string{
		".git/config", "sub/.git", "a.txt", "temp", "tempo", "sub/temp", "sub/tempa", "sub/deep/temp", "sub/deep/x.log",
		"docs/README.md", "docs/api.md", "lib/__pycache__/a.pyc", "lib/a.pyc", "secret/key", "secret/pub/x", "Dockerfile",
	}
	for _, c := range []struct {
		name, rules string
		want        []string // without directories
	}{
		{"none", "", []string{"Dockerfile", "a.txt", "docs/README.md", "docs/api.md", "lib/a.pyc", "secret/key", "secret/pub/x", "sub/deep/temp", "sub/deep/x.log", "sub/temp", "sub/tempa", "temp", "tempo"}},
		{"comments, blanks, slashes", "# a.txt\n\n /temp \nsecret/\n", []string{"Dockerfile", "a.txt", "docs/README.md", "docs/api.md", "lib/a.pyc", "sub/deep/temp", "sub/deep/x.log", "sub/temp", "sub/tempa", "tempo"}},
		{"one level", "*/temp*", []string{"Dockerfile", "a.txt", "docs/README.md", "docs/api.md", "lib/a.pyc", "secret/key", "secret/pub/x", "sub/deep/temp", "sub/deep/x.log", "temp", "tempo"}},
		{"two levels", "*/*/temp*", []string{"Dockerfile", "a.txt", "docs/README.md", "docs/api.md", "lib/a.pyc", "secret/key", "secret/pub/x", "sub/deep/x.log", "sub/temp", "sub/tempa", "temp", "tempo"}},
		{"one character", "temp?", []string{"Dockerfile", "a.txt", "docs/README.md", "docs/api.md", "lib/a.pyc", "secret/key", "secret/pub/x", "sub/deep/temp", "sub/deep/x.log", "sub/temp", "sub/tempa", "temp"}},
		{"any depth", "**/temp\n**/*.log", []string{"Dockerfile", "a.txt", "docs/README.md", "docs/api.md", "lib/a.pyc", "secret/key", "secret/pub/x", "sub/tempa", "tempo"}},
		{"all but", "*\n!docs\ndocs/api.md\n!secret/pub", []string{"docs/README.md", "secret/pub/x"}},
		{"the last one wins", "*.txt\n!a.txt\n**/*.md\n!docs/README*\ndocs/README-secret.md", []string{"Dockerfile", "a.txt", "docs/README.md", "lib/a.pyc", "secret/key", "secret/pub/x", "sub/deep/temp", "sub/deep/x.log", "sub/temp", "sub/tempa", "temp", "tempo"}},
		{"what is never shipped may be", "*\n!sub/.git", []string{"sub/.git"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, all...)
			if c.rules != "" {
				if err := os.WriteFile(filepath.Join(dir, ignoreFile), []byte(c.rules), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			a := readApp(t, dir+":/srv")
			for f := range a.files.All() {
				if !f.Mode.IsDir() {
					got = append(got, strings.TrimPrefix(f.Path, "srv/"))
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestBadIgnoreFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a", ignoreFile+"/")
	if _, err := (&Host{Teller: quiet{}}).readApplication([]string{dir}, nil); err == nil {
		t.Error("a folder is read as .dockerignore")
	}
	os.Remove(filepath.Join(dir, ignoreFile))
	os.WriteFile(filepath.Join(dir, ignoreFile), []byte("[a-"), 0o644)
	if _, err := (&Host{Teller: quiet{}}).readApplication([]string{dir}, nil); KindOf(err) != Usage {
		t.Errorf("a bad pattern gives %v", err)
	}
}

type quiet struct{}

func (quiet) Step(string, string)                {}
func (quiet) Bytes(string, string, int64, int64) {}
func (quiet) Begin(string, string) func()        { return func() {} }
func (quiet) Output(string, string, string)      {}
func (quiet) Warn(string)                        {}

func readApp(t *testing.T, args ...string) *application {
	t.Helper()
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a, err := (&Host{Cache: c, Teller: quiet{}}).readApplication(args, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	return a
}

// Of several --app the later one wins a path; places are where each went.
func TestSeveralApplications(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	write(t, one, "x.txt", "only.txt")
	write(t, two, "y/x.txt", "x.txt")
	a := readApp(t, one, filepath.Join(two, "y", "x.txt")+":/app/", two+":/app/deep")
	if want := []string{"app", "app/x.txt", "app/deep"}; !slices.Equal(a.places, want) {
		t.Errorf("places %q, want %q", a.places, want)
	}
	f, _ := a.files.Get("app/x.txt")
	if b, err := f.ReadAll(100); err != nil || string(b) != "content of y/x.txt" {
		t.Errorf("app/x.txt is %q, %v", b, err)
	}
}

// What changes after it was hashed is no content.
func TestChangedWhileRead(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.txt", "b.txt", "c.txt", "d.txt")
	a := readApp(t, dir)
	name := func(n string) string { return filepath.Join(dir, n) }
	info, err := os.Stat(name("a.txt"))
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(name("a.txt"), []byte("Content of a.txt"), 0o644) // same size and time
	os.Chtimes(name("a.txt"), time.Now(), info.ModTime())
	os.WriteFile(name("b.txt"), []byte("longer content of b.txt"), 0o644)
	os.Remove(name("c.txt"))
	os.Symlink("/etc/hostname", name("c.txt"))
	for f := range a.files.All() {
		if f.Mode.IsDir() {
			continue
		}
		err := readOut(f)
		if changed := f.Path != "app/d.txt"; changed != (err != nil) {
			t.Errorf("%s: %v", f.Path, err)
		}
		if f.Path < "app/c" && !errors.Is(err, errChanged) {
			t.Errorf("%s: %v, want %v", f.Path, err, errChanged)
		}
	}
}

func readOut(f *files.File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}

// A link that is swapped in never leads out of the folder.
func TestNoWayOut(t *testing.T) {
	outside := t.TempDir()
	write(t, outside, "secret")
	dir := t.TempDir()
	write(t, dir, "sub/file")
	a := readApp(t, dir)
	os.RemoveAll(filepath.Join(dir, "sub"))
	os.Symlink(outside, filepath.Join(dir, "sub"))
	os.Rename(filepath.Join(outside, "secret"), filepath.Join(outside, "file"))
	f, _ := a.files.Get("app/sub/file")
	if err := readOut(f); err == nil {
		t.Error("a file outside was read")
	}
}

func TestRunAs(t *testing.T) {
	base := func(passwd, group string) files.Set {
		var list []*files.File
		for name, text := range map[string]string{passwdFile: passwd, groupFile: group} {
			if text != "" {
				list = append(list, &files.File{Path: name, Mode: 0o644, Size: int64(len(text)), Content: textContent(text)})
			}
		}
		return files.NewSet(list)
	}
	const root, rootGroup = "root:x:0:0:root:/root:/bin/sh\n", "root:x:0:\n"
	for _, c := range []struct {
		spec, passwd, group string
		user                string
		addPasswd, addGroup string
	}{
		{"app", root, rootGroup, "10001:10001", "app:x:10001:10001::/home:/sbin/nologin\n", "app:x:10001:\n"},
		{"app", root + "x:x:10001:1:::", rootGroup + "y:x:10002:", "10003:10003", "\napp:x:10003:10003::/home:/sbin/nologin\n", "\napp:x:10003:\n"},
		{"app", "", "", "10001:10001", "root:x:0:0:root:/root:/sbin/nologin\napp:x:10001:10001::/home:/sbin/nologin\n", "root:x:0:\napp:x:10001:\n"},
		{"app", root, rootGroup + "app:x:77:\n", "10001:77", "app:x:10001:77::/home:/sbin/nologin\n", ""},
		{"app:staff", root, rootGroup + "staff:x:50:\n", "10001:50", "app:x:10001:50::/home:/sbin/nologin\n", ""},
		{"app:0", root, rootGroup, "10001:0", "app:x:10001:0::/home:/sbin/nologin\n", ""},
		{"app:web", root, rootGroup, "10001:10001", "app:x:10001:10001::/home:/sbin/nologin\n", "web:x:10001:\n"},
		{"root:web", root, rootGroup, "root:10001", "", "web:x:10001:\n"},
		{"1000:web", root, rootGroup, "1000:10001", "", "web:x:10001:\n"},
		{"root", root, rootGroup, "root", "", ""},
		{"1000", root, rootGroup, "1000", "", ""},
		{"1000:1000", root, rootGroup, "1000:1000", "", ""},
		{"", root, rootGroup, "", "", ""},
	} {
		r, err := newRunAs(c.spec, "/home", base(c.passwd, c.group))
		if err != nil {
			t.Errorf("%s: %v", c.spec, err)
			continue
		}
		if r.user != c.user {
			t.Errorf("%s is %q, want %q", c.spec, r.user, c.user)
		}
		for name, want := range map[string]string{passwdFile: c.addPasswd, groupFile: c.addGroup} {
			before := map[string]string{passwdFile: c.passwd, groupFile: c.group}[name]
			got := ""
			if f, ok := r.files.Get(name); ok {
				b, err := f.ReadAll(1 << 10)
				if err != nil {
					t.Fatal(err)
				}
				got = strings.TrimPrefix(string(b), before)
			}
			if got != want {
				t.Errorf("%s: %s gets %q, want %q", c.spec, name, got, want)
			}
		}
	}
	if _, err := newRunAs("app", "/home", base(strings.Repeat("x", maxAccounts+1), "")); err == nil {
		t.Error("a huge file of accounts is read")
	}
}

func TestCheckUser(t *testing.T) {
	for spec, fine := range map[string]bool{
		"app": true, "app:web": true, "_x-y.z": true, "www$": true, "0": true, "1000:1000": true, "4294967294": true,
		"": true, "4294967295": false, "-1": false, "a b": false, "a:b:c": false, ":web": false, "app:": false, "ä": false, "a\nroot:x:0:0": false,
		"1app": false, strings.Repeat("a", 33): false, "+1": false,
	} {
		if err := checkUser(spec); (err == nil) != fine {
			t.Errorf("%q: %v", spec, err)
		}
	}
}

// A record comes with an image, and may say anything.
func TestConfiguredByARecord(t *testing.T) {
	user, dir := "app", "/x:y\nmallory:x:0:0::/:/bin/sh"
	c, err := newConfigured(layers.ConfigChange{User: &user, Workdir: &dir}, files.Set{})
	if err != nil {
		t.Fatal(err)
	}
	f, _ := c.merged.Get(passwdFile)
	if b, err := f.ReadAll(1 << 10); err != nil || strings.Contains(string(b), "mallory") {
		t.Errorf("etc/passwd is %q, %v", b, err)
	}
	user = "app\nmallory:x:0:0::/:/bin/sh"
	if _, err := newConfigured(layers.ConfigChange{User: &user}, files.Set{}); err == nil {
		t.Error("a user with a line break is taken")
	}
}

// The memory that an application takes does not grow with its files.
func BenchmarkReadApplication(b *testing.B) {
	dir := b.TempDir()
	for i := range 200 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%d", i)), make([]byte, 100_000), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	c, err := cache.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	h := &Host{Cache: c, Teller: quiet{}}
	b.SetBytes(200 * 100_000)
	b.ReportAllocs()
	for b.Loop() {
		a, err := h.readApplication([]string{dir}, nil)
		if err != nil {
			b.Fatal(err)
		}
		a.close()
	}
}
