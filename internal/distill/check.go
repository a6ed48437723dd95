package distill

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/pypi"
)

// checkBuild refuses what can't work before anything is read: an hour into a
// build is too late to hear of a misspelt word.
func (h *Host) checkBuild(a *asked, o *BuildOptions) error {
	refs := append([]string{o.From, o.Onto}, o.Publish.To...)
	if err := checkReferences(refs); err != nil {
		return err
	}
	if err := checkImageOptions(o.Image); err != nil {
		return err
	}
	return h.checkAsked(a, o.Index, o.Choice)
}

// checkAsked refuses options about packages that can't be meant.
func (h *Host) checkAsked(a *asked, index IndexOptions, choice ChoiceOptions) error {
	if _, err := resolveOptions(a, index, choice); err != nil {
		return err
	}
	if _, err := parsePlatforms(choice.Platforms); err != nil {
		return err
	}
	c, err := h.client(index, a.options)
	if err != nil {
		return err
	}
	if err := c.Check(); err != nil {
		return err
	}
	return checkFolders(c)
}

// checkFolders refuses find-links folders that are not there.
func checkFolders(c *pypi.Client) error {
	for _, f := range c.FindLinks {
		if strings.Contains(f, "://") {
			continue
		}
		if _, err := os.Stat(strings.TrimPrefix(f, "file:")); err != nil {
			return usagef("", "--find-links %s: %v", f, pathCause(err))
		}
	}
	return nil
}

// checkReferences refuses credentials in references: they would show in logs and
// in the lock.
func checkReferences(refs []string) error {
	for _, r := range refs {
		rest := r
		if _, after, ok := strings.Cut(r, "://"); ok {
			rest = after
		}
		host, _, _ := strings.Cut(rest, "/")
		if at := strings.LastIndex(host, "@"); at >= 0 && !strings.HasPrefix(host[at:], "@sha") {
			return usagef("log in with docker login or podman login; distill finds what they keep",
				"the reference that ends in %q has a user name in it", host[at+1:]+strings.TrimPrefix(rest, host))
		}
	}
	return nil
}

func checkImageOptions(o ImageOptions) error {
	switch {
	case !slices.Contains([]string{"", "gzip", "zstd"}, o.Compression):
		return usagef("use gzip or zstd", "--compression %q is unknown", o.Compression)
	case !slices.Contains([]string{"", "none", "safe", "max"}, o.Trim):
		return usagef("use none, safe or max", "--trim %q is unknown", o.Trim)
	case o.Workdir != nil && !path.IsAbs(*o.Workdir):
		return usagef("", "--workdir %q is no absolute path", *o.Workdir)
	case o.MaxLayers < 0:
		return usagef("", "--max-layers %d is no number of layers", o.MaxLayers)
	}
	for _, a := range o.App {
		if _, err := parseApp(a); err != nil {
			return err
		}
	}
	if o.User != nil {
		if err := checkUser(*o.User); err != nil {
			return err
		}
	}
	for _, g := range slices.Concat(o.Include, o.Exclude) {
		if _, err := path.Match(g, ""); err != nil || g == "" {
			return usagef("", "--include, --exclude: %q is no pattern", g)
		}
	}
	return nil
}

// sideFiles are files that are written beside what is published. They are opened
// before and filled after, so that a folder that takes none is noticed while
// nothing is published yet.
type sideFiles struct{ open map[string]*os.File }

// stage opens a temporary sibling of each file; "" is no file.
func stage(names ...string) (*sideFiles, error) {
	s := &sideFiles{open: map[string]*os.File{}}
	for _, n := range names {
		if n == "" || s.open[n] != nil {
			continue
		}
		f, err := createSibling(n)
		if err != nil {
			s.close()
			return nil, err
		}
		s.open[n] = f
	}
	return s, nil
}

// write fills a staged file and puts it in its place.
func (s *sideFiles) write(name string, text []byte) error {
	f := s.open[name]
	if f == nil {
		return fmt.Errorf("%s was not staged", name)
	}
	delete(s.open, name)
	return finishSibling(f, name, text)
}

// close takes away what was not written.
func (s *sideFiles) close() {
	for _, f := range s.open {
		f.Close()
		os.Remove(f.Name())
	}
}

// checkFolderOf makes sure that a folder or archive can be written where dest
// says.
func checkFolderOf(dest string) error {
	scheme, rest, ok := strings.Cut(dest, ":")
	if !ok || (scheme != "oci" && scheme != "oci-archive") {
		return nil
	}
	if i := strings.LastIndex(rest, ":"); i > strings.LastIndex(rest, "/") {
		rest = rest[:i]
	}
	dir := filepath.Dir(rest)
	if info, err := os.Stat(rest); err == nil && info.IsDir() {
		dir = rest
	}
	for { // the first folder above that is there
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			return usagef("", "%s: %s is no folder", dest, dir)
		}
		if err == nil {
			break
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		return usagef("", "%s: %v", dest, pathCause(err))
	}
	probe, err := os.MkdirTemp(dir, temporary)
	if err != nil {
		return unsupportedf("", "%s: %s can't be written: %v", dest, dir, pathCause(err))
	}
	return os.Remove(probe)
}
