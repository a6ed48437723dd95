package python

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// SyntaxError tells what is wrong with a requirement or marker.
type SyntaxError struct {
	// Kind is one word for the kind of error, such as "name", "url",
	// "extras-close" or "marker-op".
	Kind string
	// Column is the place in Text in characters, 1-based.
	Column int
	Text   string
	Reason string
}

// Error tells the reason, the text and the column.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%q, column %d: %s", clip(e.Text), e.Column, e.Reason)
}

// parser reads requirements and markers from left to right.
type parser struct {
	text  string
	pos   int
	terms int // of markers, to bound them
	// resplit are the specifiers if they have to be read once more as a set.
	resplit string
}

func (p *parser) fail(kind string, at int, reason string) error {
	return &SyntaxError{Kind: kind, Column: utf8.RuneCountInString(p.text[:at]) + 1, Text: p.text, Reason: reason}
}

// blanks skips blanks and tabs, which is all the white space of the grammar.
func (p *parser) blanks() {
	for p.pos < len(p.text) && (p.text[p.pos] == ' ' || p.text[p.pos] == '\t') {
		p.pos++
	}
}

// char takes c if it comes next.
func (p *parser) char(c byte) bool {
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

// word takes w if it comes next as a whole word.
func (p *parser) word(w string) bool {
	if strings.HasPrefix(p.text[p.pos:], w) && p.atBoundary() && boundary(p.text, p.pos+len(w)) {
		p.pos += len(w)
		return true
	}
	return false
}

func (p *parser) atBoundary() bool { return boundary(p.text, p.pos) }

// identifier takes the name that comes next; "" if there is none.
func (p *parser) identifier() string {
	name := p.peekIdentifier()
	p.pos += len(name)
	return name
}

// peekIdentifier returns the longest run of characters of names that begins and
// ends at a word boundary.
func (p *parser) peekIdentifier() string {
	if p.pos == len(p.text) || !isAlnum(p.text[p.pos]) || !p.atBoundary() {
		return ""
	}
	end := p.pos + 1
	for end < len(p.text) && (isAlnum(p.text[end]) || isSeparator(p.text[end])) {
		end++
	}
	for end > p.pos && !boundary(p.text, end) {
		end--
	}
	return p.text[p.pos:end]
}
