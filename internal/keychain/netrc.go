package keychain

import (
	"net"
	"path/filepath"
	"strings"
)

// maxNetrc bounds a netrc file.
const maxNetrc = 1 << 20

// Netrc reads the file that NETRC names, or ~/.netrc or ~/_netrc, and returns a
// function that tells user and password for a host, with or without a port.
// An entry "default" is for every host. A file that is not there, not readable
// or larger than 1 MiB knows nobody. The function may be called by several
// goroutines.
func Netrc(environ Environ) func(host string) (user, password string, ok bool) {
	var paths []string
	if path, ok := environ("NETRC"); ok && path != "" {
		paths = []string{path}
	} else {
		for _, v := range []string{"HOME", "USERPROFILE"} {
			if home, ok := environ(v); ok && home != "" {
				paths = append(paths, filepath.Join(home, ".netrc"), filepath.Join(home, "_netrc"))
			}
		}
	}
	var machines map[string]machine
	for _, path := range paths {
		if data, err := readFile(path, maxNetrc); err == nil {
			machines = parseNetrc(string(data))
			break
		}
	}
	return func(host string) (user, password string, ok bool) {
		host = strings.ToLower(host)
		m, ok := machines[host]
		if !ok {
			if name, _, err := net.SplitHostPort(host); err == nil {
				m, ok = machines[name]
			}
		}
		if !ok {
			m, ok = machines[""]
		}
		return m.login, m.password, ok && (m.login != "" || m.password != "")
	}
}

// machine is an entry; the key of the one called default is "".
type machine struct{ login, password string }

// parseNetrc reads as much as it understands: like pip, the last of several
// entries for one host counts; a word that is no keyword ends the entry.
func parseNetrc(text string) map[string]machine {
	all := make(map[string]machine)
	l := netrcLexer{rest: text}
	for {
		word, ok := l.word()
		if !ok {
			return all
		}
		switch {
		case strings.HasPrefix(word, "#"):
			l.skipLine()
		case word == "machine":
			host, ok := l.word()
			if !ok {
				return all
			}
			all[strings.ToLower(host)] = l.machine()
		case word == "default":
			all[""] = l.machine()
		case word == "macdef":
			l.skipMacro()
		}
	}
}

// netrcLexer splits a netrc into words.
type netrcLexer struct{ rest string }

// machine reads the fields of an entry.
func (l *netrcLexer) machine() machine {
	var m machine
	for {
		before := l.rest
		word, ok := l.word()
		var field *string
		switch {
		case !ok:
			return m
		case strings.HasPrefix(word, "#"):
			l.skipLine()
			continue
		case word == "login" || word == "user":
			field = &m.login
		case word == "password":
			field = &m.password
		case word == "account":
			field = new(string)
		default:
			l.rest = before
			if word != "machine" && word != "default" && word != "macdef" {
				_, _ = l.word()
			}
			return m
		}
		if *field, ok = l.word(); !ok {
			return m
		}
	}
}

// word reads a word, which may be quoted and have characters after a backslash.
func (l *netrcLexer) word() (string, bool) {
	l.rest = strings.TrimLeft(l.rest, " \t\r\n\f")
	if l.rest == "" {
		return "", false
	}
	quoted := l.rest[0] == '"'
	i := 0
	if quoted {
		i = 1
	}
	var b strings.Builder
	for ; i < len(l.rest); i++ {
		c := l.rest[i]
		switch {
		case c == '\\' && i+1 < len(l.rest):
			i++
			c = l.rest[i]
		case quoted && c == '"':
			l.rest = l.rest[i+1:]
			return b.String(), true
		case !quoted && strings.IndexByte(" \t\r\n\f", c) >= 0:
			l.rest = l.rest[i:]
			return b.String(), true
		}
		b.WriteByte(c)
	}
	l.rest = ""
	return b.String(), true
}

// skipLine drops the rest of a line.
func (l *netrcLexer) skipLine() {
	_, l.rest, _ = strings.Cut(l.rest, "\n")
}

// skipMacro drops a macro, which ends with an empty line.
func (l *netrcLexer) skipMacro() {
	for l.rest != "" {
		line, rest, _ := strings.Cut(l.rest, "\n")
		l.rest = rest
		if strings.TrimSpace(line) == "" {
			return
		}
	}
}
