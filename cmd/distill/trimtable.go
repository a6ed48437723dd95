package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/r-seed-1713b764/distill/internal/distill"
)

// printTrimmed tells what --trim left out: one line with what each rule saved, the most
// first, and with verbose a table of each package and rule.
func printTrimmed(w io.Writer, list []distill.TrimResult, verbose bool) {
	if len(list) == 0 {
		return
	}
	if verbose {
		t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		fmt.Fprint(t, "\n  TRIMMED\tWHAT\tFILES\tSIZE\n")
		for _, r := range list {
			fmt.Fprintf(t, "  %s\t%s\t%d\t%s\n", cell(r.Owner), cell(r.Rule), r.Files, bytesText(r.Size))
		}
		t.Flush()
	}
	var total int64
	var rules []distill.TrimResult
	for _, r := range list {
		total += r.Size
		i := slices.IndexFunc(rules, func(o distill.TrimResult) bool { return o.Rule == r.Rule })
		if i < 0 {
			rules = append(rules, r)
			continue
		}
		rules[i].Size += r.Size
	}
	slices.SortFunc(rules, func(a, b distill.TrimResult) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), strings.Compare(a.Rule, b.Rule))
	})
	var each []string
	for _, r := range rules {
		each = append(each, foreignLine(r.Rule, 40)+" "+bytesText(r.Size))
	}
	fmt.Fprintf(w, "  trimmed %s: %s\n", bytesText(total), strings.Join(each, ", "))
}
