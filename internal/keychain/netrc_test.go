package keychain

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestNetrc(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "netrc"), `
# a comment with machine nobody login x
machine example.org login alice password s3cret
machine Two.example
	login bob   # comments end the line: password wrong
	account acc
	password "with space \" and quote"
machine hash.example login carol password #notacomment
macdef init
machine inmacro.example login x password y

machine noreal.example bogus word login x password y
machine again.example login old password old
machine again.example login new password new
machine tokenonly.example password tok
machine end.example login dave password`)
	find := Netrc(env("NETRC", path))
	for host, want := range map[string]string{
		"example.org": "alice:s3cret", "example.org:8443": "alice:s3cret", "EXAMPLE.org": "alice:s3cret",
		"two.example":  `bob:with space " and quote`,
		"hash.example": "carol:#notacomment", "again.example": "new:new", "tokenonly.example": ":tok",
		"end.example": "dave:",
		"nobody":      "", "inmacro.example": "", "sub.example.org": "", "noreal.example": "", "": "",
	} {
		user, password, ok := find(host)
		got := user + ":" + password
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}

func TestNetrcPlaces(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "_netrc"), "default login under password x")
	if user, _, ok := Netrc(env("HOME", dir))("any.example"); !ok || user != "under" {
		t.Errorf("_netrc: %q, %v", user, ok)
	}
	write(t, filepath.Join(dir, ".netrc"), "default login dot password x")
	if user, _, ok := Netrc(env("HOME", dir))("any.example"); !ok || user != "dot" {
		t.Errorf(".netrc: %q, %v", user, ok)
	}
	big := write(t, filepath.Join(dir, "big"), "default login x password "+strings.Repeat("y", maxNetrc))
	for _, e := range []Environ{env(), env("NETRC", filepath.Join(dir, "none")), env("NETRC", dir), env("NETRC", big, "HOME", dir)} {
		if user, _, ok := Netrc(e)("any.example"); ok {
			t.Errorf("found %q", user)
		}
	}
}

func FuzzNetrc(f *testing.F) {
	f.Add("machine a login b password c\nmacdef x\n\ndefault login d")
	f.Add(`machine "a b" login "\\" password \`)
	f.Fuzz(func(t *testing.T, text string) {
		for host, m := range parseNetrc(text) {
			// What is found stands in the file, apart from quotes and backslashes.
			if len(host)+len(m.login)+len(m.password) > 3*len(text) {
				t.Errorf("%q: %q", host, m)
			}
		}
	})
}
