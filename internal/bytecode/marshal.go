package bytecode

import (
	"encoding/binary"
	"errors"
)

// Normalize takes out of marshalled code, in place, what tells of the process that wrote
// it: CPython marks each object that somebody else knows, too, at that moment, as one
// that later parts may refer to by number. Afterwards those are marked that are
// referred to, and no string like "/" is interned. Python reads an equal object from
// the result.
//
// magic is that of the header. Code that it does not know how to read is an error and
// stays as it is.
func Normalize(code []byte, magic uint16) error {
	m := marshalled{b: code}
	switch {
	case magic >= 3390 && magic < 3400: // 3.7
		m.before, m.objects, m.after = 5*4, 8, 1
	case magic >= 3413 && magic < 3450: // 3.8, 3.9, 3.10
		m.before, m.objects, m.after = 6*4, 8, 1
	case magic >= 3495 && magic < 3650: // 3.11 to 3.14
		m.before, m.objects, m.after = 5*4, 8, 2
	default:
		return errMagic
	}
	if err := m.object(0); err != nil {
		return err
	}
	if m.at != len(code) {
		return errMarshal
	}
	m.renumber()
	return nil
}

var (
	errMagic   = errors.New("byte code of an unknown Python")
	errMarshal = errors.New("byte code is not what marshal writes")
)

// marshalled is a walk over what Python/marshal.c writes in its versions 3 to 5: each
// object is one byte for its type and what the type wants.
type marshalled struct {
	b  []byte
	at int
	// marks are the places of the objects that can be referred to, by number; refs are
	// the places of the numbers that refer.
	marks, refs []int
	// interned are the places of strings of one character that count as interned.
	interned []int
	// A code object has numbers, objects (the last of them before the number of its
	// first line) and objects again.
	before, objects, after int
}

const (
	// maxDepth is MAX_MARSHAL_STACK_DEPTH.
	maxDepth = 2000
	markBit  = 0x80 // FLAG_REF
)

// object walks over one object. The terminator of a dictionary is none.
func (m *marshalled) object(depth int) error {
	kind, err := m.kind()
	if err != nil {
		return err
	}
	if kind == '0' {
		return errMarshal
	}
	return m.rest(kind, depth)
}

// kind reads the byte of a type and remembers it if the object is marked.
func (m *marshalled) kind() (byte, error) {
	if m.at >= len(m.b) {
		return 0, errMarshal
	}
	kind := m.b[m.at]
	if kind&markBit != 0 {
		kind &^= markBit
		switch kind {
		case '0', 'N', 'F', 'T', 'S', '.', 'r': // are never marked, or a number would be missing
			return 0, errMarshal
		}
		m.marks = append(m.marks, m.at)
	}
	m.at++
	return kind, nil
}

// rest walks over what follows the byte of a type.
func (m *marshalled) rest(kind byte, depth int) error {
	if depth > maxDepth {
		return errMarshal
	}
	switch kind {
	case 'N', 'F', 'T', 'S', '.': // None, False, True, StopIteration, Ellipsis
		return nil
	case 'r':
		return m.ref()
	case 'i':
		return m.skip(4)
	case 'I', 'g': // integers and floats of 64 bits
		return m.skip(8)
	case 'y': // complex
		return m.skip(16)
	case 'l':
		return m.long()
	case 's', 't', 'u', 'a', 'A':
		n, err := m.length()
		if err != nil {
			return err
		}
		return m.text(kind, n, 5)
	case 'z', 'Z':
		n, err := m.short()
		if err != nil {
			return err
		}
		return m.text(kind, n, 2)
	case ')':
		n, err := m.short()
		if err != nil {
			return err
		}
		return m.many(n, depth)
	case '(', '[', '<', '>': // tuple, list, set, frozenset
		n, err := m.length()
		if err != nil {
			return err
		}
		return m.many(n, depth)
	case ':': // slice, since 3.14
		return m.many(3, depth)
	case '{':
		return m.dict(depth)
	case 'c':
		return m.code(depth)
	}
	return errMarshal
}

func (m *marshalled) skip(n int) error {
	if n < 0 || n > len(m.b)-m.at {
		return errMarshal
	}
	m.at += n
	return nil
}

// text walks over n bytes after head bytes of type and length. The strings of one
// character up to U+00FF exist once in a process: whether such a one is interned says
// whether anybody had a name of it. What can be a name is always interned.
func (m *marshalled) text(kind byte, n, head int) error {
	at := m.at
	if err := m.skip(n); err != nil {
		return err
	}
	switch {
	case kind == 'Z' && n == 1 && !isNameByte(m.b[at]), kind == 't' && n == 2 && m.b[at]&^1 == 0xc2:
		m.interned = append(m.interned, at-head)
	}
	return nil
}

func isNameByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// short reads a length of one byte.
func (m *marshalled) short() (int, error) {
	if err := m.skip(1); err != nil {
		return 0, err
	}
	return int(m.b[m.at-1]), nil
}

// length reads a length of four bytes, which is below that of the input.
func (m *marshalled) length() (int, error) {
	n, err := m.number()
	if err != nil || n < 0 || n > len(m.b) {
		return 0, errMarshal
	}
	return n, nil
}

func (m *marshalled) number() (int, error) {
	if err := m.skip(4); err != nil {
		return 0, err
	}
	return int(int32(binary.LittleEndian.Uint32(m.b[m.at-4:]))), nil
}

// long is an integer of any size: the number of its digits of 15 bits, with its sign.
func (m *marshalled) long() error {
	n, err := m.number()
	if err != nil {
		return err
	}
	if n < 0 {
		n = -n
	}
	if n > len(m.b) {
		return errMarshal
	}
	return m.skip(2 * n)
}

func (m *marshalled) ref() error {
	at := m.at
	n, err := m.number()
	if err != nil || n < 0 || n >= len(m.marks) {
		return errMarshal
	}
	m.refs = append(m.refs, at)
	return nil
}

func (m *marshalled) many(n, depth int) error {
	for range n {
		if err := m.object(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

// dict is keys and values, and at the end a null in place of a key.
func (m *marshalled) dict(depth int) error {
	for {
		kind, err := m.kind()
		if err != nil {
			return err
		}
		if kind == '0' {
			return nil
		}
		if err := m.rest(kind, depth+1); err != nil {
			return err
		}
		if err := m.object(depth + 1); err != nil {
			return err
		}
	}
}

func (m *marshalled) code(depth int) error {
	if err := m.skip(m.before); err != nil {
		return err
	}
	if err := m.many(m.objects, depth); err != nil {
		return err
	}
	if err := m.skip(4); err != nil {
		return err
	}
	return m.many(m.after, depth)
}

// renumber leaves marks on what is referred to and counts those anew.
func (m *marshalled) renumber() {
	for _, at := range m.interned {
		switch m.b[at] &^ markBit {
		case 'Z':
			m.b[at] ^= 'Z' ^ 'z'
		case 't':
			m.b[at] ^= 't' ^ 'u'
		}
	}
	used := make([]bool, len(m.marks))
	for _, at := range m.refs {
		used[binary.LittleEndian.Uint32(m.b[at:])] = true
	}
	number := make([]uint32, len(m.marks))
	next := uint32(0)
	for i, at := range m.marks {
		if !used[i] {
			m.b[at] &^= markBit
			continue
		}
		number[i] = next
		next++
	}
	for _, at := range m.refs {
		binary.LittleEndian.PutUint32(m.b[at:], number[binary.LittleEndian.Uint32(m.b[at:])])
	}
}
