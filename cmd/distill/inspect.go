package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/r-seed-1713b764/distill/internal/distill"
)

func newInspect(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "inspect IMAGE",
		Short: "Show what is inside an image: Python, libc, packages, per platform and the differences",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("distill inspect IMAGE", "inspect takes one image, not %d", len(args))
			}
			return nil
		},
	}
	var platforms []string
	var insecure bool
	c.Flags().StringSliceVar(&platforms, "platform", nil, "`PLATFORMS` to look at (default: all)")
	c.Flags().BoolVar(&insecure, "insecure", false, "speak plain HTTP to registries, or do not verify their certificate")
	c.RunE = func(c *cobra.Command, args []string) error {
		h, err := a.host(c.Flags(), registries{&insecure, func() []string { return args }}, nil)
		if err != nil {
			return err
		}
		res, err := distill.Inspect(c.Context(), h, args[0], platforms)
		if err != nil {
			return fail(c.Context(), err)
		}
		a.progress.close()
		if a.output.json {
			e := json.NewEncoder(a.stdout)
			e.SetIndent("", "  ")
			return e.Encode(res)
		}
		printInspect(a.stdout, res)
		return nil
	}
	return c
}

// printInspect shows an image: a paragraph for each platform, one table of the
// packages of all, and what differs.
func printInspect(w io.Writer, res *distill.InspectResult) {
	fmt.Fprintf(w, "%s  %s\n", cell(res.Ref), res.Digest)
	for _, p := range res.Platforms {
		fmt.Fprintf(w, "\n%s  %s  %s in %s files", cell(p.Platform), cell(p.OS), bytesText(p.Size), fmt.Sprint(p.Files))
		fmt.Fprintf(w, "  %s\n", p.Digest)
		if len(p.Interpreters) == 0 {
			fmt.Fprintln(w, "  no Python")
		}
		for i, py := range p.Interpreters {
			mark := "  also "
			if i == 0 {
				mark = "  "
			}
			fmt.Fprintf(w, "%s%s %s  /%s  %s, packages in /%s, %s by /%s\n", mark, cell(py.Implementation), cell(py.Version), cell(py.Path),
				cell(py.Scheme), cell(py.Packages), cell(py.Libc), cell(py.Loader))
		}
		fmt.Fprintf(w, "  %s, %s of the operating system\n", count(len(p.Distributions), "distribution"), count(len(p.OSPackages), "package"))
		for _, text := range p.Warnings {
			fmt.Fprintf(w, "  note: %s\n", cell(text))
		}
	}
	printDistributions(w, res)
	printDifferences(w, res)
}

// printDistributions shows the packages of all platforms in one table, versions
// side by side only where they differ.
func printDistributions(w io.Writer, res *distill.InspectResult) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	defer t.Flush()
	fmt.Fprint(t, "\nPACKAGE\tVERSION\tKIND\tWHERE\tSIZE\tNOTES\n")
	type line struct {
		text      string
		platforms []string
	}
	var lines []*line
	index := map[string]*line{}
	for _, p := range res.Platforms {
		for _, d := range p.Distributions {
			text := strings.Join([]string{
				cell(d.Name), cell(d.Version), cell(d.Kind), "/" + cell(d.Location), bytesText(rounded(d.Size)), cell(notes(d)),
			}, "\t")
			if index[text] == nil {
				index[text] = &line{text: text}
				lines = append(lines, index[text])
			}
			index[text].platforms = append(index[text].platforms, p.Platform)
		}
	}
	slices.SortStableFunc(lines, func(a, b *line) int { return strings.Compare(a.text, b.text) })
	for _, l := range lines {
		only := ""
		if len(l.platforms) < len(res.Platforms) {
			only = " [" + strings.Join(l.platforms, ", ") + "]"
		}
		fmt.Fprintf(t, "%s%s\n", l.text, only)
	}
}

// rounded makes the sizes of one package on two platforms, which differ by a few
// percent of machine code, fall on one line.
func rounded(size int64) int64 {
	const step = 1e5
	if size < 10*step {
		return size
	}
	return size / step * step
}

// notes says in few words what is unusual about a distribution.
func notes(d distill.InspectDistribution) string {
	var out []string
	if d.Shadowed {
		out = append(out, "shadowed")
	}
	if d.Editable != "" {
		out = append(out, "editable from /"+d.Editable)
	}
	if d.Owner != "" {
		out = append(out, "of "+d.Owner)
	}
	if n := len(d.Modified); n > 0 {
		out = append(out, count(n, "modified file"))
	}
	if n := len(d.Missing); n > 0 {
		out = append(out, count(n, "missing file"))
	}
	if d.Refused != "" {
		out = append(out, "refused: "+d.Refused)
	}
	if len(d.Libraries) > 0 {
		out = append(out, "needs "+strings.Join(d.Libraries, " "))
	}
	return strings.Join(out, "; ")
}

func printDifferences(w io.Writer, res *distill.InspectResult) {
	if len(res.Platforms) < 2 {
		return
	}
	fmt.Fprintln(w, "\nwhat differs between the platforms:")
	if len(res.Differences) == 0 {
		fmt.Fprintln(w, "  nothing")
	}
	for _, d := range res.Differences {
		var values []string
		for _, p := range res.Platforms {
			v := d.Values[p.Platform]
			if v == "" {
				v = "-"
			}
			values = append(values, p.Platform+" "+cell(v))
		}
		fmt.Fprintf(w, "  %s: %s\n", cell(d.What), strings.Join(values, ", "))
	}
}
