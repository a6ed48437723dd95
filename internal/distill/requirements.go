package distill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// maxRequirements bounds one requirements file; the largest known has 60 kB.
const maxRequirements = 16 << 20

// asked is what the user wants, from files and flags together.
type asked struct {
	requirements []python.Requirement
	constraints  []python.Requirement
	overrides    []python.Requirement
	options      python.RequirementsOptions
	// buildConstraints are those of build requirements, and of nothing else.
	buildConstraints []python.Requirement
}

// ask reads all requirements, constraints and overrides.
func ask(ctx context.Context, h *Host, o RequirementOptions) (*asked, error) {
	if len(o.Files) == 0 {
		return nil, usagef("name a requirements file: --req requirements.txt", "there is nothing to install")
	}
	a := &asked{}
	a.options.RequireHashes = o.RequireHashes
	for _, name := range o.Files {
		f, err := h.requirementsFile(ctx, name, python.ParseRequirements)
		if err != nil {
			return nil, err
		}
		a.requirements = append(a.requirements, f.Requirements...)
		a.constraints = append(a.constraints, f.Constraints...)
		a.options = joinOptions(a.options, f.Options)
	}
	for _, name := range o.Constraints {
		f, err := h.requirementsFile(ctx, name, python.ParseConstraints)
		if err != nil {
			return nil, err
		}
		a.constraints = append(append(a.constraints, f.Requirements...), f.Constraints...)
		a.options = joinOptions(a.options, f.Options) // which pip heeds, too
	}
	for _, name := range o.Overrides {
		f, err := h.requirementsFile(ctx, name, python.ParseConstraints)
		if err != nil {
			return nil, err
		}
		a.overrides = append(a.overrides, f.Requirements...)
		a.options = joinOptions(a.options, f.Options)
	}
	return a, a.checkHashes()
}

// askBuilds reads the constraints of build requirements. What such a file says of the
// index is passed over: one index serves all.
func (a *asked) askBuilds(ctx context.Context, h *Host, o BuildingOptions) error {
	for _, name := range o.Constraints {
		f, err := h.requirementsFile(ctx, name, python.ParseConstraints)
		if err != nil {
			return err
		}
		a.buildConstraints = append(append(a.buildConstraints, f.Requirements...), f.Constraints...)
	}
	return nil
}

// checkHashes refuses a requirement without a hash where hashes are required, as
// pip does.
func (a *asked) checkHashes() error {
	if !a.options.RequireHashes {
		return nil
	}
	for _, r := range a.requirements {
		if all := r.Specifiers.All(); r.URL == "" && (len(all) != 1 || all[0].Operator() != "==" && all[0].Operator() != "===") {
			return usagef("write "+string(r.Name)+"==VERSION", "%s:%d: %s must be pinned with ==, since hashes are required", r.Pos.File, r.Pos.Line, r.Name)
		}
		if len(r.Hashes) == 0 {
			return usagef("add --hash to it, or take the hashes off all lines",
				"%s:%d: %s has no hash, and hashes are required", r.Pos.File, r.Pos.Line, r.Name)
		}
	}
	return nil
}

// parseFile is [python.ParseRequirements] or [python.ParseConstraints].
type parseFile func(string, python.Opener, func(string) (string, bool)) (*python.RequirementsFile, error)

func (h *Host) requirementsFile(ctx context.Context, name string, parse parseFile) (*python.RequirementsFile, error) {
	f, err := parse(name, func(n string) ([]byte, error) { return h.readText(ctx, n) }, h.Environ)
	if err != nil {
		return nil, &Failure{Kind: Usage, Text: err.Error(), Hint: hintsOf(err)}
	}
	for _, w := range f.Warnings {
		h.Teller.Warn(w)
	}
	return f, nil
}

// readText opens a file or URL that a requirements file may be.
func (h *Host) readText(ctx context.Context, name string) ([]byte, error) {
	if !strings.HasPrefix(name, "http://") && !strings.HasPrefix(name, "https://") {
		return readBounded(name, maxRequirements)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, name, nil)
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{Transport: h.Transport}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %s", resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxRequirements+1))
	if err == nil && len(b) > maxRequirements {
		err = fmt.Errorf("more than %d bytes", maxRequirements)
	}
	return b, err
}

// readBounded reads a local file of at most limit bytes.
func readBounded(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, pathCause(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return b, err
}

// joinOptions adds the options of a further file as pip does: the later index
// URL wins, lists grow.
func joinOptions(a, b python.RequirementsOptions) python.RequirementsOptions {
	if b.IndexURL != "" {
		a.IndexURL = b.IndexURL
	}
	a.ExtraIndexURLs = append(a.ExtraIndexURLs, b.ExtraIndexURLs...)
	a.FindLinks = append(a.FindLinks, b.FindLinks...)
	a.TrustedHosts = append(a.TrustedHosts, b.TrustedHosts...)
	a.NoIndex = a.NoIndex || b.NoIndex
	a.Pre = a.Pre || b.Pre
	a.PreferBinary = a.PreferBinary || b.PreferBinary
	a.RequireHashes = a.RequireHashes || b.RequireHashes
	a.NoBinary = joinFormats(a.NoBinary, b.NoBinary)
	a.OnlyBinary = joinFormats(a.OnlyBinary, b.OnlyBinary)
	return a
}

// joinFormats joins what two places say. Names that one of them takes out of its
// :all: stay out only if the other does not ask for them.
func joinFormats(a, b python.FormatControl) python.FormatControl {
	out := python.FormatControl{All: a.All || b.All, Names: union(a.Names, b.Names)}
	for _, c := range []struct{ one, other python.FormatControl }{{a, b}, {b, a}} {
		for _, n := range c.one.Except {
			if !c.other.Has(n) {
				out.Except = append(out.Except, n)
			}
		}
	}
	out.Except = union(out.Except, nil)
	return out
}

// excludeFormats takes the names that one option gives out of the other's
// :all:, as pip does: --only-binary :all: with --no-binary h5py builds h5py.
func excludeFormats(a, b *python.FormatControl) {
	if a.All != b.All {
		if b.All {
			a, b = b, a
		}
		a.Except = union(a.Except, b.Names)
	}
}

func union(a, b []python.Name) []python.Name {
	return slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(a), b...))))
}

// formats reads the values of --no-binary and --only-binary.
func formats(noBinary, onlyBinary []string) (no, only python.FormatControl, err error) {
	var options [][2]string
	for _, v := range noBinary {
		options = append(options, [2]string{"no-binary", v})
	}
	for _, v := range onlyBinary {
		options = append(options, [2]string{"only-binary", v})
	}
	if no, only, err = python.FormatControls(options...); err != nil {
		err = usagef("", "--no-binary, --only-binary: %v", err)
	}
	return no, only, err
}

func hintsOf(err error) []string {
	var h interface{ Hints() []string }
	if errors.As(err, &h) {
		return h.Hints()
	}
	return nil
}

// pathCause takes the path off an error of the file system, for callers that
// name the file themselves.
func pathCause(err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		return pe.Err
	case errors.As(err, &le):
		return le.Err
	}
	return err
}
