package needs

import (
	_ "embed" // the books
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/tomltext"
)

// Bounds on a book.
const (
	maxText    = 4 << 20
	maxEntries = 4096
	maxList    = 64  // entries of one list
	maxValue   = 512 // bytes of one string
)

//go:embed needs.toml
var needsText []byte

//go:embed names.toml
var namesText []byte

// BuiltIn returns what comes with distill.
var BuiltIn = sync.OnceValue(func() *Book {
	b, err := Read("needs.toml", needsText)
	if err != nil {
		panic(err) // a test reads it
	}
	return b
})

// table is a need as written.
type table struct {
	Name      string   `toml:"name"`
	Header    string   `toml:"header"`
	PkgConfig []string `toml:"pkg-config"`
	Program   []string `toml:"program"`
	Library   []string `toml:"library"`
	Env       []string `toml:"env"`
	Optional  bool     `toml:"optional"`
	Versions  string   `toml:"versions"`
	APK       []string `toml:"apk"`
	APT       []string `toml:"apt"`
	RPM       []string `toml:"rpm"`
	Conda     []string `toml:"conda"`
}

// section is a table of the file: what it says of one package or, as [compilers], of
// compilers. It has the keys of both, so that TOML itself finds a wrong key and its line.
type section struct {
	Docs      string   `toml:"docs"`
	Compilers []string `toml:"compilers"`
	Needs     []table  `toml:"needs"`

	C       *table `toml:"c"`
	CPP     *table `toml:"c++"`
	Fortran *table `toml:"fortran"`
	Rust    *table `toml:"rust"`
	Go      *table `toml:"go"`
}

// languages returns the compilers of a section, by language.
func (s *section) languages() map[string]*table {
	out := map[string]*table{"c": s.C, "c++": s.CPP, "fortran": s.Fortran, "rust": s.Rust, "go": s.Go}
	maps.DeleteFunc(out, func(_ string, t *table) bool { return t == nil })
	return out
}

// Read reads a book: a table for each package, and [compilers]. Unknown keys are errors.
// An error begins with file and, where TOML says it, the line.
func Read(file string, text []byte) (*Book, error) {
	var doc map[string]section
	if err := decode(file, text, &doc); err != nil {
		return nil, err
	}
	if len(doc) > maxEntries {
		return nil, fmt.Errorf("%s: %d packages, more than %d", file, len(doc), maxEntries)
	}
	b := &Book{entries: map[python.Name]*entry{}, compilers: map[string]Need{}, names: map[string]Need{}}
	for _, name := range slices.Sorted(maps.Keys(doc)) {
		s := doc[name]
		add := b.addEntry
		if name == "compilers" {
			add = b.addCompilers
		}
		if err := add(name, s); err != nil {
			return nil, fmt.Errorf("%s: [%s]: %w", file, name, err)
		}
	}
	for name, e := range b.entries {
		for _, lang := range e.compilers {
			if _, ok := b.compilers[lang]; !ok {
				return nil, fmt.Errorf("%s: [%s]: there is no compiler of %q", file, name, lang)
			}
		}
	}
	if err := b.addVocabulary("names.toml", namesText); err != nil {
		return nil, err
	}
	b.borrow()
	b.nameNeeds()
	return b, nil
}

func decode(file string, text []byte, to any) error {
	if len(text) > maxText {
		return fmt.Errorf("%s: %d bytes, more than %d", file, len(text), maxText)
	}
	return tomltext.DecodeStrict(file, text, to)
}

func (b *Book) addCompilers(_ string, s section) error {
	if s.Docs != "" || s.Compilers != nil || s.Needs != nil {
		return errors.New("it holds compilers, and is no package")
	}
	for lang, t := range s.languages() {
		if t.Name == "" {
			t.Name = compilerNames[lang]
		}
		n, err := t.need()
		if err != nil {
			return fmt.Errorf("%s: %w", lang, err)
		}
		if len(n.Programs) == 0 {
			return fmt.Errorf("%s: it names no program", lang)
		}
		n.kind = compiler
		b.compilers[lang] = n
	}
	return nil
}

// What compilers are called in messages.
var compilerNames = map[string]string{
	"c": "C compiler", "c++": "C++ compiler", "fortran": "Fortran compiler", "rust": "Rust compiler", "go": "Go compiler",
}

func isCompilerName(name string) bool {
	return slices.Contains(slices.Collect(maps.Values(compilerNames)), name)
}

func (b *Book) addEntry(name string, s section) error {
	n, err := python.ParseName(name)
	if err != nil {
		return err
	}
	if _, ok := b.entries[n]; ok {
		return fmt.Errorf("%s has two entries", n)
	}
	if len(s.languages()) > 0 {
		return errors.New("compilers stand in [compilers]")
	}
	if err := checkText("docs", s.Docs); err != nil {
		return err
	}
	e := &entry{docs: s.Docs, compilers: s.Compilers}
	for i, t := range s.Needs {
		n, err := t.need()
		if err != nil {
			return fmt.Errorf("need %d (%q): %w", i+1, t.Name, err)
		}
		n.From = "docs"
		if isCompilerName(n.Name) {
			n.kind = compiler // of some versions only
		}
		e.needs = append(e.needs, n)
	}
	b.entries[n] = e
	return nil
}

// need checks a table and returns what it says.
func (t table) need() (Need, error) {
	n := Need{
		Name: t.Name, Header: t.Header, PkgConfig: t.PkgConfig, Programs: t.Program, Libraries: t.Library, Env: t.Env,
		Sure: !t.Optional, Packages: Packages{t.APK, t.APT, t.RPM, t.Conda},
	}
	if t.Name == "" {
		return n, errors.New("it has no name")
	}
	for _, l := range []struct {
		key  string
		list []string
	}{
		{"name", []string{t.Name}}, {"header", []string{t.Header}}, {"pkg-config", t.PkgConfig}, {"program", t.Program}, {"library", t.Library},
		{"env", t.Env}, {"apk", t.APK}, {"apt", t.APT}, {"rpm", t.RPM}, {"conda", t.Conda},
	} {
		if len(l.list) > maxList {
			return n, fmt.Errorf("%s: %d entries, more than %d", l.key, len(l.list), maxList)
		}
		for _, s := range l.list {
			if err := checkText(l.key, s); err != nil {
				return n, err
			}
			if s == "" && l.key != "header" {
				return n, fmt.Errorf("%s: an empty entry", l.key)
			}
			if l.key != "header" && l.key != "name" && strings.ContainsAny(s, "/ ") {
				return n, fmt.Errorf("%s: %q is no name", l.key, s)
			}
		}
	}
	if strings.HasPrefix(t.Header, "/") || slices.Contains(strings.Split(t.Header, "/"), "..") {
		return n, fmt.Errorf("header: %q is not below an include folder", t.Header)
	}
	if t.Header == "" && len(t.PkgConfig)+len(t.Program)+len(t.Library) == 0 {
		return n, errors.New("it names nothing to look for")
	}
	if t.Versions != "" {
		v, err := python.ParseSpecifiers(t.Versions)
		if err != nil {
			return n, fmt.Errorf("versions: %w", err)
		}
		n.versions = v
	}
	return n, nil
}

func checkText(key, s string) error {
	if len(s) > maxValue {
		return fmt.Errorf("%s: %d bytes, more than %d", key, len(s), maxValue)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%s: %q has a control character", key, s)
	}
	return nil
}
