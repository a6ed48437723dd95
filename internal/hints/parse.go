package hints

import (
	_ "embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/tomltext"
)

// Bounds on a file of hints; the one that is built in has 20 KB.
const (
	maxText  = 1 << 20
	maxHints = 4096
	maxList  = 256  // entries of one list
	maxValue = 1024 // bytes of one string
)

//go:embed hints.toml
var builtIn []byte

// BuiltIn returns the hints that come with distill.
func BuiltIn() *Book {
	b, err := Parse("hints.toml", builtIn)
	if err != nil {
		panic(err) // a test reads it
	}
	return b
}

// table is a hint as written.
type table struct {
	Package   string   `toml:"package"`
	Why       string   `toml:"why"`
	When      []string `toml:"when"`
	Libraries []string `toml:"libraries"`
	Files     []string `toml:"files"`
	Programs  []string `toml:"programs"`
	Leave     []string `toml:"leave"`
	Keep      []string `toml:"keep"`
	Optional  []string `toml:"optional"`
	Spare     bool     `toml:"spare"`
}

// Parse reads hints: an array of tables [[hint]]. Unknown keys are errors. An error begins
// with file and, where TOML says it, the line.
func Parse(file string, text []byte) (*Book, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("%s: %d bytes, more than %d", file, len(text), maxText)
	}
	var doc struct {
		Hint []table `toml:"hint"`
	}
	if err := tomltext.DecodeStrict(file, text, &doc); err != nil {
		return nil, err
	}
	if len(doc.Hint) > maxHints {
		return nil, fmt.Errorf("%s: %d hints, more than %d", file, len(doc.Hint), maxHints)
	}
	b := &Book{}
	for i, t := range doc.Hint {
		h, err := t.hint()
		if err != nil {
			return nil, fmt.Errorf("%s: hint %d (%q): %w", file, i+1, t.Package, err)
		}
		b.list = append(b.list, h)
	}
	return b, nil
}

func (t table) hint() (Hint, error) {
	name, err := python.ParseName(t.Package)
	if err != nil {
		return Hint{}, fmt.Errorf("package: %w", err)
	}
	why := strings.TrimSpace(t.Why)
	switch {
	case why == "":
		return Hint{}, errors.New("why: it has no reason")
	case len(why) > maxValue, strings.ContainsFunc(why, isControl):
		return Hint{}, errors.New("why: more than one line")
	}
	h := Hint{
		Package: name, Why: why, When: t.When, Libraries: t.Libraries, Files: t.Files,
		Programs: t.Programs, Leave: t.Leave, Keep: t.Keep, Optional: t.Optional, Spare: t.Spare,
	}
	for _, l := range []struct {
		key   string
		list  []string
		check func(string) error
	}{
		{"when", h.When, checkGlob},
		{"libraries", h.Libraries, checkName},
		{"files", h.Files, checkRooted},
		{"programs", h.Programs, checkName},
		{"leave", h.Leave, checkName},
		{"keep", h.Keep, checkBelowSite},
		{"optional", h.Optional, checkBelowSite},
	} {
		if len(l.list) > maxList {
			return Hint{}, fmt.Errorf("%s: %d entries, more than %d", l.key, len(l.list), maxList)
		}
		for _, s := range l.list {
			if err := l.check(s); err != nil {
				return Hint{}, fmt.Errorf("%s: %q %w", l.key, s, err)
			}
		}
	}
	if len(h.Libraries)+len(h.Files)+len(h.Programs)+len(h.Leave)+len(h.Keep)+len(h.Optional) == 0 {
		return Hint{}, errors.New("it names nothing to bring, to leave, to keep or to do without")
	}
	return h, nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// checkName takes the name of a library or program, perhaps with wildcards.
func checkName(s string) error {
	if strings.Contains(s, "/") || s == "." || s == ".." {
		return errors.New("is no name: it has a path")
	}
	return checkPart(s)
}

func checkRooted(s string) error {
	if !strings.HasPrefix(s, "/") {
		return errors.New("has no slash before it")
	}
	return checkGlob(s)
}

func checkBelowSite(s string) error {
	if strings.HasPrefix(s, "/") {
		return errors.New("is below site-packages, so it begins with no slash")
	}
	return checkGlob(s)
}

func checkGlob(s string) error {
	for part := range strings.SplitSeq(strings.TrimPrefix(s, "/"), "/") {
		if part == "." || part == ".." {
			return errors.New("has a . or .. in it")
		}
		if err := checkPart(part); err != nil {
			return err
		}
	}
	return nil
}

func checkPart(s string) error {
	if _, err := path.Match(s, ""); err != nil || s == "" {
		return errors.New("is no pattern")
	}
	if len(s) > maxValue || slices.ContainsFunc([]rune(s), isControl) {
		return errors.New("is no name of a file")
	}
	return nil
}
