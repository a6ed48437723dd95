package resolve

import (
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// advice is something that could be done about requirements that can't be met.
type advice struct {
	text string
	pre  bool // text is to admit pre-releases, which can be tried
	// pin of name is to be asked for as well, in the words of pinText.
	name    python.Name
	pin     python.Specifiers
	pinText string
	near    *nearby
}

// nearby asks for the version closest to one that can't be had.
type nearby struct {
	to    python.Version
	where string // the platform that fails
	other func(python.Version) bool
}

// mostTried is how many pieces of advice are tried.
const mostTried = 6

// advise fills the hints of n with the advice that helps: each is followed, and
// left out if what it speaks of is in the way still.
func (s *search) advise(n *NoSolution) {
	tried := 0
	helps := func(name python.Name, change func(*Request)) bool {
		tried++
		return tried > mostTried || s.helps(name, change)
	}
	add := func(text string) {
		if text != "" && !slices.Contains(n.hints, text) {
			n.hints = append(n.hints, text)
		}
	}
	for _, a := range n.advice {
		switch {
		case a.near != nil:
			if v, ok := s.closest(a.name, a.near); ok && helps(a.name, pinning(a.name, v)) {
				add(fmt.Sprintf("%s %s can be had for %s: allow that version", a.name, v, a.near.where))
			}
		case a.name != "":
			var ways []string
			if a.pre && helps(a.name, func(r *Request) { r.Options.Pre = true }) {
				ways = append(ways, a.text)
			}
			if helps(a.name, asking(a.name, a.pin)) {
				ways = append(ways, a.pinText)
			}
			add(strings.Join(ways, ", or "))
		default:
			add(a.text)
		}
	}
}

// asking adds a requirement.
func asking(name python.Name, s python.Specifiers) func(*Request) {
	return func(r *Request) {
		r.Requirements = append(slices.Clip(r.Requirements), python.Requirement{Name: name, Specifiers: s})
	}
}

// pinning replaces the bounds of all lines about a package by one version.
func pinning(name python.Name, v python.Version) func(*Request) {
	return func(r *Request) {
		pin := exactly(v)
		for _, list := range []*[]python.Requirement{&r.Requirements, &r.Constraints} {
			*list = slices.Clone(*list)
			for i := range *list {
				if (*list)[i].Name == name {
					(*list)[i].Specifiers = pin
				}
			}
		}
	}
}

// helps tells whether a changed request has an answer or, if not, fails without a
// word about name. What is not found out soon may help.
func (s *search) helps(name python.Name, change func(*Request)) bool {
	_, dead, err := s.try(change)
	if err != nil || dead == nil {
		return true
	}
	about := false
	dead.facts(func(f *fact) {
		about = about || f.pkg != nil && f.pkg.name == name || f.dep != nil && f.dep.name == name
	})
	return !about
}

// try solves a changed request. An index that fails only costs the hint.
func (s *search) try(change func(*Request)) (*solver, *clause, error) {
	req := *s.req
	change(&req)
	req.Options.MaxSteps, req.Options.Log = relaxedSteps, nil
	f := newFetcher(s.fetch.src, &req, newPolicy(&req))
	defer f.wait.Wait()
	if err := f.place(); err != nil {
		return nil, nil, err
	}
	try := &search{ctx: s.ctx, fetch: f, req: &req, wide: make(map[python.Name]bool), outgrown: make(map[python.Name]bool)}
	set := try.newSetup()
	return try.solve(set)
}

// closest returns the version of a package closest to what can't be had, newer
// ones first, that is final and can be had on all platforms; if there is none, on
// the one that fails.
func (s *search) closest(name python.Name, n *nearby) (v python.Version, ok bool) {
	shelf, err := s.fetch.shelf(s.ctx, name)
	if err != nil {
		return v, false
	}
	one := mask(0)
	for t := range s.req.Targets {
		if s.req.Targets[t].Name == n.where {
			one = maskOf(t)
		}
	}
	at, _ := slices.BinarySearchFunc(shelf.versions, n.to, python.Version.Compare)
	for _, on := range []mask{maskOf(len(s.req.Targets)) - 1, one} {
		fits := func(i int) bool {
			v := shelf.versions[i]
			rel := shelf.release(s.fetch.policy, int32(i))
			return !v.IsPrerelease() && n.other(v) && rel.usable&on == on && rel.yanked&on == 0
		}
		for i := at; i < len(shelf.versions); i++ {
			if fits(i) {
				return shelf.versions[i], true
			}
		}
		for i := at - 1; i >= 0; i-- {
			if fits(i) {
				return shelf.versions[i], true
			}
		}
	}
	return v, false
}

// exactly returns the specifiers of one version.
func exactly(v python.Version) python.Specifiers {
	s, err := python.ParseSpecifiers("==" + v.String())
	if err != nil { // cannot be: a version is what == takes
		return python.Specifiers{}
	}
	return s
}
