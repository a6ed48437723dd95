// Package python holds the values of the Python packaging standards: names,
// versions, specifiers, markers, requirements, tags, METADATA, RECORD.
//
// It is pure: it parses bytes and compares values, and never reads a file. What
// users write is parsed strictly, what is published on an index leniently, as
// pip does. The reference for grammar and meaning is the packaging library 26.3.
//
// All values are immutable once made, so they may be shared by goroutines.
package python

import "strconv"

// Pos is a place in a file. The zero Pos is nowhere.
type Pos struct {
	File string
	Line int // 1-based; 0 when the file as a whole is meant
}

// String returns "file:line", "file", or "" for the zero Pos.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}
