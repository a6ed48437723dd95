package tomltext

// maxDepth is how deep brackets may nest, and how many dots a key may have. The largest
// lock files and pyproject.toml of the field nest five deep; the parser recurses.
const maxDepth = 200

// tooDeep returns the line in which the text nests too deeply, 0 if it does not: brackets
// outside of texts and comments count, and dots within a key.
func tooDeep(b []byte) int {
	depth, dots, line := 0, 0, 1
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\n':
			line, dots = line+1, 0
		case '#':
			for i+1 < len(b) && b[i+1] != '\n' {
				i++
			}
		case '"', '\'':
			end := endOfText(b, i)
			for ; i < end; i++ {
				if b[i] == '\n' {
					line++
				}
			}
			if i < len(b) && b[i] == '\n' { // no text, but the line ends
				line, dots = line+1, 0
			}
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		case '.':
			dots++
		case ',', '=':
			dots = 0
		}
		if depth > maxDepth || dots > maxDepth {
			return line
		}
	}
	return 0
}

// endOfText returns the place of the last quote of the text that begins at i, of the line's
// end if it has no last quote, or len(b).
func endOfText(b []byte, i int) int {
	q := b[i]
	if i+2 < len(b) && b[i+1] == q && b[i+2] == q {
		return endOfLines(b, i+3, q)
	}
	for k := i + 1; k < len(b); k++ {
		if q == '"' && b[k] == '\\' {
			k++
		} else if b[k] == q || b[k] == '\n' {
			return k
		}
	}
	return len(b)
}

// endOfLines is endOfText for a text of several lines, whose content begins at k. Before
// the three quotes that end it, such a text may have two of its own.
func endOfLines(b []byte, k int, q byte) int {
	for ; k < len(b); k++ {
		if q == '"' && b[k] == '\\' {
			k++
		} else if b[k] == q && k+2 < len(b) && b[k+1] == q && b[k+2] == q {
			end := k + 2
			for n := 0; n < 2 && end+1 < len(b) && b[end+1] == q; n++ {
				end++
			}
			return end
		}
	}
	return len(b)
}
