package distill

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/plan"
	"github.com/r-seed-1713b764/distill/internal/pypi"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
	"github.com/r-seed-1713b764/distill/internal/transport"
	"github.com/r-seed-1713b764/distill/internal/wheelhouse"
)

// source joins what the index lists with what stands in the images, for the
// resolver. The resolver knows neither.
type source struct {
	client    *pypi.Client
	installed map[python.Name]*resolve.Project // preferred versions, from memory
	standing  map[python.Name][]standing       // all of them, also those of the base alone

	metadata python.MetadataParser

	// building, if it is set, is asked for what only a build can tell; platforms are those
	// of it that the resolution is about, nil for all.
	building  *building
	platforms []int

	mu     sync.Mutex
	specs  map[string]python.Specifiers // of requires-python, by text
	failed []*wheelhouse.BuildError     // of builds that were to tell what a version needs
	links  map[string]string            // direct references that were followed, by the URL that is fetched
}

// unreachable is the error for a direct reference that leads nowhere.
type unreachable struct {
	name      python.Name
	reference string // as the requirement has it
	cause     error
}

func (u *unreachable) Error() string { return fmt.Sprintf("%s: %v", u.name, u.cause) }
func (u *unreachable) Unwrap() error { return u.cause }

// unanswered is the error for an index that gave no answer, with what to do.
type unanswered struct{ cause error }

func (u *unanswered) Error() string { return u.cause.Error() }
func (u *unanswered) Unwrap() error { return u.cause }

// Hints says what to do now.
func (u *unanswered) Hints() []string {
	var h interface{ Hints() []string }
	var status *transport.Error
	switch {
	case errors.As(u.cause, &h):
		return h.Hints()
	case !errors.As(u.cause, &status):
		return nil
	case status.Kind == transport.Auth:
		return []string{"a login is taken from the URL of the index (https://USER:PASSWORD@HOST/...) or, for https, from netrc"}
	case status.Temporary():
		return []string{"try again later, name another index with --index-url, or use what the cache holds with --offline"}
	case status.Kind == transport.Network, status.Kind == transport.Server:
		return []string{"check the address of the index, or name another one with --index-url"}
	}
	return nil
}

// standing is one installed distribution as a way to get its version.
type standing struct {
	version  python.Version
	artifact *resolve.Artifact
}

// installedRef is the handle of an artifact that stands in an image.
type installedRef struct {
	dist   *inspect.Distribution
	inBase bool
	// conda holds what the conda package of dist depends on: conda's records know
	// needs that egg-info leaves out.
	conda []python.Requirement
}

// newSource looks at what stands in the images; dev and base are the
// environments of each target, base nil if there is no base image.
func newSource(client *pypi.Client, dev, base []*inspect.Environment) *source {
	s := &source{
		client:    client,
		installed: map[python.Name]*resolve.Project{},
		standing:  map[python.Name][]standing{},
		specs:     map[string]python.Specifiers{},
		links:     map[string]string{},
	}
	preferred := map[python.Name][]standing{}
	for t := range dev {
		var onto *inspect.Environment
		known := map[python.Name]python.Version{}
		for _, d := range usable(dev[t]) {
			known[d.Name] = d.Version
		}
		if base != nil {
			onto = base[t]
			for _, d := range usable(onto) {
				st := standing{d.Version, &resolve.Artifact{Kind: resolve.ImageFiles, Target: t, Ref: installedRef{dist: d, inBase: true}}}
				s.standing[d.Name] = append(s.standing[d.Name], st)
				// Another version than the development image's is no preference:
				// nobody has tried the application with it.
				if v, ok := known[d.Name]; !ok || v.Compare(d.Version) == 0 {
					preferred[d.Name] = append(preferred[d.Name], st)
				}
			}
		}
		for _, d := range usable(dev[t]) {
			st := standing{d.Version, &resolve.Artifact{
				Kind: resolve.ImageFiles, Target: t, Unfit: unfit(d, dev[t], onto), Binary: d.Binary != "", Ref: installedRef{dist: d, conda: condaNeeds(dev[t], d)},
			}}
			s.standing[d.Name] = append(s.standing[d.Name], st)
			preferred[d.Name] = append(preferred[d.Name], st)
		}
	}
	for name, list := range preferred {
		s.installed[name] = joined(shelved{}, list, "")
	}
	return s
}

// condaNeeds are the projects that conda's record of d depends on, as far as they
// are distributions of the same environment.
func condaNeeds(env *inspect.Environment, d *inspect.Distribution) []python.Requirement {
	var out []python.Requirement
	for _, c := range env.Conda {
		if c.Name != d.Owner {
			continue
		}
		for _, spec := range c.Depends {
			name, _, _ := strings.Cut(spec, " ")
			for _, other := range env.Distributions {
				if other.Owner == name && other != d && !other.Shadowed {
					out = append(out, python.Requirement{Name: other.Name})
				}
			}
		}
	}
	return out
}

// usable are the distributions that an import would find.
func usable(env *inspect.Environment) []*inspect.Distribution {
	var out []*inspect.Distribution
	for _, d := range env.Distributions {
		if !d.Shadowed && d.Metadata != nil {
			out = append(out, d)
		}
	}
	return out
}

// unfit tells why the development image's files of d are not taken. Files that were
// changed by hand are, since somebody had a reason, and so is what lacks no more than
// tests and the like.
func unfit(d *inspect.Distribution, dev, base *inspect.Environment) string {
	if d.Refused != "" {
		return d.Refused
	}
	missing := slices.DeleteFunc(slices.Clone(d.Missing), plan.MayMiss)
	switch {
	case len(missing) > 0:
		return fmt.Sprintf("%d of its files are missing in the image, %s first", len(missing), missing[0])
	case base == nil:
		return ""
	}
	return inspect.Fits(d, dev, base)
}

// Installed implements [resolve.Source].
func (s *source) Installed(name python.Name) *resolve.Project { return s.installed[name] }

// Project implements [resolve.Source].
func (s *source) Project(ctx context.Context, name python.Name, direct string) (*resolve.Project, error) {
	if direct != "" {
		return s.direct(name, direct)
	}
	page, err := s.client.Project(ctx, name)
	switch {
	case errors.Is(err, pypi.ErrNotFound):
		p := joined(shelved{}, s.standing[name], "not found in "+s.places())
		if s.client.NoIndex {
			p.Advice = "put its files in a folder for --find-links, or leave out --no-index"
		}
		return p, nil
	case errors.Is(err, pypi.ErrOffline):
		p := joined(shelved{}, s.standing[name], pypi.ErrOffline.Error())
		p.Unasked, p.Advice = true, "run it once without --offline, which fills the cache"
		return p, nil
	case err != nil:
		return nil, &unanswered{err}
	}
	n := len(page.Releases)
	rows := make([]python.Version, n)
	for i := range rows {
		rows[i] = page.Releases[n-1-i].Version // newest first there, oldest first here
	}
	p := joined(shelved{rows, func(i int) []*resolve.Artifact { return s.artifacts(page.Releases[n-1-i].Files()) }}, s.standing[name], "")
	p.Index, p.Others = page.Index, page.Unasked
	switch {
	case page.Status != "" && page.Status != "active":
		p.Note = strings.TrimSpace("the project is " + page.Status + " " + page.StatusReason)
	case len(rows) == 0 && page.Skipped > 0:
		p.Note = fmt.Sprintf("none of the %d files that the index lists is a wheel or a source archive of it", page.Skipped)
	case len(rows) == 0:
		p.Note = "the index lists no files"
	}
	return p, nil
}

// places names the indexes, for a message.
func (s *source) places() string {
	if s.client.NoIndex && len(s.client.FindLinks) == 0 {
		return "any place: --no-index is set, and --find-links names none"
	}
	if s.client.NoIndex {
		return "the find-links (--no-index is set)"
	}
	var out []string
	for _, u := range s.client.Indexes {
		out = append(out, python.ShowURL(u))
	}
	return strings.Join(out, ", ")
}

// shelved are the versions of an index page, ascending, with a way to decode the
// rows of one.
type shelved struct {
	versions  []python.Version
	artifacts func(i int) []*resolve.Artifact
}

// joined merges the rows of a page with what stands in images.
func joined(page shelved, stand []standing, note string) *resolve.Project {
	if len(stand) == 0 {
		return &resolve.Project{Versions: page.versions, Note: note, Artifacts: decodeOnce(len(page.versions), page.artifacts)}
	}
	stand = slices.Clone(stand)
	slices.SortStableFunc(stand, func(a, b standing) int { return a.version.Compare(b.version) })
	var versions []python.Version
	var ways [][]*resolve.Artifact
	var row []int // of each version on the page, -1 if it is not there
	next := 0
	for next < len(page.versions) || len(stand) > 0 {
		v, at := python.Version{}, -1
		if next < len(page.versions) {
			v, at = page.versions[next], next
		}
		if len(stand) > 0 && (at < 0 || stand[0].version.Compare(v) < 0) {
			v, at = stand[0].version, -1
		}
		if at >= 0 {
			next++
		}
		var fromImages []*resolve.Artifact
		for len(stand) > 0 && stand[0].version.Compare(v) == 0 {
			fromImages = append(fromImages, stand[0].artifact)
			stand = stand[1:]
		}
		versions, ways, row = append(versions, v), append(ways, fromImages), append(row, at)
	}
	all := func(i int) []*resolve.Artifact {
		if row[i] < 0 {
			return ways[i]
		}
		return append(ways[i], page.artifacts(row[i])...)
	}
	return &resolve.Project{Versions: versions, Note: note, Artifacts: decodeOnce(len(versions), all)}
}

// decodeOnce returns a function that gives the artifacts of each of n versions, the
// same ones each time, decoding the page's rows when they are first asked for.
func decodeOnce(n int, decode func(i int) []*resolve.Artifact) func(i int) []*resolve.Artifact {
	var mu sync.Mutex
	known := make([][]*resolve.Artifact, n)
	done := make([]bool, n)
	return func(i int) []*resolve.Artifact {
		mu.Lock()
		defer mu.Unlock()
		if !done[i] {
			known[i], done[i] = decode(i), true
		}
		return known[i]
	}
}

// artifacts turns the rows of one release into artifacts.
func (s *source) artifacts(list []pypi.File) []*resolve.Artifact {
	out := make([]*resolve.Artifact, 0, len(list))
	all := make([]resolve.Artifact, len(list))
	for i, f := range list {
		a := &all[i]
		*a = resolve.Artifact{
			Kind: resolve.Sdist, Target: -1, File: f.Name, URL: f.URL, Hashes: f.Hashes, Size: f.Size, Uploaded: f.Uploaded,
			RequiresPython: s.specifiers(f.RequiresPython), Yanked: f.Yanked, YankedReason: f.YankedReason, Ref: f,
		}
		if strings.HasSuffix(f.Name, ".whl") {
			w, err := python.ParseWheelName(f.Name)
			if err != nil {
				continue // the client leaves broken rows out already
			}
			a.Kind, a.WheelName = resolve.Wheel, w
		}
		out = append(out, a)
	}
	return out
}

// specifiers parses requires-python as pip does: what is broken is ignored.
func (s *source) specifiers(text string) python.Specifiers {
	if text == "" {
		return python.Specifiers{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sp, ok := s.specs[text]
	if !ok {
		sp, _ = python.ParseSpecifiersLenient(text)
		s.specs[text] = sp
	}
	return sp
}

// direct returns the one candidate of a direct reference (PEP 508 "name @ url").
func (s *source) direct(name python.Name, reference string) (*resolve.Project, error) {
	raw := reference
	if !strings.Contains(raw, "://") && !strings.HasPrefix(raw, "file:") { // a path
		abs, err := filepath.Abs(raw)
		if err != nil {
			return nil, err
		}
		raw = (&url.URL{Scheme: "file", Path: abs}).String()
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, usagef("", "%s @ %s: this is no URL", name, python.ShowURL(raw))
	}
	f := pypi.File{Name: path.Base(u.Path), Hashes: fragmentHashes(u.Fragment)}
	u.Fragment = ""
	f.URL = u.String()
	s.mu.Lock()
	s.links[f.URL] = reference
	s.mu.Unlock()
	var v python.Version
	if strings.HasSuffix(f.Name, ".whl") {
		w, err := python.ParseWheelName(f.Name)
		if err != nil || w.Name != name {
			return nil, usagef("", "%s @ %s: the file is not a wheel of %s", name, python.ShowURL(raw), name)
		}
		v = w.Version
	} else if v, err = python.ParseSdistName(f.Name, name); err != nil {
		return nil, usagef("name a wheel, or a source archive called NAME-VERSION.tar.gz",
			"%s @ %s: the version can't be told from the file's name", name, python.ShowURL(raw))
	}
	one := shelved{[]python.Version{v}, func(int) []*resolve.Artifact { return s.artifacts([]pypi.File{f}) }}
	return joined(one, nil, ""), nil
}

// fragmentHashes reads #sha256=... of a URL.
func fragmentHashes(fragment string) map[string]string {
	out := map[string]string{}
	for part := range strings.SplitSeq(fragment, "&") {
		algorithm, digest, ok := strings.Cut(part, "=")
		switch algorithm {
		case "sha256", "sha384", "sha512", "md5":
			if ok {
				out[algorithm] = strings.ToLower(digest)
			}
		}
	}
	return out
}

// Requires implements [resolve.Source].
func (s *source) Requires(ctx context.Context, c *resolve.Candidate, a *resolve.Artifact) (*resolve.Needs, error) {
	if ref, ok := a.Ref.(installedRef); ok {
		n := needsOf(ref.dist.Metadata)
		n.Requires = append(slices.Clip(n.Requires), ref.conda...)
		return n, nil
	}
	f := a.Ref.(pypi.File)
	text, err := s.client.Metadata(ctx, f)
	if errors.Is(err, transport.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		s.mu.Lock()
		reference := s.links[f.URL]
		s.mu.Unlock()
		if reference != "" {
			return nil, &unreachable{c.Name, reference, err}
		}
	}
	if errors.Is(err, pypi.ErrDynamic) && s.building != nil && s.building.CanBuild() {
		return s.built(ctx, c, f)
	}
	switch {
	case errors.Is(err, pypi.ErrDynamic), errors.Is(err, pypi.ErrDamaged), errors.Is(err, transport.ErrNotFound):
		return nil, &resolve.Unusable{Reason: err.Error()}
	case err != nil:
		return nil, &unanswered{err}
	}
	m, err := s.metadata.Parse(text.Core)
	if err != nil {
		return nil, &resolve.Unusable{Reason: fmt.Sprintf("%s of %s: %v", text.Origin, f.Name, err)}
	}
	if text.Origin == "METADATA" && (m.Name != c.Name || m.Version.Compare(c.Version) != 0) {
		return nil, &resolve.Unusable{Reason: fmt.Sprintf("%s says in its METADATA that it is %s %s", f.Name, m.Name, m.Version)}
	}
	n := needsOf(m)
	if !text.Guaranteed {
		return nil, &resolve.Unusable{Reason: "a build may change what its " + text.Origin + " asks for", Needs: n}
	}
	return n, nil
}

const onlyBuildTells = "only a build can tell what it needs, and that fails: "

// explained is the error of a resolution, as one of a build if that is why a version could
// not be taken.
func (s *source) explained(err error) error {
	var none *resolve.NoSolution
	if !errors.As(err, &none) {
		return err
	}
	for _, b := range s.failed {
		if strings.Contains(none.Story, b.Cause.Error()) {
			f := &Failure{Kind: NeedsBuild, Text: none.Error(), Hint: append(b.Hints(), none.Hints()...)}
			for _, l := range b.Lines {
				f.Text += "\n  " + l
			}
			return f
		}
	}
	return err
}

// built asks a build what a version needs. A build that fails makes the version unusable;
// a machine that can't build at all is no reason to take another one.
func (s *source) built(ctx context.Context, c *resolve.Candidate, f pypi.File) (*resolve.Needs, error) {
	if resolve.Ahead(ctx) {
		return nil, resolve.ErrLater
	}
	text, err := s.building.metadata(ctx, c, f, s.platforms)
	var failed *wheelhouse.BuildError
	switch {
	case errors.As(err, &failed) && failed.Tried:
		s.mu.Lock()
		s.failed = append(s.failed, failed)
		s.mu.Unlock()
		return nil, &resolve.Unusable{Reason: onlyBuildTells + failed.Cause.Error()}
	case err != nil:
		return nil, err
	}
	m, err := s.metadata.Parse(text)
	if err != nil {
		return nil, &resolve.Unusable{Reason: fmt.Sprintf("METADATA of its build: %v", err)}
	}
	if m.Name != c.Name || m.Version.Compare(c.Version) != 0 {
		return nil, &resolve.Unusable{Reason: fmt.Sprintf("%s gives %s %s when it is built", f.Name, m.Name, m.Version)}
	}
	return needsOf(m), nil
}

func needsOf(m *python.Metadata) *resolve.Needs {
	return &resolve.Needs{Requires: m.RequiresDist, Extras: m.ProvidesExtra, RequiresPython: m.RequiresPython}
}
