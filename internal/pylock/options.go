package pylock

import (
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// WheelsBy returns the option of the lock that keeps the wheels of a project out,
// as it was given ("--no-binary six", "--source build"), or "" if none is known to.
func (l *Lock) WheelsBy(name python.Name) string {
	if text := l.Distill.Options["no-binary"]; text != "" {
		if c, _, err := python.FormatControls([2]string{"no-binary", text}); err == nil && c.Has(name) {
			return "--no-binary " + text
		}
	}
	if text := l.Distill.Options["source"]; text != "" {
		sources := strings.Split(text, ",")
		for i := range sources {
			sources[i] = strings.TrimSpace(sources[i])
		}
		wheel, build := slices.Index(sources, "wheel"), slices.Index(sources, "build")
		if wheel < 0 || build >= 0 && build < wheel {
			return "--source " + text
		}
	}
	return ""
}
