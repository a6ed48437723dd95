package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/r-seed-1713b764/distill/internal/distill"
)

// printBuild shows what was made: one table for each platform, sizes before and
// after, where each package came from, what each layer holds, what was trimmed.
func printBuild(w io.Writer, res *distill.BuildResult, verbose bool) {
	for _, p := range res.Platforms {
		fmt.Fprintf(w, "\n%s  %s\n", foreignLine(p.Platform, 40), p.Digest)
		t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		fmt.Fprint(t, "  PACKAGE\tVERSION\tFROM\tSIZE\tWHY\n")
		for _, k := range p.Packages {
			size := bytesText(k.Size)
			if k.From == "base" {
				size = "-"
			}
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\n", cell(k.Name), cell(k.Version), cell(k.From), size, cell(k.Why))
		}
		fmt.Fprint(t, "\n  LAYER\tCOMPRESSED\n")
		for _, l := range p.Layers {
			fmt.Fprintf(t, "  %s\t%s\n", cell(l.Name), bytesText(l.Size))
		}
		t.Flush()
		printTrimmed(w, p.Trimmed, verbose)
		fmt.Fprintf(w, "  development image %s -> %s (base %s + %s in %s)\n", bytesText(p.DevSize), bytesText(p.BaseSize+p.Added),
			bytesText(p.BaseSize), bytesText(p.Added), count(len(p.Layers), "layer"))
		fmt.Fprintf(w, "  %s uploaded, %s reused\n", bytesText(p.Uploaded), bytesText(p.Reused))
	}
	if len(res.Tags) > 0 {
		fmt.Fprintf(w, "\ntags: %s\n", foreignLine(strings.Join(res.Tags, ", "), 2000))
	}
}

func printLock(w io.Writer, res *distill.LockResult) {
	where := res.Path
	if where == "" {
		where = "the lock"
	}
	fmt.Fprintf(w, "%s: %s\n", foreignLine(where, 400), count(res.Packages, "package"))
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, r := range res.Rows {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", cell(r.Name), cell(r.Version), cell(ways(r, res.Targets)))
	}
	t.Flush()
	for _, n := range slices.Sorted(maps.Keys(res.Split)) {
		fmt.Fprintf(w, "  %s differs between platforms: %s\n", cell(n), cell(res.Split[n]))
	}
}

// ways says how a pick gets onto the platforms: one word where it is the same on
// all of them.
func ways(r distill.LockRow, targets []string) string {
	var each []string
	same := true
	for _, t := range targets {
		way := r.On[t]
		if way == "build" {
			way = "source build"
		}
		if way == "" {
			way = "not needed"
		}
		each = append(each, t+" "+way)
		same = same && r.On[t] == r.On[targets[0]]
	}
	if same {
		_, way, _ := strings.Cut(each[0], " ")
		return way
	}
	return strings.Join(each, ", ")
}

// cell is foreign text in a table.
func cell(s string) string { return foreignLine(s, 200) }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
