package main

import (
	"encoding/json"
	"strings"
)

// words reads a command: a JSON list as it is, else words as a shell would split
// them, with its quotes. No shell runs it, so that what only a shell can do is
// refused and not taken literally.
func words(flag, s string) (*[]string, error) {
	out := []string{}
	if strings.HasPrefix(strings.TrimSpace(s), "[") {
		if err := json.Unmarshal([]byte(s), &out); err != nil {
			return nil, usagef("", "%s %q is not a JSON list of strings: %v", flag, s, err)
		}
		return &out, nil
	}
	var word strings.Builder
	open, escaped, started := rune(0), false, false
	for _, c := range s {
		switch {
		case escaped:
			if open == '"' && !strings.ContainsRune("\"\\$`", c) {
				word.WriteByte('\\')
			}
			word.WriteRune(c)
			escaped = false
		case c == '\\' && open != '\'':
			escaped, started = true, true
		case open != 0 && c == open:
			open = 0
		case open == 0 && (c == '"' || c == '\''):
			open, started = c, true
		case open == 0 && (c == ' ' || c == '\t' || c == '\n'):
			if started {
				out = append(out, word.String())
			}
			word.Reset()
			started = false
		case open != '\'' && (c == '$' || c == '`') || open == 0 && strings.ContainsRune("|&;<>()", c):
			return nil, usagef(`["/bin/sh", "-c", "..."] runs a shell, if the image has one`,
				"%s %q: %q means something to a shell only, and none runs it", flag, s, c)
		default:
			word.WriteRune(c)
			started = true
		}
	}
	if open != 0 || escaped {
		return nil, usagef(`write it as a JSON list: ["python3", "-m", "app"]`, "%s %q: a quote is not closed", flag, s)
	}
	if started {
		out = append(out, word.String())
	}
	return &out, nil
}
