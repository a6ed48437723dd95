package python

import (
	"fmt"
	"strings"
)

// Name is a project name in its normal form (PEP 503), so == is right. Names of
// extras have the same form (PEP 685).
type Name string

// ParseName returns the normal form of a name, or an error if it is no name:
// letters, digits, dot, hyphen and underscore of ASCII, the first and the last
// one a letter or digit.
func ParseName(s string) (Name, error) {
	if s == "" || !isAlnum(s[0]) || !isAlnum(s[len(s)-1]) {
		return "", fmt.Errorf("%q is no project name", clip(s))
	}
	for i := 1; i < len(s)-1; i++ {
		if !isAlnum(s[i]) && s[i] != '-' && s[i] != '_' && s[i] != '.' {
			return "", fmt.Errorf("%q is no project name", clip(s))
		}
	}
	return NormalizeName(s), nil
}

// NormalizeName returns the normal form of a name without judging whether it is
// one: lower case, each run of hyphens, underscores and dots one hyphen.
func NormalizeName(s string) Name {
	if isNormal(s) {
		return Name(s)
	}
	s = strings.ToLower(s)
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '-' && c != '_' && c != '.' {
			b = append(b, c)
		} else if len(b) == 0 || b[len(b)-1] != '-' {
			b = append(b, '-')
		}
	}
	return Name(b)
}

// isNormal tells whether s is surely in normal form; it is the common case and
// costs no copy.
func isNormal(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case isDigit(c), 'a' <= c && c <= 'z':
		case c == '-' && (i == 0 || s[i-1] != '-'):
		default:
			return false
		}
	}
	return true
}
