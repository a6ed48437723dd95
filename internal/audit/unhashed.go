package audit

import (
	"bytes"

	"github.com/pelletier/go-toml/v2"
)

// Unhashed returns the text of a lock in which files without hashes have one of
// the algorithm NoHash, so that a reader which insists on hashes, as PEP 751 does,
// takes the file and the rule no-hash can name them. ok is false if there are
// none, or if this is no TOML.
func Unhashed(text []byte) (mended []byte, ok bool) {
	if !isShallow(text) {
		return nil, false
	}
	var doc map[string]any
	if err := toml.Unmarshal(text, &doc); err != nil {
		return nil, false
	}
	list, _ := doc["packages"].([]any)
	for _, p := range list {
		entry, _ := p.(map[string]any)
		wheels, _ := entry["wheels"].([]any)
		for _, file := range append([]any{entry["sdist"], entry["archive"]}, wheels...) {
			f, isTable := file.(map[string]any)
			if !isTable {
				continue
			}
			hashes, there := f["hashes"]
			if h, isTable := hashes.(map[string]any); !there || isTable && len(h) == 0 {
				f["hashes"] = map[string]any{NoHash: "0"}
				ok = true
			}
		}
	}
	if !ok {
		return nil, false
	}
	mended, err := toml.Marshal(doc)
	return mended, err == nil
}

// maxDepth bounds the nesting of what is decoded here; a real lock has five.
const maxDepth = 64

// isShallow tells whether a recursive decoder can take the text: brackets and
// dots outside of quotes and comments.
func isShallow(text []byte) bool {
	depth, dots := 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '#':
			i = seek(text, i, '\n')
		case '"', '\'':
			i = endOfQuote(text, i)
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		case '.':
			dots++
		case '\n', ',', '=':
			dots = 0
		}
		if depth > maxDepth || dots > maxDepth {
			return false
		}
	}
	return true
}

func seek(text []byte, from int, c byte) int {
	if n := bytes.IndexByte(text[from:], c); n >= 0 {
		return from + n
	}
	return len(text)
}

// endOfQuote returns the place of the last quote of the text that begins at i.
func endOfQuote(text []byte, i int) int {
	quote := text[i : i+1]
	if triple := bytes.Repeat(quote, 3); bytes.HasPrefix(text[i:], triple) {
		quote = triple
	}
	for k := i + len(quote); k < len(text); k++ {
		switch {
		case quote[0] == '"' && text[k] == '\\':
			k++
		case bytes.HasPrefix(text[k:], quote):
			return k + len(quote) - 1
		}
	}
	return len(text)
}
