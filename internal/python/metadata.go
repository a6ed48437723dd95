package python

import (
	"bytes"
	"fmt"
	"strings"
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

// ParseMetadata reads core metadata leniently, as pip does: a broken
// requires-dist line is an error, a broken requires-python is ignored. Only the
// fields are read, not the text behind them. The error is a *MetadataError; if
// the field is Requires-Dist, everything but the broken lines is returned as
// well.
func ParseMetadata(b []byte) (*Metadata, error) {
	if len(b) > maxMetadata {
		return nil, fmt.Errorf("metadata is larger than %d bytes", maxMetadata)
	}
	m := &Metadata{}
	var hasVersion bool
	var broken error
	headers := headerReader{rest: bytes.TrimPrefix(b, []byte("\ufeff"))}
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
			if err := m.addRequirement(value); err != nil && broken == nil {
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

func (m *Metadata) addRequirement(value string) error {
	r, err := ParseRequirementLenient(value)
	if err != nil {
		return &MetadataError{Field: "Requires-Dist", Value: value, Err: err}
	}
	m.RequiresDist = append(m.RequiresDist, r)
	return nil
}

// set stores a field that cannot be wrong, or whose errors do not count.
func (m *Metadata) set(field, value string) {
	switch strings.ToLower(field) {
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
type headerReader struct{ rest []byte }

// next returns the next field. Folded lines are joined by a line feed and the
// blanks before them are dropped.
func (h *headerReader) next() (field, value string, ok bool) {
	line := h.line()
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return "", "", false
	}
	for _, c := range line[:colon] {
		if c <= ' ' || c > '~' {
			return "", "", false
		}
	}
	value = decodeText(bytes.Trim(line[colon+1:], " \t"))
	var folded strings.Builder
	for len(h.rest) > 0 && (h.rest[0] == ' ' || h.rest[0] == '\t') {
		if folded.Len() == 0 {
			folded.WriteString(value)
		}
		folded.WriteString("\n" + decodeText(bytes.Trim(h.line(), " \t")))
	}
	if folded.Len() > 0 {
		value = folded.String()
	}
	return string(line[:colon]), value, true
}

// line takes the next line, which ends with LF, CR LF or CR.
func (h *headerReader) line() []byte {
	i := bytes.IndexAny(h.rest, "\r\n")
	if i < 0 {
		line := h.rest
		h.rest = nil
		return line
	}
	line := h.rest[:i]
	if h.rest[i] == '\r' && i+1 < len(h.rest) && h.rest[i+1] == '\n' {
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
