package inspect

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/ospkg"
)

// Read finds out what is installed in an image whose files were read with
// [Probe]. An error means that the image is damaged or hostile as a whole, or that
// Options.Python is not there; what is wrong with a single distribution stands
// in its Refused.
func Read(img files.Set, opts Options) (*Environment, error) {
	r := &reader{img: img, t: newTree(img), opts: opts, env: newEnviron(opts.Env), condaOwner: map[string]*CondaPackage{}}
	r.os = ospkg.Read(r.t)
	r.warnings = append(r.warnings, r.os.Warnings...)
	r.readConda()
	interpreters, err := r.findInterpreters()
	if err != nil {
		return nil, err
	}
	e := &Environment{
		Platform: opts.Platform, Files: img, Interpreters: interpreters, OS: r.os, Conda: r.conda,
		OSRelease: r.osRelease(), LibraryPath: r.env["LD_LIBRARY_PATH"],
	}
	if len(interpreters) > 0 {
		e.Python = interpreters[0]
		e.Distributions = r.distributions(e.Python)
	}
	for _, c := range r.conda {
		c.sums = nil
	}
	e.condaOwner, e.Warnings = r.condaOwner, r.warnings
	return e, nil
}

// reader is the state of one Read.
type reader struct {
	img        files.Set
	t          *tree
	opts       Options
	env        environ
	os         *ospkg.Database
	conda      []*CondaPackage
	condaOwner map[string]*CondaPackage
	warnings   []string
}

// maxWarnings bounds what a hostile image can make us say.
const maxWarnings = 200

func (r *reader) warn(format string, a ...any) {
	if len(r.warnings) < maxWarnings {
		r.warnings = append(r.warnings, fmt.Sprintf(format, a...))
	}
}

// osRelease returns PRETTY_NAME of os-release(5).
func (r *reader) osRelease() string {
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} {
		b, ok := r.t.ReadFile(name, maxSmall)
		if !ok {
			continue
		}
		for line := range bytes.Lines(b) {
			if v, ok := bytes.CutPrefix(line, []byte("PRETTY_NAME=")); ok {
				return strings.Trim(strings.TrimSpace(string(v)), `"'`)
			}
		}
	}
	return ""
}

// Loader returns the dynamic loader of the interpreter, with the image's own
// LD_LIBRARY_PATH. It is not safe for several goroutines.
func (e *Environment) Loader() (*elfdeps.Loader, error) {
	if e.Python == nil {
		return nil, fmt.Errorf("%s: no Python, so no loader", e.Platform)
	}
	return e.LoaderFor("/" + e.Python.Loader)
}

// LoaderFor returns the dynamic loader for a PT_INTERP.
func (e *Environment) LoaderFor(interp string) (*elfdeps.Loader, error) {
	return elfdeps.NewLoader(newTree(e.Files), interp, elfdeps.LoaderOptions{LibraryPath: e.LibraryPath})
}

// OwnerOf names what a path belongs to apart from Python's distributions:
// a package of the OS or of conda. name is "" if nothing owns it.
func (e *Environment) OwnerOf(path string) (name, version string) {
	if c := e.condaOwner[path]; c != nil {
		return c.Name, c.Version
	}
	if p := e.OS.Owner(path); p != nil {
		return p.Name, p.Version
	}
	return "", ""
}
