package needs

import (
	"fmt"
	"maps"
	"slices"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// vocabulary is names.toml as written: the headers of Python, the interfaces of PEP 725,
// and other libraries and tools that no package of the book needs.
type vocabulary struct {
	Python     *table           `toml:"python"`
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
	if doc.Python == nil {
		return fmt.Errorf("%s: [python] is missing", file)
	}
	var err error
	if b.headers, err = doc.Python.need(); err != nil {
		return fmt.Errorf("%s: [python]: %w", file, err)
	}
	b.headers.kind = pythonHeader
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
			b.name("name", a, n)
		}
		b.nameNeed(n)
	}
	return nil
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
	b.name("name", n.Name, n)
	for _, p := range n.PkgConfig {
		b.name("pc", p, n)
	}
	for _, p := range n.Programs {
		b.name("program", p, n)
	}
	for _, p := range n.Libraries {
		b.name("library", p, n)
	}
	if n.Header != "" {
		b.name("header", n.Header, n)
	}
}

func (b *Book) name(space, name string, n Need) {
	k := key(space, name)
	if _, ok := b.names[k]; !ok {
		b.names[k] = n
	}
}
