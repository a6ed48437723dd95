package resolve

import (
	"context"
	"errors"
	"sync"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// fetcher asks the source, each question once, and asks ahead: as soon as a name
// is known from any metadata, for its page and for the needs of the version that
// would be taken first. What it asks ahead never decides anything; an error only
// counts when the solver itself asks.
type fetcher struct {
	src    Source
	req    *Request
	policy *policy
	places map[python.Name]*place // of direct references

	slots chan struct{}
	wait  sync.WaitGroup
	mu    sync.Mutex
	pages map[python.Name]*page
	ahead map[python.Name]bool
}

// page is a project as it was answered.
type page struct {
	once  sync.Once
	shelf *shelf
	err   error
}

// place holds, for each target, the direct reference to take a package from.
type place struct{ urls []string }

func newFetcher(src Source, req *Request, p *policy) *fetcher {
	n := req.Options.Prefetch
	if n <= 0 {
		n = defaultPrefetch
	}
	return &fetcher{
		src: src, req: req, policy: p,
		places: make(map[python.Name]*place),
		slots:  make(chan struct{}, n),
		pages:  make(map[python.Name]*page),
		ahead:  make(map[python.Name]bool),
	}
}

// defaultPrefetch keeps below the 50 requests that a client has under way.
const defaultPrefetch = 48

// shelf returns all versions of a package.
func (f *fetcher) shelf(ctx context.Context, name python.Name) (*shelf, error) {
	f.mu.Lock()
	p := f.pages[name]
	if p == nil {
		p = &page{}
		f.pages[name] = p
	}
	f.mu.Unlock()
	p.once.Do(func() { p.shelf, p.err = f.load(ctx, name) })
	return p.shelf, p.err
}

func (f *fetcher) load(ctx context.Context, name python.Name) (*shelf, error) {
	all := maskOf(len(f.req.Targets)) - 1
	direct := f.places[name]
	if direct == nil {
		project, err := f.src.Project(ctx, name, "")
		if err != nil {
			return nil, err
		}
		return newShelf(name, []listing{{project: project, on: all}}), nil
	}
	var listings []listing
	for left := all; left != 0; {
		url := direct.urls[left.first()]
		var on mask
		for t, u := range direct.urls {
			if u == url {
				on |= maskOf(t)
			}
		}
		project, err := f.src.Project(ctx, name, url)
		if err != nil {
			return nil, err
		}
		listings = append(listings, listing{project, url, on})
		left &^= on
	}
	return newShelf(name, listings), nil
}

// narrow returns the one version that stands, fit for use, in the development
// images of all targets, as a shelf of its own; nil if there is none, or if it
// may not be what is taken first.
func (f *fetcher) narrow(name python.Name) *shelf {
	o := &f.req.Options
	if o.Prefer != PreferImage || len(o.Sources) > 0 && o.Sources[0] != ImageFiles || f.places[name] != nil {
		return nil
	}
	project := f.src.Installed(name)
	if project == nil || len(project.Versions) != 1 {
		return nil
	}
	for _, l := range o.Locked {
		if l.Name == name && l.Version.Compare(project.Versions[0]) != 0 {
			return nil
		}
	}
	s := newShelf(name, []listing{{project: project, on: maskOf(len(f.req.Targets)) - 1}})
	s.narrow = true
	for _, offer := range s.release(f.policy, 0).offers {
		if offer.artifact == nil || offer.artifact.Kind != ImageFiles {
			return nil
		}
	}
	return s
}

// look asks ahead for a requirement. Only the first one of a name counts.
func (f *fetcher) look(ctx context.Context, r *python.Requirement, wide bool) {
	f.mu.Lock()
	seen := f.ahead[r.Name]
	f.ahead[r.Name] = true
	f.mu.Unlock()
	if seen || r.URL != "" && f.places[r.Name] == nil {
		return
	}
	f.wait.Add(1)
	go func() {
		defer f.wait.Done()
		select {
		case f.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		defer func() { <-f.slots }()
		f.follow(askingAhead(ctx), r, wide)
	}()
}

// follow reads the page of a requirement, and then what the version needs that
// would be taken first.
func (f *fetcher) follow(ctx context.Context, r *python.Requirement, wide bool) {
	var s *shelf
	if !wide {
		if s = f.narrow(r.Name); s != nil && !r.Specifiers.Contains(s.versions[0], true) {
			s = nil
		}
	}
	if s == nil {
		var err error
		if s, err = f.shelf(ctx, r.Name); err != nil {
			return
		}
	}
	i := f.guess(s, r)
	if i < 0 {
		return
	}
	f.needs(ctx, s.release(f.policy, i), r.Extras)
}

// needs reads what a release needs and asks ahead for that.
func (f *fetcher) needs(ctx context.Context, rel *release, extras []python.Name) {
	list, err := rel.ask(ctx, f.src)
	var guess *Unusable
	if errors.As(err, &guess) && guess.Needs != nil {
		list, err = []*Needs{guess.Needs}, nil
	}
	if err != nil {
		return
	}
	for t, n := range list {
		if n == nil || t > 0 && n == list[t-1] {
			continue
		}
		for k := range n.Requires {
			if f.applies(&n.Requires[k], extras) {
				f.look(ctx, &n.Requires[k], false)
			}
		}
	}
}

func (f *fetcher) applies(r *python.Requirement, extras []python.Name) bool {
	if r.Marker == nil {
		return true
	}
	for t := range f.req.Targets {
		env := &f.req.Targets[t].Markers
		if ok, err := r.Marker.Eval(env); err == nil && ok {
			return true
		}
		if len(extras) > 0 && r.Marker.MentionsExtra() {
			if ok, err := r.Marker.Eval(env, extras...); err == nil && ok {
				return true
			}
		}
	}
	return false
}

// guess returns the version that one requirement alone would lead to, or -1.
func (f *fetcher) guess(s *shelf, r *python.Requirement) int32 {
	o := &f.req.Options
	for _, i := range f.preferred(s, maskOf(len(f.req.Targets))-1) {
		if r.Specifiers.Contains(s.versions[i], true) && s.release(f.policy, i).usable != 0 {
			return i
		}
	}
	pre := o.Pre || r.Specifiers.NamesPrerelease()
	n := int32(len(s.versions))
	for k := range n {
		i := n - 1 - k
		if o.Prefer == PreferLowest {
			i = k
		}
		if !s.narrow && !r.Specifiers.Contains(s.versions[i], pre) {
			continue
		}
		if rel := s.release(f.policy, i); rel.usable != 0 && rel.yanked == 0 {
			return i
		}
	}
	return -1
}

// lookAt asks ahead for the needs of a release.
func (f *fetcher) lookAt(ctx context.Context, rel *release) {
	if rel.looked {
		return
	}
	rel.looked = true
	f.wait.Add(1)
	go func() {
		defer f.wait.Done()
		select {
		case f.slots <- struct{}{}:
			rel.ask(askingAhead(ctx), f.src) //nolint:errcheck // whoever asks next gets it
			<-f.slots
		case <-ctx.Done():
		}
	}()
}
