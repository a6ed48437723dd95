package plan

import (
	"slices"
	"strings"
)

// odbcFile is where unixODBC's driver manager looks for drivers by name.
const odbcFile = "etc/odbcinst.ini"

// drivers brings the libraries that a new odbcinst.ini names: the driver manager opens
// them by what stands there.
func (n *native) drivers() (again bool, err error) {
	l := n.laid[odbcFile]
	if l == nil || l.present || n.loads.seen[odbcFile] {
		return false, nil
	}
	n.loads.seen[odbcFile] = true
	text, err := l.file.ReadAll(maxScript)
	if err != nil {
		return false, err
	}
	for _, name := range odbcLibraries(string(text)) {
		came, _, err := n.load(l, name, "", false)
		if err != nil {
			return false, err
		}
		again = again || came
	}
	return again, nil
}

// odbcLibraries returns the values of Driver, Setup and their 64-bit kind in all sections.
func odbcLibraries(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "driver", "driver64", "setup", "setup64":
			if value = strings.TrimSpace(value); value != "" && !slices.Contains(out, value) {
				out = append(out, value)
			}
		}
	}
	return out
}
