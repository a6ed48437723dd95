package elfdeps

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/elfdeps/elftest"
)

// loaderCase is one file of testdata/loader.
type loaderCase struct {
	name          string
	elf           []caseELF
	links         [][2]string
	texts         [][2]string
	cache         []CacheEntry
	path          string
	env           string
	main          string
	load          []string
	want          []caseWant
	model, chroot bool
}

type caseELF struct {
	path    string
	file    elftest.File
	dlopens string
}

type caseWant struct{ family, object, name, result string }

func loaderCases(t *testing.T) []loaderCase {
	t.Helper()
	names, err := filepath.Glob("testdata/loader/*.txt")
	if err != nil || len(names) < 20 {
		t.Fatalf("%d cases, %v", len(names), err)
	}
	var out []loaderCase
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		c := loaderCase{name: strings.TrimSuffix(filepath.Base(n), ".txt")}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 0 && !strings.HasPrefix(f[0], "#") {
				if err := c.line(f); err != nil {
					t.Fatalf("%s: %q: %v", n, line, err)
				}
			}
		}
		out = append(out, c)
	}
	return out
}

func (c *loaderCase) line(f []string) error {
	switch f[0] {
	case "elf":
		e := caseELF{path: f[1]}
		for _, o := range f[2:] {
			if err := e.option(o); err != nil {
				return err
			}
		}
		c.elf = append(c.elf, e)
	case "link":
		c.links = append(c.links, [2]string{f[1], f[2]})
	case "text":
		c.texts = append(c.texts, [2]string{f[1], strings.Join(f[2:], " ")})
	case "cache":
		e := CacheEntry{Name: f[1], Path: f[2], Flags: 0x303}
		if len(f) > 3 {
			e.HWCaps = f[3]
		}
		c.cache = append(c.cache, e)
	case "path":
		c.path = f[1]
	case "env":
		c.env = f[1]
	case "main":
		c.main = f[1]
	case "load":
		c.load = append(c.load, f[1])
	case "glibc", "musl":
		c.want = append(c.want, caseWant{f[0], f[1], f[2], f[3]})
	case "chroot":
		c.chroot = true
	case "model":
		c.model = true
	default:
		return fmt.Errorf("unknown word %q", f[0])
	}
	return nil
}

func (e *caseELF) option(o string) error {
	key, value, _ := strings.Cut(o, "=")
	switch key {
	case "program":
		e.file.Program, e.file.Entry = true, true
	case "soname":
		e.file.Soname = value
	case "needs":
		e.file.Needed = strings.Split(value, ",")
	case "rpath":
		e.file.RPath = value
	case "runpath":
		e.file.RunPath = value
	case "dlopens":
		e.dlopens = value
	case "nodeflib":
		e.file.NoDeflib = true
	case "machine":
		n, err := strconv.ParseUint(value, 10, 16)
		e.file.Machine = uint16(n)
		return err
	default:
		return fmt.Errorf("unknown option %q", o)
	}
	return nil
}

// memTree is a tree of parsed files, texts and links.
type memTree struct {
	elf   map[string]*Info
	texts map[string]string
	links map[string]string
}

func (m *memTree) Real(name string) (string, bool) {
	final := ""
	rest := strings.Split(strings.Trim(name, "/"), "/")
	for hops := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if final = path.Dir(final); final == "." {
				final = ""
			}
			continue
		}
		at := strings.TrimPrefix(final+"/"+part, "/")
		if to, ok := m.links[at]; ok && hops < 40 {
			hops++
			if strings.HasPrefix(to, "/") {
				final = ""
			}
			rest = append(strings.Split(to, "/"), rest...)
			continue
		}
		final = at
	}
	if m.elf[final] != nil {
		return final, true
	}
	if _, ok := m.texts[final]; ok {
		return final, true
	}
	for p := range m.elf {
		if strings.HasPrefix(p, final+"/") {
			return final, true
		}
	}
	return "", false
}

func (m *memTree) ReadFile(name string, limit int64) ([]byte, bool) {
	real, ok := m.Real(name)
	text, isText := m.texts[real]
	return []byte(text), ok && isText && int64(len(text)) <= limit
}

func (m *memTree) ELF(real string) *Info { return m.elf[real] }

var interps = map[string]string{"glibc": "/lib64/ld-linux-x86-64.so.2", "musl": "/lib/ld-musl-x86_64.so.1"}

func (c *loaderCase) tree(t *testing.T) *memTree {
	m := &memTree{elf: map[string]*Info{}, texts: map[string]string{}, links: map[string]string{}}
	m.elf["lib64/ld-linux-x86-64.so.2"] = parse(t, elftest.Loader("2.36", "/lib/x86_64-linux-gnu/", "/usr/lib/x86_64-linux-gnu/", "/lib/", "/usr/lib/").Bytes())
	m.elf["lib/ld-musl-x86_64.so.1"] = parse(t, elftest.MuslLoader("1.2.5").Bytes())
	for _, e := range c.elf {
		m.elf[e.path] = parse(t, e.file.Bytes())
	}
	for _, l := range c.links {
		m.links[l[0]] = l[1]
	}
	for _, x := range c.texts {
		m.texts[x[0]] = x[1]
	}
	if len(c.cache) > 0 {
		m.texts["etc/ld.so.cache"] = string(EncodeCache(c.cache))
	}
	if c.path != "" {
		m.texts["etc/ld-musl-x86_64.path"] = c.path + "\n"
	}
	return m
}

func TestLoaderFollowsTheRules(t *testing.T) {
	for _, c := range loaderCases(t) {
		for family, interp := range interps {
			t.Run(c.name+"/"+family, func(t *testing.T) {
				l, err := NewLoader(c.tree(t), interp, LoaderOptions{LibraryPath: c.env})
				if err != nil {
					t.Fatal(err)
				}
				closure, err := l.Closure(c.load, c.main)
				if err != nil {
					t.Fatal(err)
				}
				for _, w := range c.want {
					if w.family == family {
						if got := c.ask(t, l, closure, w); got != w.result {
							t.Errorf("%s needs %s: got %s, want %s", w.object, w.name, got, w.result)
						}
					}
				}
			})
		}
	}
}

// ask returns the result of a needed or opened name in the words of a case.
func (c *loaderCase) ask(t *testing.T, l *Loader, closure *Closure, w caseWant) string {
	t.Helper()
	if name, ok := strings.CutPrefix(w.name, "dlopen:"); ok {
		d, err := l.Dlopen(name, w.object, c.main)
		if err != nil {
			t.Fatal(err)
		}
		return resultText(d)
	}
	o, ok := closure.Object(w.object)
	if !ok {
		t.Fatalf("%s is not in the closure", w.object)
	}
	for _, d := range o.Needs {
		if d.Name == w.name {
			return resultText(d)
		}
	}
	return "not needed"
}

func resultText(d Dep) string {
	var b bytes.Buffer
	switch {
	case d.BuiltIn:
		b.WriteString("builtin")
	case d.Provider != "":
		b.WriteString("provider:" + d.Provider)
	case d.IsMissing():
		b.WriteString("missing")
	default:
		b.WriteString(d.Path)
	}
	for _, v := range d.Variants {
		b.WriteString("+" + v)
	}
	return b.String()
}

func TestClosureDoesNotDependOnTheOrderOfItsArguments(t *testing.T) {
	for _, c := range loaderCases(t) {
		for _, interp := range interps {
			l, err := NewLoader(c.tree(t), interp, LoaderOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, e := range c.elf {
				if e.file.Machine == 0 {
					all = append(all, e.path)
				}
			}
			forward, err1 := l.Closure(all, c.main)
			for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
				all[i], all[j] = all[j], all[i]
			}
			backward, err2 := l.Closure(append(all, all...), c.main)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			if a, b := closureText(forward), closureText(backward); a != b {
				t.Errorf("%s: %s\nand\n%s", c.name, a, b)
			}
		}
	}
}

func closureText(c *Closure) string {
	var b strings.Builder
	for _, o := range c.Objects {
		fmt.Fprintf(&b, "%s (%s)\n", o.Path, o.Real)
		for _, d := range o.Needs {
			fmt.Fprintf(&b, "  %s %s %s %s\n", d.Name, resultText(d), d.Via, d.Problem)
		}
	}
	return b.String()
}

func TestNewLoaderNamesWhatIsMissing(t *testing.T) {
	c := loaderCase{}
	for _, interp := range []string{"/lib/ld-linux-armhf.so.3", "/app/x"} {
		m := c.tree(t)
		m.elf["app/x"] = parse(t, elftest.File{Program: true}.Bytes())
		if _, err := NewLoader(m, interp, LoaderOptions{}); err == nil || !strings.Contains(err.Error(), interp) {
			t.Errorf("%s: %v", interp, err)
		}
	}
}
