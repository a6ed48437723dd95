package resolve

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// randomWorld makes a small world for two targets, hard enough that about a
// third of them have no answer.
func randomWorld(r *rand.Rand, guarded bool) *worldCase {
	c := &worldCase{world: newWorld()}
	c.req.Targets = []Target{testTarget("linux/amd64", "3.11.2", glibc(36)), testTarget("linux/arm64", "3.11.2", glibc(36))}
	names := []string{"a", "b", "c", "d", "e"}[:3+r.IntN(2)]
	requirement := func() string {
		s := names[r.IntN(len(names))]
		if r.IntN(6) == 0 {
			s += "[x]"
		}
		switch r.IntN(6) {
		case 0:
			s += fmt.Sprintf("==%d", 1+r.IntN(3))
		case 1:
			s += fmt.Sprintf(">=%d", 1+r.IntN(3))
		case 2:
			s += fmt.Sprintf("<=%d", 1+r.IntN(3))
		case 3:
			if guarded && r.IntN(2) == 0 {
				s += fmt.Sprintf(">=%da1", 1+r.IntN(3))
			} else {
				s += fmt.Sprintf("!=%d", 1+r.IntN(3))
			}
		}
		switch r.IntN(8) {
		case 0:
			s += `; platform_machine == "x86_64"`
		case 1:
			s += `; platform_machine == "aarch64"`
		}
		return s
	}
	for _, name := range names {
		for v := range 1 + r.IntN(3) {
			line := fmt.Sprintf("%s %d", name, v+1)
			if guarded && r.IntN(4) == 0 {
				line += "a1"
			}
			for range r.IntN(3) {
				line += " | needs " + requirement()
			}
			if r.IntN(3) == 0 {
				line += " | extra x " + requirement()
			}
			switch r.IntN(8) {
			case 0:
				line += " | wheel cp311-cp311-manylinux_2_17_x86_64"
			case 1:
				line += " | wheel cp311-cp311-manylinux_2_17_aarch64"
			}
			if guarded && r.IntN(6) == 0 {
				line += " | yanked"
			}
			c.world.release(line, "")
			if !guarded && r.IntN(5) == 0 {
				c.world.release(fmt.Sprintf("%s %d", name, v+1), c.req.Targets[r.IntN(2)].Name)
				copyNeeds(c.world, python.Name(name), v)
			}
		}
	}
	for range 1 + r.IntN(3) {
		c.req.Requirements = append(c.req.Requirements, mustRequirement(requirement()))
	}
	c.placeImages()
	return c
}

// copyNeeds makes a version in an image need what it needs on the index.
func copyNeeds(w *world, name python.Name, v int) {
	list := w.installed[name].list
	list[len(list)-1].needs = w.projects[name].list[v].needs
}

// answer is a version of each package for each target.
type answer []map[python.Name]python.Version

// checker follows an answer from the requirements of the request.
type checker struct {
	c      *worldCase
	picks  answer
	wanted map[python.Name][]wish
	seen   map[item]bool
	todo   []item
}

// wish is a requirement on a target.
type wish struct {
	req    *python.Requirement
	target int
}

// item is a package on a target, with an extra or none.
type item struct {
	name   python.Name
	extra  python.Name
	target int
}

func (k *checker) want(r *python.Requirement, target int) {
	k.wanted[r.Name] = append(k.wanted[r.Name], wish{r, target})
	for _, extra := range append([]python.Name{""}, r.Extras...) {
		if at := (item{r.Name, extra, target}); !k.seen[at] {
			k.seen[at] = true
			k.todo = append(k.todo, at)
		}
	}
}

// valid tells why an answer does not answer the request, "" if it does. A
// pre-release or yanked version counts only if something admits it that is not
// there because of it.
func (c *worldCase) valid(picks answer) string {
	k := checker{c: c, picks: picks, wanted: make(map[python.Name][]wish), seen: make(map[item]bool)}
	for t := range c.req.Targets {
		for i := range c.req.Requirements {
			if ok, _ := c.req.Requirements[i].Marker.Eval(&c.req.Targets[t].Markers); ok {
				k.want(&c.req.Requirements[i], t)
			}
		}
	}
	for progress := true; progress; {
		progress = false
		todo := k.todo
		k.todo = nil
		for _, at := range todo {
			v, ok := picks[at.target][at.name]
			if !ok || c.anyRelease(at.name, v) == nil {
				return fmt.Sprintf("%s is missing on %d", at.name, at.target)
			}
			if k.guarded(at.name, v) != "" {
				k.todo = append(k.todo, at)
				continue
			}
			progress = true
			if !c.usableOn(at.name, v, at.target) {
				return fmt.Sprintf("%s %s can't be used on %d", at.name, v, at.target)
			}
			k.follow(at, c.anyRelease(at.name, v))
		}
	}
	for _, at := range k.todo {
		return k.guarded(at.name, picks[at.target][at.name])
	}
	for name, list := range k.wanted {
		for _, w := range list {
			if v := picks[w.target][name]; !w.req.Specifiers.Contains(v, true) {
				return fmt.Sprintf("%s %s does not fit %s", name, v, w.req)
			}
		}
	}
	return ""
}

func (k *checker) follow(at item, rel *worldRelease) {
	env := &k.c.req.Targets[at.target].Markers
	for i := range rel.needs.Requires {
		r := &rel.needs.Requires[i]
		ok, _ := r.Marker.Eval(env)
		if at.extra != "" {
			ok, _ = r.Marker.Eval(env, at.extra)
		}
		if ok {
			k.want(r, at.target)
		}
	}
}

// guarded tells whether nothing that was followed so far admits v, a
// pre-release or a yanked version.
func (k *checker) guarded(name python.Name, v python.Version) string {
	c := k.c
	if c.world.installed[name] != nil && c.world.installed[name].find(v) != nil {
		return ""
	}
	var reqs []*python.Requirement
	for _, w := range k.wanted[name] {
		if k.picks[w.target][name].Compare(v) == 0 {
			reqs = append(reqs, w.req)
		}
	}
	namesPre, pinned := false, false
	for _, r := range reqs {
		namesPre = namesPre || r.Specifiers.NamesPrerelease()
		pinned = pinned || pins(r.Specifiers)
	}
	if c.world.projects[name].find(v).candidate.Artifacts[0].Yanked && !pinned {
		return fmt.Sprintf("%s %s is yanked", name, v)
	}
	if !v.IsPrerelease() || namesPre {
		return ""
	}
	for _, other := range c.world.projects[name].list {
		w := other.candidate.Version
		fits := !w.IsPrerelease()
		for _, r := range reqs {
			fits = fits && r.Specifiers.Contains(w, true)
		}
		for t := range k.picks {
			if k.seen[item{name, "", t}] && k.picks[t][name].Compare(v) == 0 {
				fits = fits && c.usableOn(name, w, t)
			}
		}
		if fits {
			return fmt.Sprintf("%s %s is a pre-release, and %s fits", name, v, w)
		}
	}
	return ""
}

func (c *worldCase) anyRelease(name python.Name, v python.Version) *worldRelease {
	for _, m := range []map[python.Name]*worldProject{c.world.projects, c.world.installed} {
		if p := m[name]; p != nil && p.find(v) != nil {
			return p.find(v)
		}
	}
	return nil
}

func (c *worldCase) usableOn(name python.Name, v python.Version, target int) bool {
	if p := c.world.installed[name]; p != nil {
		if r := p.find(v); r != nil {
			for _, a := range r.candidate.Artifacts {
				if a.Target == target {
					return true
				}
			}
		}
	}
	if r := c.world.projects[name].find(v); r != nil {
		for _, a := range r.candidate.Artifacts {
			if _, ok := c.req.Targets[target].Tags.Rank(a.WheelName); ok {
				return true
			}
		}
	}
	return false
}

// force looks for an answer in which the packages free may differ between the
// targets, by trying everything.
func (c *worldCase) force(free []python.Name) bool {
	names := slices.Sorted(maps.Keys(c.world.projects))
	picks := answer{make(map[python.Name]python.Version), make(map[python.Name]python.Version)}
	var try func(int) bool
	try = func(i int) bool {
		if i == len(names) {
			return c.valid(picks) == ""
		}
		for _, a := range c.world.projects[names[i]].list {
			picks[0][names[i]] = a.candidate.Version
			if !slices.Contains(free, names[i]) {
				picks[1][names[i]] = a.candidate.Version
				if try(i + 1) {
					return true
				}
				continue
			}
			for _, b := range c.world.projects[names[i]].list {
				picks[1][names[i]] = b.candidate.Version
				if try(i + 1) {
					return true
				}
			}
		}
		return false
	}
	return try(0)
}

// fewest returns how many packages must be split, -1 if not even that helps.
func (c *worldCase) fewest() int {
	names := slices.Sorted(maps.Keys(c.world.projects))
	if !c.force(names) {
		return -1
	}
	for n := range len(names) {
		for bits := range 1 << len(names) {
			var free []python.Name
			for i, name := range names {
				if bits>>i&1 != 0 {
					free = append(free, name)
				}
			}
			if len(free) == n && c.force(free) {
				return n
			}
		}
	}
	return len(names)
}

// standsAlone tells whether each target alone has an answer. Where one has not,
// there may be one for all still: what admits a pre-release on one target admits
// it on those that share the version. Such answers are not looked for.
func (c *worldCase) standsAlone() bool {
	for t := range c.req.Targets {
		alone := *c
		alone.req.Targets = c.req.Targets[t : t+1]
		alone.world = &world{projects: c.world.projects, installed: make(map[python.Name]*worldProject)}
		if _, err := Solve(context.Background(), alone.world, alone.req); err != nil {
			return false
		}
	}
	return true
}

func picksOf(r *Resolution) answer {
	out := make(answer, len(r.Targets))
	for t := range out {
		out[t] = make(map[python.Name]python.Version)
		for _, p := range r.On(t) {
			out[t][p.Name] = p.Version
		}
	}
	return out
}

func TestAnswersAreRightOnRandomWorlds(t *testing.T) {
	rounds := 1500
	if testing.Short() {
		rounds = 300
	}
	if s := os.Getenv("DISTILL_ROUNDS"); s != "" {
		rounds, _ = strconv.Atoi(s)
	}
	answers, none, split := 0, 0, 0
	for n := range rounds {
		r := rand.New(rand.NewPCG(uint64(n), 7))
		c := randomWorld(r, n%3 == 0)
		got, err := Solve(context.Background(), c.world, c.req)
		var no *NoSolution
		switch {
		case err == nil:
			if why := c.valid(picksOf(got)); why != "" {
				t.Fatalf("world %d: %s\n%s", n, why, c)
			}
			answers++
			if len(got.Splits) > 0 {
				split++
			}
			if len(got.Splits) == 0 {
				continue
			}
			if want := c.fewest(); want != len(got.Splits) {
				t.Fatalf("world %d: %d packages split, want %d\n%q\n%s", n, len(got.Splits), want, lines(got), c)
			}
		case errors.As(err, &no):
			none++
			if n%3 == 0 && !c.standsAlone() {
				continue
			}
			if want := c.fewest(); want >= 0 {
				t.Fatalf("world %d: there is an answer with %d packages split, got %v\n%s", n, want, err, c)
			}
		default:
			t.Fatal(err)
		}
	}
	t.Logf("%d answers, %d of them with a split package, and %d worlds without", answers, split, none)
	if answers < rounds/4 || none < rounds/20 || split == 0 {
		t.Error("the random worlds are too easy or too hard")
	}
}

func (c *worldCase) String() string {
	s := ""
	for _, m := range []map[python.Name]*worldProject{c.world.projects, c.world.installed} {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			for _, r := range m[name].list {
				s += fmt.Sprintf("%s %s", name, r.candidate.Version)
				for i := range r.needs.Requires {
					s += " | needs " + r.needs.Requires[i].String()
				}
				for _, a := range r.candidate.Artifacts {
					s += fmt.Sprintf(" | %s %d %v", a.File, a.Target, a.Yanked)
				}
				s += "\n"
			}
		}
	}
	for i := range c.req.Requirements {
		s += "want " + c.req.Requirements[i].String() + "\n"
	}
	return s
}

func TestAnswerDoesNotDependOnTheOrderOfAnswers(t *testing.T) {
	for n := range 60 {
		first := ""
		for round := range 4 {
			c := randomWorld(rand.New(rand.NewPCG(uint64(n), 9)), n%3 == 0)
			r := rand.New(rand.NewPCG(uint64(round), 11))
			if round > 0 {
				delays := make(chan time.Duration, 1000)
				for range cap(delays) {
					delays <- time.Duration(r.IntN(200)) * time.Microsecond
				}
				c.world.delay = func() {
					select {
					case d := <-delays:
						time.Sleep(d)
					default:
					}
				}
				for _, p := range c.world.projects {
					for _, rel := range p.list {
						r.Shuffle(len(rel.candidate.Artifacts), func(i, j int) {
							a := rel.candidate.Artifacts
							a[i], a[j] = a[j], a[i]
						})
					}
				}
			}
			c.req.Options.Prefetch = 1 + round*8
			got, err := Solve(context.Background(), c.world, c.req)
			text := fmt.Sprint(err)
			if err == nil {
				text = describe(got)
			}
			if round == 0 {
				first = text
			} else if text != first {
				t.Fatalf("world %d: %s\nfirst %s", n, text, first)
			}
		}
	}
}

// describe writes down everything that a resolution says.
func describe(r *Resolution) string {
	s := fmt.Sprintln(lines(r), r.Warnings, r.Stats)
	for _, p := range r.Picks {
		s += fmt.Sprintf("%s %s %v\n", p.Name, p.Version, p.Passed)
		for _, on := range p.On {
			s += fmt.Sprintf("  on %d %s %v %v\n", on.Target, on.Artifact.File, on.Extras, on.Refused)
		}
		for _, w := range p.Wanted {
			s += fmt.Sprintf("  wanted %s %v\n", w.Requirement, w.Targets)
		}
		for _, e := range p.Edges {
			s += fmt.Sprintf("  edge %s %v\n", e.Requirement, e.Targets)
		}
	}
	for _, sp := range r.Splits {
		s += fmt.Sprintf("split %s: %s\n", sp.Name, sp.Reason)
	}
	return s
}

func TestAnUnrelatedPackageChangesNothing(t *testing.T) {
	for n := range 300 {
		c := randomWorld(rand.New(rand.NewPCG(uint64(n), 13)), n%3 == 0)
		before, err := Solve(context.Background(), c.world, c.req)
		c.world.release("zz 1 | needs zy", "")
		c.world.release("zy 1", "")
		c.world.release("zy 2", "")
		c.req.Requirements = append(c.req.Requirements, mustRequirement("zz"))
		after, errAfter := Solve(context.Background(), c.world, c.req)
		if (err == nil) != (errAfter == nil) {
			t.Fatalf("world %d: %v before, %v after", n, err, errAfter)
		}
		if err != nil {
			continue
		}
		got := slices.DeleteFunc(lines(after), func(s string) bool { return s[0] == 'z' })
		if want := lines(before); !reflect.DeepEqual(got, want) {
			t.Fatalf("world %d: got %q, want %q", n, got, want)
		}
	}
}
