package pypi

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// rawPage is a page as its format has it, before its rows are looked at.
type rawPage struct {
	apiVersion           string
	status, statusReason string
	base                 string // of relative URLs, "" for the page's own
	rows                 []rawRow
}

// maxRows bounds the rows of a page: in memory a row takes more than the three
// bytes that it may have on the page. The longest known pages have 60,000.
const maxRows = 300_000

// rawRow is one row of a page.
type rawRow struct {
	File          // URL as written, Hashes as written
	broken   bool // a field of the wrong type
	fragment bool // URL may hold a hash behind "#" (HTML only)
}

// parseJSON reads the JSON of PEP 691. The page shares the bytes of b.
func parseJSON(b []byte) (*rawPage, error) {
	s := &scanner{b: b}
	p := &rawPage{}
	seen := false
	s.object(func(key []byte) {
		switch string(key) {
		case "meta":
			s.meta(p)
		case "project-status": // PEP 792
			s.status(p)
		case "files":
			if seen {
				s.fail("a second list of files")
				return
			}
			seen = true
			p.rows = make([]rawRow, 0, min(bytes.Count(b[s.i:], []byte(`"filename"`)), maxRows))
			s.array(func() {
				if len(p.rows) == maxRows {
					s.fail(fmt.Sprintf("more than %d files", maxRows))
					return
				}
				p.rows = append(p.rows, s.row())
			})
		default:
			s.skip()
		}
	})
	s.end()
	if s.err != nil {
		return nil, fmt.Errorf("not the JSON of PEP 691: %w", s.err)
	}
	if !seen {
		return nil, errors.New("not the JSON of PEP 691: no list of files")
	}
	return p, checkAPIVersion(p.apiVersion)
}

// checkAPIVersion refuses another major version (PEP 629). A missing one is 1.0.
func checkAPIVersion(v string) error {
	if v == "" {
		return nil
	}
	if major, _, _ := strings.Cut(v, "."); major != "1" {
		return fmt.Errorf("API version %.20q is not supported, only 1.x is", v)
	}
	return nil
}

func (s *scanner) meta(p *rawPage) {
	if s.peek() != '{' {
		s.skip()
		return
	}
	s.object(func(key []byte) {
		if string(key) == "api-version" {
			p.apiVersion, _ = s.text()
			return
		}
		s.skip()
	})
}

func (s *scanner) status(p *rawPage) {
	if s.peek() != '{' {
		s.skip()
		return
	}
	s.object(func(key []byte) {
		switch string(key) {
		case "status":
			p.status, _ = s.text()
		case "reason":
			p.statusReason, _ = s.textOrNull()
		default:
			s.skip()
		}
	})
}

// row reads an element of "files". What has the wrong type breaks the row, not
// the page.
func (s *scanner) row() (r rawRow) {
	if s.peek() != '{' {
		s.skip()
		r.broken = true
		return r
	}
	newName := false // core-metadata, which goes before dist-info-metadata (PEP 714)
	s.object(func(key []byte) {
		ok := true
		switch string(key) {
		case "filename":
			r.Name, ok = s.text()
		case "url":
			r.URL, ok = s.text()
		case "hashes":
			r.Hashes, ok = s.hashes()
		case "requires-python":
			r.RequiresPython, ok = s.textOrNull()
		case "size":
			r.Size, ok = s.size()
		case "upload-time":
			r.Uploaded, ok = s.time()
		case "yanked":
			r.Yanked, r.YankedReason = s.yanked()
		case "core-metadata":
			newName = true
			r.CoreMetadata = s.coreMetadata()
		case "dist-info-metadata":
			if m := s.coreMetadata(); !newName {
				r.CoreMetadata = m
			}
		default:
			s.skip()
		}
		r.broken = r.broken || !ok
	})
	return r
}

// hashes reads {"sha256": "..."}.
func (s *scanner) hashes() (map[string]string, bool) {
	if s.peek() != '{' {
		s.skip()
		return nil, false
	}
	m, ok := make(map[string]string, 1), true
	s.object(func(key []byte) {
		algorithm := strings.ToLower(string(key[:min(len(key), 8)]))
		if _, known := digestLen[algorithm]; !known {
			s.skip() // what nobody checks protects nobody
			return
		}
		v, isText := s.text()
		m[algorithm], ok = v, ok && isText
	})
	return m, ok
}

func (s *scanner) size() (int64, bool) {
	switch c := s.peek(); {
	case c == 'n':
		s.literal("null")
		return 0, s.err == nil
	case c == '-' || '0' <= c && c <= '9':
		n, err := strconv.ParseInt(string(s.number()), 10, 64)
		return n, err == nil && n >= 0
	}
	s.skip()
	return 0, false
}

// time reads an upload time (PEP 700); one that cannot be read counts as
// unknown.
func (s *scanner) time() (time.Time, bool) {
	text, ok := s.textOrNull()
	if text == "" || !ok {
		return time.Time{}, ok
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, true
	}
	return t.UTC(), true
}

// yanked reads a boolean or a reason (PEP 592). Anything else counts as yanked:
// somebody wanted to say something.
func (s *scanner) yanked() (bool, string) {
	switch s.peek() {
	case 'f':
		s.literal("false")
		return false, ""
	case 'n':
		s.literal("null")
		return false, ""
	case '"':
		reason, _ := s.text()
		return true, strings.ToValidUTF8(reason, string(utf8.RuneError))
	}
	s.skip()
	return true, ""
}

// coreMetadata reads a boolean or hashes (PEP 658, 714).
func (s *scanner) coreMetadata() map[string]string {
	switch s.peek() {
	case 't':
		s.literal("true")
		return map[string]string{}
	case '{':
		if m, ok := s.hashes(); ok {
			return m
		}
		return map[string]string{}
	}
	s.skip()
	return nil
}
