package needs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// External is one external dependency of PEP 725: a DepURL, perhaps with a marker.
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

// ParseExternal reads "dep:type/namespace/name@version ; marker". The scheme of package
// URLs, "pkg:", of which DepURLs are made, is taken too.
func ParseExternal(text string) (External, error) {
	x := External{Text: text}
	if len(text) > maxExternal {
		return x, fmt.Errorf("an external dependency of %d bytes", len(text))
	}
	url, marker, hasMarker := strings.Cut(text, ";")
	if hasMarker {
		m, err := python.ParseMarker(strings.TrimSpace(marker))
		if err != nil {
			return x, fmt.Errorf("external dependency %q: %w", text, err)
		}
		x.Marker = m
	}
	url = strings.TrimSpace(url)
	rest, ok := strings.CutPrefix(url, "dep:")
	if !ok {
		if rest, ok = strings.CutPrefix(url, "pkg:"); !ok {
			return x, fmt.Errorf("external dependency %q is no dep: URL", text)
		}
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, _, _ = strings.Cut(rest, "?")
	rest, x.Version, _ = strings.Cut(rest, "@")
	x.Type, x.Name, ok = strings.Cut(strings.TrimSpace(rest), "/")
	x.Version = strings.TrimSpace(x.Version)
	if err := x.check(); !ok || err != nil {
		return x, fmt.Errorf("external dependency %q is no dep:type/name", text)
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
