package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/ospkg"
	"github.com/r-seed-1713b764/distill/internal/pysource"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// A tree is written as lines:
//
//	@python [PREFIX [musl]]        an interpreter, its C library and loader
//	@python debian unmerged        the same on a root whose lib is a directory of its own
//	@owned NAME VERSION PATH...    a package of dpkg
//	@dist NAME VERSION [KIND] FILE...  a distribution; files relative to its site directory,
//	                               the first is its record; "x/" is all below x
//	dir/                           a directory
//	path -> target                 a symbolic link
//	path = text                    a file
//	path elf KEY=VALUE...          soname, needs, def, verneed, interp, runpath, machine, relr,
//	                               dlopen (names in its constants), note (of dlopen, without quotes)
//	path cache NAME=PATH...        ld.so.cache
//	path source CALL=LIBRARY...    a Python module that loads libraries
//	path pyc KEY=VALUE...          byte code: time and size of its source, flags, magic
//	path fifo
//
// A word mode=0755, uid=1750, size=4000000, inode=7 (octal), nosum at the end of a line changes the entry.
type treeText struct {
	t     *testing.T
	list  []*files.File
	dpkg  strings.Builder
	dists []string
	env   *inspect.Environment
}

const triplet = "usr/lib/x86_64-linux-gnu"

// readTree returns the environment that text describes.
func readTree(t *testing.T, text string) *inspect.Environment {
	t.Helper()
	tt := &treeText{t: t, env: &inspect.Environment{Platform: "linux/amd64"}}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		tt.line(line)
	}
	if tt.dpkg.Len() > 0 {
		tt.file("var/lib/dpkg/status", tt.dpkg.String())
	}
	tt.env.Files = files.NewSet(tt.list)
	tt.env.OS = ospkg.Read(osTree{tt.env.Files})
	for _, d := range tt.dists {
		tt.dist(strings.Fields(d))
	}
	return tt.env
}

func (tt *treeText) add(f *files.File) { tt.list = append(tt.list, f) }

func (tt *treeText) file(path, text string) *files.File {
	sum := sha256.Sum256([]byte(text))
	f := &files.File{Path: path, Mode: 0o644, Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:]), Content: content(text)}
	if strings.HasPrefix(text, "#!") {
		f.Note = []byte(text)
	}
	if facts := pysource.Scan([]byte(text)); strings.HasSuffix(path, ".py") && !facts.IsEmpty() {
		f.Note = append([]byte{sourceNote}, facts.Encode()...)
	}
	tt.add(f)
	return f
}

type content string

func (c content) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(c))), nil
}

func (tt *treeText) line(line string) {
	words := strings.Fields(line)
	switch words[0] {
	case "@python":
		tt.python(words[1:])
		return
	case "@owned":
		fmt.Fprintf(&tt.dpkg, "Package: %s\nStatus: install ok installed\nVersion: %s\nArchitecture: amd64\n\n", words[1], words[2])
		tt.file("var/lib/dpkg/info/"+words[1]+".list", "/"+strings.Join(words[3:], "\n/")+"\n")
		return
	case "@dist":
		tt.dists = append(tt.dists, strings.Join(words[1:], " "))
		return
	}
	var mods []string
	for len(words) > 1 && isMod(words[len(words)-1]) {
		mods = append(mods, words[len(words)-1])
		words = words[:len(words)-1]
	}
	f := tt.entry(words[0], words[1:], line)
	for _, m := range mods {
		tt.modify(f, m)
	}
}

func isMod(w string) bool {
	for _, p := range []string{"mode=", "uid=", "inode=", "size="} {
		if strings.HasPrefix(w, p) {
			return true
		}
	}
	return w == "nosum"
}

func (tt *treeText) entry(name string, rest []string, line string) *files.File {
	switch {
	case strings.HasSuffix(name, "/"):
		f := &files.File{Path: strings.TrimSuffix(name, "/"), Mode: fs.ModeDir | 0o755}
		tt.add(f)
		return f
	case len(rest) == 0:
		return tt.file(name, "content of "+path.Base(name))
	case rest[0] == "->":
		f := &files.File{Path: name, Mode: fs.ModeSymlink | 0o777, Link: rest[1]}
		tt.add(f)
		return f
	case rest[0] == "=":
		return tt.file(name, strings.ReplaceAll(strings.Join(rest[1:], " "), `\n`, "\n"))
	case rest[0] == "cache":
		var entries []elfdeps.CacheEntry
		for _, w := range rest[1:] {
			name, at, _ := strings.Cut(w, "=")
			e := elfdeps.CacheEntry{Name: name, Path: at, Flags: 0x303}
			if _, caps, ok := strings.Cut(at, "glibc-hwcaps/"); ok {
				e.HWCaps, _, _ = strings.Cut(caps, "/")
			}
			entries = append(entries, e)
		}
		return tt.file(name, string(elfdeps.EncodeCache(entries)))
	case rest[0] == "source":
		var facts pysource.Facts
		for _, w := range rest[1:] {
			call, library, _ := strings.Cut(w, "=")
			facts.Loads = append(facts.Loads, pysource.Load{Call: call, Library: library})
		}
		f := tt.file(name, line)
		f.Note = append([]byte{sourceNote}, facts.Encode()...)
		return f
	case rest[0] == "elf":
		f := tt.file(name, line)
		f.Note = tt.elf(rest[1:]).Encode()
		return f
	case rest[0] == "pyc":
		return tt.code(name, rest[1:])
	case rest[0] == "fifo":
		f := &files.File{Path: name, Mode: fs.ModeNamedPipe | 0o644}
		tt.add(f)
		return f
	}
	tt.t.Fatalf("what is %q?", line)
	return nil
}

func (tt *treeText) modify(f *files.File, mod string) {
	key, value, _ := strings.Cut(mod, "=")
	n, err := strconv.ParseInt(value, 8, 64)
	switch {
	case key == "nosum":
		f.SHA256 = ""
		return
	case err != nil:
		tt.t.Fatal(err)
	case key == "size": // of content that nobody opens
		f.Size = n
	case key == "mode":
		f.Mode = f.Mode.Type() | fs.FileMode(n&0o777)
		if n&0o4000 != 0 {
			f.Mode |= fs.ModeSetuid
		}
	case key == "uid":
		f.UID = int(n)
	case key == "inode":
		f.Inode = uint64(n)
	}
}

func (tt *treeText) elf(words []string) *elfdeps.Info {
	i := &elfdeps.Info{Class: 64, Machine: elfdeps.MachineX86_64, Type: elfdeps.TypeDyn, Dynamic: true}
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		list := strings.Split(value, ",")
		switch key {
		case "soname":
			i.Soname = value
		case "needs":
			i.Needed = list
		case "def":
			i.VerDef = list
		case "verneed": // libc.so.6:GLIBC_2.34
			for _, v := range list {
				lib, version, _ := strings.Cut(v, ":")
				i.VerNeed = append(i.VerNeed, elfdeps.VersionNeed{Lib: lib, Versions: []string{version}})
			}
		case "interp":
			i.Interp, i.PIE = value, true
		case "dlopen":
			i.Dlopen, i.LibNames = true, list
		case "note": // [{soname:[libx.so.1],priority:required}]
			text := regexp.MustCompile(`[a-z][\w.+-]*`).ReplaceAllString(value, `"$0"`)
			i.DlopenNotes = append(i.DlopenNotes, text)
		case "runpath":
			i.RunPath, i.HasRunPath = list, true
		case "machine":
			i.Machine = elfdeps.MachineAArch64
		case "relr":
			i.Relr = true
		default:
			tt.t.Fatalf("what is %q?", w)
		}
	}
	return i
}

// python adds an interpreter: Debian's without a prefix.
func (tt *treeText) python(words []string) {
	v, err := python.ParseVersion("3.11.2")
	if err != nil {
		tt.t.Fatal(err)
	}
	loader, libc := "lib64/ld-linux-x86-64.so.2", python.Libc{Family: "glibc", Major: 2, Minor: 36}
	facts := &elfdeps.LoaderFacts{Family: "glibc", SystemDirs: []string{"/lib/x86_64-linux-gnu/", "/usr/lib/x86_64-linux-gnu/", "/lib/", "/usr/lib/"}, Cache: "/etc/ld.so.cache"}
	needs := []string{"libc.so.6"}
	if len(words) < 2 || words[1] != "unmerged" {
		tt.line("lib -> usr/lib")
	}
	tt.line("lib64 -> usr/lib64")
	if len(words) > 1 && words[1] == "musl" {
		loader, libc = "lib/ld-musl-x86_64.so.1", python.Libc{Family: "musl", Major: 1, Minor: 2}
		facts, needs = &elfdeps.LoaderFacts{Family: "musl", PathFile: "/etc/ld-musl-x86_64.path"}, []string{"libc.musl-x86_64.so.1"}
	} else {
		tt.line(triplet + "/libc.so.6 elf soname=libc.so.6 def=GLIBC_2.2.5,GLIBC_2.34,GLIBC_2.36")
	}
	f := tt.file("usr/"+loader, "the loader")
	version := "2.36"
	if facts.Family == "musl" {
		version = "1.2.3"
	}
	f.Note = (&elfdeps.Info{Class: 64, Machine: elfdeps.MachineX86_64, Type: elfdeps.TypeDyn, Dynamic: true, Loader: facts, Version: version}).Encode()

	i := &inspect.Interpreter{
		Version: v, Implementation: "cpython", Loader: loader, Libc: libc,
		ExtSuffix: ".cpython-311-x86_64-linux-gnu.so",
	}
	prefix := "usr"
	if len(words) > 0 && words[0] != "debian" {
		prefix = words[0]
		i.Purelib, i.Scripts, i.Data = prefix+"/lib/python3.11/site-packages", prefix+"/bin", prefix
		i.SiteDirs = []string{i.Purelib}
	} else {
		i.Purelib, i.Scripts, i.Data = "usr/local/lib/python3.11/dist-packages", "usr/local/bin", "usr/local"
		i.SiteDirs = []string{i.Purelib, "usr/lib/python3/dist-packages"}
	}
	i.Platlib, i.Prefix, i.Path, i.Names = i.Purelib, prefix, prefix+"/bin/python3.11", []string{prefix + "/bin/python3"}
	i.SysPath = append([]string{prefix + "/lib/python3.11"}, i.SiteDirs...)
	f = tt.file(i.Path, "python")
	f.Note = (&elfdeps.Info{Class: 64, Machine: elfdeps.MachineX86_64, Type: elfdeps.TypeDyn, PIE: true, Dynamic: true, Interp: "/" + loader, Needed: needs}).Encode()
	tt.line(i.Names[0] + " -> python3.11")
	tt.line(i.Purelib + "/")
	tt.env.Python = i
	tt.env.Interpreters = []*inspect.Interpreter{i}
}

// dist adds a distribution that is described as NAME VERSION [KIND] FILE...
func (tt *treeText) dist(words []string) {
	name, err := python.ParseName(words[0])
	if err != nil {
		tt.t.Fatal(err)
	}
	version, err := python.ParseVersion(words[1])
	if err != nil {
		tt.t.Fatal(err)
	}
	d := &inspect.Distribution{Name: name, Version: version, Kind: inspect.DistInfo, FilesFrom: "RECORD", Location: tt.env.Python.Purelib}
	words = words[2:]
	for len(words) > 0 && strings.Contains(words[0], ":") {
		key, value, _ := strings.Cut(words[0], ":")
		words = words[1:]
		switch key {
		case "kind":
			d.Kind = inspect.Kind(value)
		case "at":
			d.Location = value
		case "owner":
			d.Owner = value
		case "refused":
			d.Refused = value
		case "modified":
			d.Modified = append(d.Modified, value)
		case "missing":
			d.Missing = append(d.Missing, value)
		case "editable":
			d.Editable = value
		case "entry":
			d.PathEntry = value
		default:
			tt.t.Fatalf("what is %q?", key)
		}
	}
	for i, w := range words {
		p := path.Join(d.Location, w)
		if i == 0 {
			d.Info = p
			if path.Base(p) == "RECORD" || path.Base(p) == "installed-files.txt" {
				d.Info = path.Dir(p)
			}
		}
		if strings.HasSuffix(w, "/") {
			for f := range tt.env.Files.Under(p) {
				d.Files = append(d.Files, f.Path)
			}
			continue
		}
		d.Files = append(d.Files, p)
	}
	slices.Sort(d.Files)
	tt.env.Distributions = append(tt.env.Distributions, d)
}

// osTree shows a set to ospkg.
type osTree struct{ files.Set }

func (t osTree) ReadFile(path string, limit int64) ([]byte, bool) {
	f, _, ok := t.Lookup(path)
	if !ok || !f.IsRegular() {
		return nil, false
	}
	b, err := f.ReadAll(limit)
	return b, err == nil
}

func (t osTree) List(path string) []string {
	var names []string
	for f := range t.Children(path) {
		names = append(names, baseOf(f.Path))
	}
	return names
}

func (t osTree) Place(path string) (string, bool) {
	at, ok := t.ResolveParent(path)
	if !ok {
		return "", false
	}
	f, ok := t.Get(at)
	return at, ok && !f.Mode.IsDir()
}

// section is one part of a case: a line "-- name --" and the text below it.
type section struct{ name, text string }

// sections reads the txtar format; what comes before the first section has no
// name.
func sections(text string) []section {
	list := []section{{}}
	for line := range strings.Lines(text) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "-- ")
		if name, end := strings.CutSuffix(name, " --"); ok && end {
			list = append(list, section{name: name})
			continue
		}
		list[len(list)-1].text += line
	}
	return list
}

// eachCase runs the cases of some files: what stands above "-- want --" makes the text
// below it. With -update that is written anew.
func eachCase(t *testing.T, pattern string, run func(t *testing.T, input string) string) {
	t.Helper()
	cases, err := filepath.Glob(pattern)
	if err != nil || len(cases) == 0 {
		t.Fatalf("%v, %d cases", err, len(cases))
	}
	for _, name := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			const mark = "-- want --\n"
			input, want, ok := strings.Cut(string(text), mark)
			if !ok {
				t.Fatal("nothing is wanted")
			}
			got := run(t, input)
			if *update {
				if err := os.WriteFile(name, []byte(input+mark+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
