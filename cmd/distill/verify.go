package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/distill"
)

func newVerify(a *app) *cobra.Command {
	var o distill.VerifyOptions
	c := &cobra.Command{
		Use:   "verify IMAGE",
		Short: "Tell whether an image will run: imports, libraries, links, lists of files, requirements",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("distill verify IMAGE", "verify takes one image, not %d", len(args))
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringSliceVar(&o.Platforms, "platform", nil, "`PLATFORMS` to look at (default: all)")
	f.StringArrayVar(&o.Ignore, "ignore", nil, "accept the finding `ID[:REASON][:UNTIL]` (rule, or rule/package; until 2026-12-31; repeatable)")
	f.StringArrayVar(&o.Without, "without", nil, "judge the image as if `PATH` were not in it (repeatable)")
	var sarif, insecure, run bool
	var runOptions distill.RunOptions
	f.BoolVar(&run, "run", false, "also import every module, by the image's own Python in a sandbox without a network")
	f.StringArrayVar(&runOptions.Smoke, "smoke", nil, "run the Python script `FILE` in the image as well; it has to end with code 0 (repeatable, implies --run)")
	f.StringVar(&runOptions.Engine, "engine", "auto", "`ENGINE` of the sandbox: "+strings.Join(distill.LocalEngines(), ", "))
	f.BoolVar(&sarif, "sarif", false, "write the findings to stdout as SARIF 2.1.0")
	f.BoolVar(&insecure, "insecure", false, "speak plain HTTP to registries, or do not verify their certificate")
	c.RunE = func(c *cobra.Command, args []string) error {
		h, err := a.host(c.Flags(), registries{&insecure, func() []string { return args }}, nil)
		if err != nil {
			return err
		}
		if sarif && a.output.json {
			return usagef("", "--sarif and --json exclude each other")
		}
		if o.Today, err = today(a.environ); err != nil {
			return err
		}
		o.Image = args[0]
		if run || len(runOptions.Smoke) > 0 {
			o.Run = &runOptions
		}
		res, err := distill.Verify(c.Context(), h, o)
		if err != nil {
			return fail(c.Context(), err)
		}
		a.progress.close()
		if err := a.writeVerify(res, sarif); err != nil {
			return err
		}
		if res.Failing > 0 {
			return &found{count(res.Failing, "finding") + " in " + res.Subject}
		}
		return nil
	}
	return c
}

// writeVerify writes the findings to stdout.
func (a *app) writeVerify(res *distill.VerifyResult, sarif bool) error {
	return a.writeFindings(res, res.Findings, res.Ignored, sarif, func() {
		if !a.output.quiet || res.Failing > 0 {
			printVerify(a.stdout, res, a.output.verbose)
		}
	})
}

// printVerify shows a line about what was judged and a paragraph for each finding; those
// that are merely worth knowing only if asked for.
func printVerify(w io.Writer, res *distill.VerifyResult, all bool) {
	warnings, notes := 0, 0
	for i := range res.Findings {
		switch x := &res.Findings[i]; {
		case x.Severity.AtLeast(audit.High):
		case x.Severity == audit.Low:
			notes++
		default:
			warnings++
		}
	}
	fmt.Fprintf(w, "%s: %s on %s: %s, %s, %s", cell(res.Subject), count(res.Packages, "package"), cell(strings.Join(res.Platforms, " and ")),
		count(res.Failing, "error"), count(warnings, "warning"), count(notes, "note"))
	if n := len(res.Ignored); n > 0 {
		fmt.Fprintf(w, ", %d ignored", n)
	}
	if notes > 0 && !all {
		fmt.Fprint(w, " (-v shows notes)")
	}
	fmt.Fprintln(w)
	for i := range res.Runs {
		printRun(w, &res.Runs[i], all)
	}
	for i := range res.Findings {
		if x := &res.Findings[i]; all || x.Severity != audit.Low {
			printFinding(w, x, len(res.Platforms))
		}
	}
}

// printRun shows what running one platform came to.
func printRun(w io.Writer, r *distill.RunResult, all bool) {
	fmt.Fprintf(w, "%s: %s imported", cell(r.Platform), count(r.Modules, "module"))
	for _, s := range r.Smoke {
		word := "ran"
		if !s.OK {
			word = "failed"
		}
		fmt.Fprintf(w, ", %s %s (%.1f s)", cell(filepath.Base(s.File)), word, s.Seconds)
	}
	if n := len(r.Optional); n > 0 {
		fmt.Fprintf(w, ", %s not, which want more than their packages ask for", count(n, "module"))
		if !all {
			fmt.Fprint(w, " (-v names them)")
		}
	}
	if r.Emulated != "" {
		fmt.Fprintf(w, "; %s", cell(r.Emulated))
	}
	fmt.Fprintln(w)
	if all {
		for _, n := range r.Optional {
			fmt.Fprintf(w, "  %s: %s\n", cell(n.Module), cell(n.Text))
		}
	}
}
