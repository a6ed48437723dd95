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
	runs := r.Specifiers.Ranges().Runs(p.versions)
	s := make(set, len(runs))
	for i, run := range runs {
		s[i] = span{run[0], run[1]}
	}
	return p.setID(s)
}

// setID returns the number of a set, the same for equal sets.
func (p *pkg) setID(s set) int {
	if len(s) == 1 {
		// Almost all sets are one span, and lock-step packages have thousands.
		if id, ok := p.spans[s[0]]; ok {
			return id
		}
		p.spans[s[0]] = len(p.sets)
	} else {
		for _, id := range p.odd {
			if p.sets[id].equal(s) {
				return id
			}
		}
		p.odd = append(p.odd, len(p.sets))
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
