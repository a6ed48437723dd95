package resolve

import (
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// admitted returns the number of the set of versions that a requirement admits,
// pre-releases among them: whether to take those is asked when choosing.
func (p *pkg) admitted(r *python.Requirement) int {
	if r.URL != "" || r.Specifiers.IsEmpty() {
		return p.setID(full(int32(len(p.versions))))
	}
	ranges := r.Specifiers.Ranges()
	var s set
	for i, v := range p.versions {
		if !ranges.Contains(v) {
			continue
		}
		if n := len(s); n > 0 && s[n-1].hi == int32(i) {
			s[n-1].hi++
		} else {
			s = append(s, span{int32(i), int32(i) + 1})
		}
	}
	return p.setID(s)
}

// setID returns the number of a set, the same for equal sets.
func (p *pkg) setID(s set) int {
	for i := range p.sets {
		if p.sets[i].equal(s) {
			return i
		}
	}
	p.sets = append(p.sets, s)
	return len(p.sets) - 1
}

// pins tells whether s asks for one version by == or ===, which by PEP 592
// admits a yanked one.
func pins(s python.Specifiers) bool {
	for _, c := range s.All() {
		if text := c.String(); strings.HasPrefix(text, "==") && !strings.HasSuffix(text, ".*") {
			return true
		}
	}
	return false
}
