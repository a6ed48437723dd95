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
}

// ask reads all requirements, constraints and overrides.
func ask(ctx context.Context, h *Host, o RequirementOptions) (*asked, error) {
	if len(o.Files) == 0 {
		return nil, usagef("name a requirements file: --req requirements.txt", "there is nothing to install")
	}
	a := &asked{}
	a.options.RequireHashes = o.RequireHashes
	for _, name := range o.Files {
		f, err := h.requirementsFile(ctx, name)
		if err != nil {
			return nil, err
		}
		a.requirements = append(a.requirements, f.Requirements...)
		a.constraints = append(a.constraints, f.Constraints...)
		a.options = joinOptions(a.options, f.Options)
	}
	for _, name := range o.Constraints {
		f, err := h.requirementsFile(ctx, name)
		if err != nil {
			return nil, err
		}
		a.constraints = append(append(a.constraints, f.Requirements...), f.Constraints...)
	}
	for _, name := range o.Overrides {
		f, err := h.requirementsFile(ctx, name)
		if err != nil {
			return nil, err
		}
		a.overrides = append(a.overrides, f.Requirements...)
	}
	return a, nil
}

func (h *Host) requirementsFile(ctx context.Context, name string) (*python.RequirementsFile, error) {
	f, err := python.ParseRequirements(name, func(n string) ([]byte, error) { return h.readText(ctx, n) }, h.Environ)
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

func joinFormats(a, b python.FormatControl) python.FormatControl {
	a.All = a.All || b.All
	a.Names = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(a.Names), b.Names...))))
	return a
}

// formats reads the values of --no-binary and --only-binary: names, :all: and
// :none:, later ones over earlier ones.
func formats(flag string, values []string) (python.FormatControl, error) {
	var out python.FormatControl
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			switch part = strings.TrimSpace(part); part {
			case "":
			case ":all:":
				out = python.FormatControl{All: true}
			case ":none:":
				out = python.FormatControl{}
			default:
				n, err := python.ParseName(part)
				if err != nil {
					return out, usagef("", "%s: %v", flag, err)
				}
				out = joinFormats(out, python.FormatControl{Names: []python.Name{n}})
			}
		}
	}
	return out, nil
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
