package needs

import (
	"fmt"
	"maps"
	"slices"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// vocabulary is names.toml as written: the headers of Python and of the C library, the
// interfaces of PEP 725, and other libraries and tools that no package of the book needs.
type vocabulary struct {
	Python     table            `toml:"python"`
	Libc       table            `toml:"libc"`
	Interfaces map[string]table `toml:"interfaces"`
	Others     []named          `toml:"other"`
}

// named is a need with the names that sources use for it.
type named struct {
	table
	Aliases []string `toml:"aliases"`
}

// addVocabulary reads names.toml.
func (b *Book) addVocabulary(file string, text []byte) error {
	var doc vocabulary
	if err := decode(file, text, &doc); err != nil {
		return err
	}
	var err error
	if b.headers, err = doc.Python.need(); err != nil {
		return fmt.Errorf("%s: [python]: %w", file, err)
	}
	if b.libc, err = doc.Libc.need(); err != nil {
		return fmt.Errorf("%s: [libc]: %w", file, err)
	}
	b.headers.kind, b.libc.kind = pythonHeader, libcHeader
	for _, name := range slices.Sorted(maps.Keys(doc.Interfaces)) {
		n, err := doc.Interfaces[name].need()
		if err != nil {
			return fmt.Errorf("%s: [interfaces.%s]: %w", file, name, err)
		}
		b.names[key("virtual", name)] = n
		b.interfaces = append(b.interfaces, n)
	}
	for i, o := range doc.Others {
		n, err := o.need()
		if err != nil {
			return fmt.Errorf("%s: other %d (%q): %w", file, i+1, o.Name, err)
		}
		for _, a := range o.Aliases {
			b.name(key("name", a), n)
		}
		b.nameNeed(n)
	}
	return nil
}

// borrow fills in where conda has what a book says only for operating systems.
func (b *Book) borrow() {
	fill := func(n *Need) {
		if n.Packages.Conda != nil {
			return
		}
		for _, k := range keysOf(*n) {
			if other, ok := b.names[k]; ok {
				n.Packages.Conda = other.Packages.Conda
				return
			}
		}
	}
	for _, e := range b.entries {
		for i := range e.needs {
			fill(&e.needs[i])
		}
	}
	for lang, n := range b.compilers {
		fill(&n)
		b.compilers[lang] = n
	}
}

// nameNeeds makes the needs of all packages known by their names, in order of package:
// where two packages say different things of one library, the first is heard.
func (b *Book) nameNeeds() {
	for _, p := range b.Names() {
		for _, n := range b.entries[p].needs {
			b.nameNeed(n)
		}
	}
	for _, n := range b.interfaces {
		b.nameNeed(n)
	}
}

func (b *Book) nameNeed(n Need) {
	n.Sure, n.From, n.versions = false, "", python.Specifiers{}
	for _, k := range keysOf(n) {
		b.name(k, n)
	}
}

// keysOf returns the names that a need is found by, the surest first.
func keysOf(n Need) []string {
	out := []string{key("name", n.Name)}
	for _, p := range n.PkgConfig {
		out = append(out, key("pc", p))
	}
	if n.Header != "" {
		out = append(out, key("header", n.Header))
	}
	for _, p := range n.Programs {
		out = append(out, key("program", p))
	}
	for _, p := range n.Libraries {
		out = append(out, key("library", p))
	}
	return out
}

func (b *Book) name(k string, n Need) {
	if _, ok := b.names[k]; !ok {
		b.names[k] = n
	}
}
