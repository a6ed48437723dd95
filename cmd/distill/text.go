package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxErrorText bounds one printed error: what a hostile index says must not
// flood the log of a build.
const maxErrorText = 5000

// foreignText returns s as it may be shown on a terminal: control and C1
// characters and those that change the direction of text are escaped, what is
// over max bytes is cut. Line breaks stay.
func foreignText(s string, max int) string {
	var b strings.Builder
	for i, r := range s {
		if b.Len() > max {
			fmt.Fprintf(&b, "... (%d more bytes)", len(s)-i)
			break
		}
		switch {
		case r == '\n':
			b.WriteByte('\n')
		case r == '\t':
			b.WriteByte(' ')
		case r == utf8.RuneError, unicode.IsControl(r), isBidi(r):
			fmt.Fprintf(&b, "\\u%04x", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// foreignLine is foreignText for text that must stay on one line.
func foreignLine(s string, max int) string {
	return strings.ReplaceAll(foreignText(s, max), "\n", " ")
}

// isBidi tells whether r can reorder what is shown around it (Unicode's
// Bidi_Control) or hide in it.
func isBidi(r rune) bool {
	switch {
	case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
		return true
	case r == 0x061C, r == 0x200E, r == 0x200F, r == 0xFEFF, r == 0x2028, r == 0x2029:
		return true
	}
	return false
}

// bytesText shows a size in the decimal units of docker: "16.2 MB".
func bytesText(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1000*1000*1000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f GB", float64(n)/1e9)
}
