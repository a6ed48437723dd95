package ospkg

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
)

const statusText = `Package: libz1
Status: install ok installed
Version: 1:1.2.13
Architecture: amd64
Source: zlib (1:1.2)
Depends: libc6 (>= 2.14)
Conffiles:
 /etc/zlib.conf 0123456789abcdef0123456789abcdef
 /etc/other 0123456789abcdef0123456789abcdef
Description: compression library
 Second line
 .
 Status: of nothing
`

func dpkgTree() mapTree {
	return mapTree{files: map[string]string{
		"var/lib/dpkg/status":                 statusText + "\n" + strings.ReplaceAll(statusText, "libz1", "other"),
		"var/lib/dpkg/info/libz1:amd64.list":  "/.\n/usr\n/usr/lib\n/usr/lib/libz.so.1\n/usr/lib/libz.a\n/usr/share/doc/libz1/copyright\n",
		"usr/lib/libz.so.1":                   "",
		"usr/lib/libz.a":                      "",
		"usr/share/doc/libz1/copyright":       "",
		"var/lib/dpkg/info/libz1:amd64.other": "",
	}}
}

const sums = `0123456789abcdef0123456789abcdef  usr/lib/libz.so.1
11111111111111111111111111111111  usr/lib/libz.a
garbage
22222222222222222222222222222222  usr/share/doc/libz1/copyright
`

// What is written is read back as the same package, with the files that came along.
func TestDpkgRecordReadsBack(t *testing.T) {
	p := Read(dpkgTree()).Package("libz1")
	list := Sums([]byte(sums), func(path string) bool { return path != "usr/lib/libz.a" })
	m := mapTree{files: map[string]string{
		StatusDir + "/" + p.RecordName(false):              string(p.Record()),
		StatusDir + "/" + p.RecordName(false) + ".md5sums": string(list),
		"usr/lib/libz.so.1":                                "",
		"usr/share/doc/libz1/copyright":                    "",
	}}
	db := Read(m)
	if len(db.Packages) != 1 || len(db.Warnings) > 0 {
		t.Fatalf("%d packages, warnings %v", len(db.Packages), db.Warnings)
	}
	q := db.Packages[0]
	if q.Format != Distroless || q.Name != p.Name || q.Version != p.Version || q.Arch != p.Arch || q.Source != p.Source ||
		q.SourceVersion != p.SourceVersion || !slices.Equal(q.Depends, p.Depends) || !slices.Equal(q.LicenseFiles, p.LicenseFiles) {
		t.Errorf("wrote\n%+v\nread\n%+v", p, q)
	}
	if want := []string{"usr/lib/libz.so.1", "usr/share/doc/libz1/copyright"}; !slices.Equal(q.Files, want) {
		t.Errorf("files %v, want %v", q.Files, want)
	}
	if text := string(q.Stanza); strings.Contains(text, "Conffiles") || strings.Contains(text, "/etc/") ||
		strings.Contains(text, "\nStatus:") || !strings.Contains(text, " Status: of nothing") {
		t.Errorf("record\n%s", text)
	}
	if name := p.RecordName(true); name != "libz1_1%3a1.2.13" {
		t.Errorf("beside another version it is called %s", name)
	}
	if paths := p.SumsPath(); paths[0] != "var/lib/dpkg/info/libz1:amd64.md5sums" || q.SumsPath()[0] != StatusDir+"/libz1.md5sums" {
		t.Errorf("digests at %v and %v", paths, q.SumsPath())
	}
}

const installed = `C:Q1aaa=
P:musl
V:1.2.3-r0
A:x86_64
p:so:libc.musl-x86_64.so.1=1
F:
R:root
Z:Q1r=
F:lib
M:0:0:755
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q13g=
R:libc.musl-x86_64.so.1
a:0:0:777
Z:Q17y=
F:usr/bin
R:ldd
Z:Q1x=

C:Q1bbb=
P:zlib
V:1.2.13-r0
F:lib
R:libz.so.1

`

func apkTree(database string) mapTree {
	return mapTree{files: map[string]string{
		"lib/apk/db/installed": database, "root": "", "lib/ld-musl-x86_64.so.1": "", "lib/libc.musl-x86_64.so.1": "", "usr/bin/ldd": "", "lib/libz.so.1": "",
	}}
}

// Reduced keeps the attributes of what it keeps, and nothing else; the database before
// it stays as it is.
func TestApkRecordReadsBack(t *testing.T) {
	all := Read(apkTree(installed))
	for _, c := range []struct {
		keep []string
		want string
	}{
		{[]string{"lib/libc.musl-x86_64.so.1"}, "F:lib\nM:0:0:755\nR:libc.musl-x86_64.so.1\na:0:0:777\nZ:Q17y=\n"},
		{[]string{"root", "usr/bin/ldd"}, "F:\nR:root\nZ:Q1r=\nF:usr/bin\nR:ldd\nZ:Q1x=\n"},
		{nil, ""},
	} {
		p := all.Package("musl")
		text := p.Reduced(func(path string) bool { return slices.Contains(c.keep, path) })
		if want := "C:Q1aaa=\nP:musl\nV:1.2.3-r0\nA:x86_64\np:so:libc.musl-x86_64.so.1=1\n" + c.want; string(text) != want {
			t.Errorf("got\n%s\nwant\n%s", text, want)
		}
		base := "P:base\nV:1\nF:etc\nR:issue\n\n"
		for _, before := range []string{base, strings.TrimSuffix(base, "\n"), strings.TrimSuffix(base, "\n\n"), ""} {
			db := AppendApk([]byte(before), text, all.Package("zlib").Stanza)
			if !bytes.HasPrefix(db, []byte(before)) {
				t.Errorf("%q became %q", before, db)
			}
			got := Read(apkTree(string(db)))
			names := map[string]string{}
			for _, q := range got.Packages {
				names[q.Name] = q.Version
			}
			want := map[string]string{"musl": "1.2.3-r0", "zlib": "1.2.13-r0"}
			if before != "" {
				want["base"] = "1"
			}
			if !maps.Equal(names, want) {
				t.Errorf("after %q: packages %v", before, names)
			}
			if q := got.Package("musl"); q == nil || !slices.Equal(q.Files, c.keep) {
				t.Errorf("after %q: musl is %+v, want files %v", before, q, c.keep)
			}
		}
	}
}

func FuzzReduced(f *testing.F) {
	f.Add([]byte(installed), "lib")
	f.Fuzz(func(t *testing.T, stanza []byte, dir string) {
		tree := mapTree{files: map[string]string{"lib/apk/db/installed": string(stanza)}}
		for _, p := range Read(tree).Packages {
			text := p.Reduced(func(path string) bool { return strings.HasPrefix(path, dir) })
			for line := range bytes.Lines(text) {
				if name, ok := bytes.CutPrefix(line, []byte("R:")); ok && !bytes.Contains(stanza, bytes.TrimSpace(name)) {
					t.Errorf("%q comes from nowhere", name)
				}
			}
			again := (&Package{Stanza: text}).Reduced(func(string) bool { return true })
			if !bytes.Equal(again, text) {
				t.Errorf("all of\n%q\nis\n%q", text, again)
			}
		}
	})
}
