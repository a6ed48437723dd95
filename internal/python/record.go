package python

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// RecordEntry is a line of RECORD (PEP 376, 427, 627).
type RecordEntry struct {
	Path              string // as written
	Algorithm, Digest string // "sha256" and lower-case hex, or both ""
	Size              int64  // -1 if not given
}

// Bounds of RECORD: the largest published ones have some 20,000 lines.
const (
	maxRecord      = 256 << 20
	maxRecordLines = 2_000_000
)

// ParseRecord reads RECORD, which is CSV with up to three columns. Hash and size
// may be missing. A hash is given as hexadecimal digits, whatever its algorithm.
func ParseRecord(b []byte) ([]RecordEntry, error) {
	if len(b) > maxRecord {
		return nil, fmt.Errorf("RECORD is larger than %d bytes", maxRecord)
	}
	rows := csvReader{rest: strings.TrimPrefix(decodeText(b), "\ufeff"), line: 1}
	var out []RecordEntry
	for {
		line := rows.line
		row, ok := rows.next()
		if !ok {
			return out, nil
		}
		if len(row) == 1 && row[0] == "" {
			continue
		}
		e, err := recordEntry(row)
		if err != nil {
			return nil, fmt.Errorf("RECORD:%d: %w", line, err)
		}
		if out = append(out, e); len(out) > maxRecordLines {
			return nil, fmt.Errorf("RECORD has more than %d entries", maxRecordLines)
		}
	}
}

func recordEntry(row []string) (RecordEntry, error) {
	e := RecordEntry{Path: row[0], Size: -1}
	if e.Path == "" {
		return e, fmt.Errorf("path is empty")
	}
	if len(row) > 3 {
		return e, fmt.Errorf("%d columns, not 3", len(row))
	}
	if len(row) > 1 && row[1] != "" {
		algorithm, text, ok := strings.Cut(row[1], "=")
		digest, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
		if !ok || err != nil || algorithm == "" || len(digest) == 0 {
			return e, fmt.Errorf("%s: hash %q is not ALGORITHM=BASE64", strconv.Quote(clip(e.Path)), clip(row[1]))
		}
		e.Algorithm, e.Digest = strings.ToLower(algorithm), hex.EncodeToString(digest)
	}
	if len(row) > 2 && row[2] != "" {
		size, err := strconv.ParseInt(row[2], 10, 64)
		if err != nil || size < 0 {
			return e, fmt.Errorf("%s: size %q is no number", strconv.Quote(clip(e.Path)), clip(row[2]))
		}
		e.Size = size
	}
	return e, nil
}

// csvReader reads CSV as Python's csv module does: a field that begins with a
// quote ends with one, and two quotes within it stand for one.
type csvReader struct {
	rest string
	line int // of the next row, 1-based
	row  []string
}

// next returns the next row; an empty line is a row with one empty field. The
// row is valid until the next call.
func (r *csvReader) next() (row []string, ok bool) {
	if r.rest == "" {
		return nil, false
	}
	r.row = r.row[:0]
	for {
		field, more := r.field()
		r.row = append(r.row, field)
		// A row of commas only is cut, so that it cannot use much memory.
		if !more || len(r.row) > 16 {
			return r.row, true
		}
	}
}

// field returns the next field, and whether another one of the same row follows.
func (r *csvReader) field() (field string, more bool) {
	quoted := r.quoted()
	end := strings.IndexAny(r.rest, ",\r\n")
	if end < 0 {
		field, r.rest = quoted+r.rest, ""
		return field, false
	}
	field = quoted + r.rest[:end]
	more = r.rest[end] == ','
	if !more {
		r.line++
		if strings.HasPrefix(r.rest[end:], "\r\n") {
			end++
		}
	}
	r.rest = r.rest[end+1:]
	return field, more
}

// quoted takes the part of a field that is in quotes, "" if there is none.
func (r *csvReader) quoted() string {
	if !strings.HasPrefix(r.rest, `"`) {
		return ""
	}
	var b strings.Builder
	for strings.HasPrefix(r.rest, `"`) {
		if b.Len() > 0 {
			b.WriteByte('"')
		}
		text, rest, closed := strings.Cut(r.rest[1:], `"`)
		b.WriteString(text)
		r.line += strings.Count(text, "\n")
		r.rest = rest
		if !closed {
			break
		}
	}
	return b.String()
}
