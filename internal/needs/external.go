package needs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// External is one external dependency of PEP 725: a DepURL, perhaps with a marker. One
// without Type is not understood; it is shown as something that may be needed.
type External struct {
	Text     string // as written
	Type     string // "generic", "virtual", "github", "pypi" ...
	Name     string // with its namespace: "openssl", "compiler/c", "AbiWord/enchant"
	Version  string // what follows "@", "" if nothing does
	Marker   *python.Marker
	Optional bool
}

// maxExternal is more than any DepURL has, in bytes.
const maxExternal = 1024

// ParseExternal reads "dep:type/namespace/name@version ; marker". What earlier drafts of
// the PEP had is taken, too: "pkg:generic/name" and "virtual:compiler/c". With an error, it
// returns what holds only the text.
func ParseExternal(text string) (External, error) {
	bare := External{Text: text}
	x := bare
	if len(text) > maxExternal {
		return External{}, fmt.Errorf("an external dependency of %d bytes", len(text))
	}
	url, marker, hasMarker := strings.Cut(text, ";")
	if hasMarker {
		m, err := python.ParseMarker(strings.TrimSpace(marker))
		if err != nil {
			return bare, fmt.Errorf("external dependency %q: %w", text, err)
		}
		x.Marker = m
	}
	url = strings.TrimSpace(url)
	scheme, rest, _ := strings.Cut(url, ":")
	switch scheme {
	case "dep", "pkg":
	case "virtual":
		rest = "virtual/" + rest
	default:
		return bare, fmt.Errorf("external dependency %q is no dep: URL", text)
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, _, _ = strings.Cut(rest, "?")
	rest, x.Version, _ = strings.Cut(rest, "@")
	var ok bool
	x.Type, x.Name, ok = strings.Cut(strings.TrimSpace(rest), "/")
	x.Version = strings.TrimSpace(x.Version)
	if err := x.check(); !ok || err != nil {
		return bare, fmt.Errorf("external dependency %q is no dep:type/name", text)
	}
	x.Type = strings.ToLower(x.Type)
	return x, nil
}

func (x *External) check() error {
	for part := range strings.SplitSeq(x.Type+"/"+x.Name, "/") {
		if part == "" || strings.ContainsFunc(part, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '"' || r == '\\' }) {
			return errors.New("an empty or odd part")
		}
	}
	return nil
}

// The names that PEP 725 has for the languages of compilers, where they are not ours.
var languages = map[string]string{"cxx": "c++", "cpp": "c++", "c++": "c++"}

// addExternal adds what a dependency of PEP 725 stands for. What nobody knows is kept by
// name, and is never sure.
func (b *Book) addExternal(l *List, x External) {
	const from = "pyproject.toml"
	if lang, ok := strings.CutPrefix(x.Name, "compiler/"); ok && x.Type == "virtual" {
		lang = strings.ToLower(lang)
		if other, ok := languages[lang]; ok {
			lang = other
		}
		// A marker would have to be evaluated for two needs; compilers have none in practice.
		if b.addCompiler(l, lang, !x.Optional && x.Marker == nil, from) {
			return
		}
	}
	var n Need
	var known bool
	switch x.Type {
	case "virtual":
		n, known = b.find(strings.TrimPrefix(x.Name, "interface/"), "virtual")
	case "":
	case "pypi":
		return // stands among the build requirements
	default:
		n, known = b.find(x.Name[strings.LastIndexByte(x.Name, '/')+1:], "name", "pc", "program")
	}
	if !known {
		n = Need{Name: strings.TrimSpace(strings.SplitN(x.Text, ";", 2)[0]), kind: unknown}
	}
	n.Sure, n.From, n.marker = known && !x.Optional, from, x.Marker
	l.add(n)
}
