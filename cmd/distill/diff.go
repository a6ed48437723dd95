package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/r-seed-1713b764/distill/internal/distill"
)

func newDiff(a *app) *cobra.Command {
	var o distill.DiffOptions
	c := &cobra.Command{
		Use:   "diff A B",
		Short: "Compare two lock files or two images, platform by platform",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("distill diff A B", "diff takes two lock files or two images, not %d", len(args))
			}
			return nil
		},
	}
	c.Flags().StringSliceVar(&o.Platforms, "platform", nil, "`PLATFORMS` to look at (default: all)")
	c.Flags().BoolVar(&o.Offline, "offline", false, "use the network for nothing")
	var insecure bool
	c.Flags().BoolVar(&insecure, "insecure", false, "speak plain HTTP to registries, or do not verify their certificate")
	c.RunE = func(c *cobra.Command, args []string) error {
		h, err := a.host(c.Flags(), registries{&insecure, func() []string { return args }}, nil)
		if err != nil {
			return err
		}
		o.A, o.B = args[0], args[1]
		res, err := distill.Diff(c.Context(), h, o)
		if err != nil {
			return fail(c.Context(), err)
		}
		a.progress.close()
		if a.output.json {
			e := json.NewEncoder(a.stdout)
			e.SetIndent("", "  ")
			if err := e.Encode(res); err != nil {
				return err
			}
		} else {
			printDiff(a.stdout, res)
		}
		if !res.Same() {
			return &found{res.A + " and " + res.B + " differ"}
		}
		return nil
	}
	return c
}

// printDiff shows what differs: - is the first side, + the second.
func printDiff(w io.Writer, res *distill.DiffResult) {
	for _, c := range res.Settings {
		fmt.Fprintf(w, "%s%s: %s -> %s\n", cell(c.What), on(c.Platform), orNothing(c.A), orNothing(c.B))
	}
	for _, g := range res.Images {
		fmt.Fprintf(w, "layers%s: %d shared, %d replaced by %d, %s -> %s\n", on(g.Platform), g.Shared, len(g.LayersA), len(g.LayersB),
			bytesText(g.SizeA), bytesText(g.SizeB))
		for _, l := range g.LayersA {
			fmt.Fprintf(w, "  - %s %s\n", cell(l.DiffID), bytesText(l.Size))
		}
		for _, l := range g.LayersB {
			fmt.Fprintf(w, "  + %s %s\n", cell(l.DiffID), bytesText(l.Size))
		}
		fmt.Fprintf(w, "pull%s: %s more for who has the first\n", on(g.Platform), bytesText(g.Pull))
		if f := g.Files; f.Added+f.Removed+f.Changed > 0 {
			fmt.Fprintf(w, "files%s: %d added, %d removed, %d changed\n", on(g.Platform), f.Added, f.Removed, f.Changed)
		}
	}
	for i := range res.Packages {
		printGap(w, &res.Packages[i])
	}
	for i := range res.Builds {
		printBuildGap(w, &res.Builds[i])
	}
}

func printBuildGap(w io.Writer, g *distill.BuildGap) {
	what := "building " + g.Name + " " + g.Version
	if g.Tool {
		what += " (build requirement)"
	}
	if g.OneSided {
		what += ", which only one of the locks tells about"
	}
	fmt.Fprintf(w, "~ %s%s:\n", cell(what), on(strings.Join(g.Platforms, ", ")))
	for _, c := range g.Changes {
		fmt.Fprintf(w, "    %s: %s -> %s\n", cell(c.What), orNothing(c.A), orNothing(c.B))
	}
}

func printGap(w io.Writer, g *distill.PackageGap) {
	name := cell(g.Name)
	if g.System {
		name += " (operating system)"
	}
	where := on(strings.Join(g.Platforms, ", "))
	switch g.Kind {
	case "added":
		fmt.Fprintf(w, "+ %s %s%s\n", name, cell(g.B), where)
	case "removed":
		fmt.Fprintf(w, "- %s %s%s\n", name, cell(g.A), where)
	case "files":
		fmt.Fprintf(w, "~ %s %s%s: %s\n", name, cell(g.A), where, count(len(g.Files), "file"))
		for _, f := range g.Files {
			fmt.Fprintf(w, "    %s: %s -> %s\n", cell(f.What), orNothing(f.A), orNothing(f.B))
		}
	default:
		fmt.Fprintf(w, "~ %s %s -> %s%s\n", name, cell(g.A), cell(g.B), where)
	}
}

func on(platform string) string {
	if platform == "" {
		return ""
	}
	return " [" + cell(platform) + "]"
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return cell(s)
}
