package python

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"
)

// Metadata is what a METADATA or PKG-INFO file says (core metadata).
type Metadata struct {
	MetadataVersion                     string
	Name                                Name
	RawName                             string
	Version                             Version
	Summary, License, LicenseExpression string
	LicenseFiles                        []string
	Classifiers                         []string
	// RequiresPython is the zero value, which admits everything, if the field
	// is missing or no set of specifiers; what it says then is in
	// InvalidRequiresPython.
	RequiresPython        Specifiers
	InvalidRequiresPython string
	RequiresDist          []Requirement
	ProvidesExtra         []Name
	Dynamic               []string // lower case
}

// MetadataError tells which field of core metadata is wrong.
type MetadataError struct {
	Field, Value string
	Err          error // nil if the field is missing
}

// Error names the field and what is wrong with it.
func (e *MetadataError) Error() string {
	if e.Err == nil {
		return "metadata has no " + e.Field
	}
	return fmt.Sprintf("metadata field %s: %v", e.Field, e.Err)
}

// Unwrap returns what is wrong with the value.
func (e *MetadataError) Unwrap() error { return e.Err }

// maxMetadata bounds METADATA, PKG-INFO and requires.txt: the largest published
// one is below a megabyte.
const maxMetadata = 16 << 20

// maxRequiresDist bounds the requirements of one version; the most that is
// published is some 1,500.
const maxRequiresDist = 50_000

// ParseMetadata reads core metadata leniently, as pip does: a broken
// requires-dist line is an error, a broken requires-python is ignored. Only the
// fields are read, not the text behind them. The error is a *MetadataError; if
// the field is Requires-Dist, everything but the broken lines is returned as
// well.
func ParseMetadata(b []byte) (*Metadata, error) { return parseMetadata(b, ParseRequirementLenient) }

// MetadataParser reads the metadata of many versions: requirements that are
// written alike are parsed once, and share what they point to. The zero value is
// ready; safe for several goroutines.
type MetadataParser struct {
	mu    sync.Mutex
	known map[string]Requirement
}

// Parse is [ParseMetadata]. What it returns must not be changed.
func (p *MetadataParser) Parse(b []byte) (*Metadata, error) { return parseMetadata(b, p.requirement) }

func (p *MetadataParser) requirement(line string) (Requirement, error) {
	p.mu.Lock()
	r, ok := p.known[line]
	p.mu.Unlock()
	if ok {
		return r, nil
	}
	r, err := ParseRequirementLenient(line)
	if err != nil {
		return r, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[string]Requirement{}
	}
	p.known[line] = r
	return r, nil
}

// parseMetadata reads core metadata, its requirements with the given function.
func parseMetadata(b []byte, parse func(string) (Requirement, error)) (*Metadata, error) {
	if len(b) > maxMetadata {
		return nil, fmt.Errorf("metadata is larger than %d bytes", maxMetadata)
	}
	m := &Metadata{}
	var hasVersion bool
	var broken error
	head := headerPart(b)
	if n := bytes.Count(head, []byte("\nRequires-Dist:")); n > 0 {
		m.RequiresDist = make([]Requirement, 0, min(n, maxRequiresDist))
	}
	headers := headerReader{rest: string(head)}
	for field, value, ok := headers.next(); ok; field, value, ok = headers.next() {
		var err error
		switch {
		case foldEqual(field, "name") && m.RawName == "":
			m.RawName = value
			m.Name, err = ParseName(value)
		case foldEqual(field, "version") && !hasVersion:
			hasVersion = true
			m.Version, err = ParseVersion(value)
		case foldEqual(field, "requires-dist"):
			if err := m.addRequirement(value, parse); err != nil && broken == nil {
				broken = err
			}
		default:
			m.set(field, value)
		}
		if err != nil {
			return nil, &MetadataError{Field: field, Value: value, Err: err}
		}
	}
	switch {
	case m.RawName == "":
		return nil, &MetadataError{Field: "Name"}
	case !hasVersion:
		return nil, &MetadataError{Field: "Version"}
	}
	return m, broken
}

// headerPart returns b up to the first empty line, without a byte order mark, so
// that the text behind the fields costs nothing.
func headerPart(b []byte) []byte {
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	for _, end := range []string{"\n\n", "\n\r\n", "\r\r"} {
		if i := bytes.Index(b, []byte(end)); i >= 0 {
			b = b[:i]
		}
	}
	return b
}

func (m *Metadata) addRequirement(value string, parse func(string) (Requirement, error)) error {
	if len(m.RequiresDist) == maxRequiresDist {
		return &MetadataError{Field: "Requires-Dist", Err: fmt.Errorf("more than %d of them", maxRequiresDist)}
	}
	r, err := parse(value)
	if err != nil {
		return &MetadataError{Field: "Requires-Dist", Value: value, Err: err}
	}
	m.RequiresDist = append(m.RequiresDist, r)
	return nil
}

// set stores a field that cannot be wrong, or whose errors do not count.
func (m *Metadata) set(field, value string) {
	var lower [40]byte
	if len(field) > len(lower) {
		return
	}
	for i := range len(field) {
		lower[i] = field[i]
		if 'A' <= field[i] && field[i] <= 'Z' {
			lower[i] |= 0x20
		}
	}
	switch string(lower[:len(field)]) {
	case "metadata-version":
		m.MetadataVersion = value
	case "summary":
		m.Summary = value
	case "license":
		m.License = value
	case "license-expression":
		m.LicenseExpression = value
	case "license-file":
		m.LicenseFiles = append(m.LicenseFiles, value)
	case "classifier":
		m.Classifiers = append(m.Classifiers, value)
	case "dynamic":
		m.Dynamic = append(m.Dynamic, strings.ToLower(value))
	case "provides-extra":
		if value != "" {
			m.ProvidesExtra = append(m.ProvidesExtra, NormalizeName(value))
		}
	case "requires-python":
		if s, err := ParseSpecifiersLenient(value); err == nil {
			m.RequiresPython = s
		} else {
			m.InvalidRequiresPython = value
		}
	}
}

// headerReader reads fields in the format of mail headers, ending where Python's
// mail parser ends them: at an empty line or one that is no field.
type headerReader struct{ rest string }

// next returns the next field. Folded lines are joined by a line feed and the
// blanks before them are dropped.
func (h *headerReader) next() (field, value string, ok bool) {
	line := h.line()
	colon := strings.IndexByte(line, ':')
	if colon <= 0 {
		return "", "", false
	}
	for i := range colon {
		if line[i] <= ' ' || line[i] > '~' {
			return "", "", false
		}
	}
	value = strings.Trim(line[colon+1:], " \t")
	if h.isFolded() {
		var folded strings.Builder
		folded.WriteString(value)
		for h.isFolded() {
			folded.WriteString("\n" + strings.Trim(h.line(), " \t"))
		}
		value = folded.String()
	}
	if !utf8.ValidString(value) {
		value = decodeText([]byte(value))
	}
	return line[:colon], value, true
}

// isFolded tells whether the next line continues the field.
func (h *headerReader) isFolded() bool {
	return h.rest != "" && (h.rest[0] == ' ' || h.rest[0] == '\t')
}

// line takes the next line, which ends with LF, CR LF or CR.
func (h *headerReader) line() string {
	i := strings.IndexByte(h.rest, '\n')
	if r := strings.IndexByte(h.rest[:max(i, 0)], '\r'); i < 0 || r >= 0 {
		i = strings.IndexAny(h.rest, "\r\n")
	}
	if i < 0 {
		line := h.rest
		h.rest = ""
		return line
	}
	line := h.rest[:i]
	if strings.HasPrefix(h.rest[i:], "\r\n") {
		i++
	}
	h.rest = h.rest[i+1:]
	return line
}

// decodeText returns b as text: UTF-8, or Latin-1 if it is not that, which is
// what old files are in.
func decodeText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}

// foldEqual tells whether s is lower in any case; lower is ASCII.
func foldEqual(s, lower string) bool {
	return len(s) == len(lower) && hasPrefixFold(s, lower)
}
