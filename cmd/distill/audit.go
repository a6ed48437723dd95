package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/distill"
	"github.com/r-seed-1713b764/distill/internal/osv"
)

func newAudit(a *app) *cobra.Command {
	var o distill.AuditOptions
	c := &cobra.Command{
		Use:   "audit [pylock.toml | IMAGE]",
		Short: "Look for known vulnerabilities, and for what is wrong with a lock",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("distill audit pylock.toml", "audit takes one lock file or image, not %d", len(args))
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&o.OSVURL, "osv-url", osv.DefaultURL, "`URL` of the advisory service, with the API of OSV")
	f.StringVar(&o.OSVDB, "osv-db", "", "read advisories from `FILE|DIR` instead: the export of OSV for PyPI (all.zip), or its records")
	f.StringArrayVar(&o.Ignore, "ignore", nil, "accept the finding `ID[:REASON][:UNTIL]` (advisory, rule, or rule/package; until 2026-12-31; repeatable)")
	f.StringVar(&o.Severity, "severity", "low", "exit with 1 from this severity on: low, medium, high or critical")
	var sarif bool
	f.BoolVar(&sarif, "sarif", false, "write the findings to stdout as SARIF 2.1.0")
	f.StringVar(&o.Image, "image", "", "the `IMAGE` that the lock is to run on (default: what the lock or the flags describe)")
	registerRequirements(f, &o.Requirements)
	registerChoice(f, &o.Choice)
	registerIndex(f, &o.Index)
	var insecure bool
	f.BoolVar(&insecure, "insecure", false, "speak plain HTTP to registries, or do not verify their certificate")
	c.RunE = func(c *cobra.Command, args []string) error {
		o.Subject = "pylock.toml"
		if len(args) == 1 {
			o.Subject = args[0]
		}
		h, err := a.host(c.Flags(), registries{&insecure, func() []string { return append([]string{o.Image}, args...) }}, &o.Index)
		if err != nil {
			return err
		}
		if sarif && a.output.json {
			return usagef("", "--sarif and --json exclude each other")
		}
		if o.Today, err = today(a.environ); err != nil {
			return err
		}
		res, err := distill.Audit(c.Context(), h, o)
		if err != nil {
			return fail(c.Context(), err)
		}
		a.progress.close()
		if err := a.writeAudit(res, sarif); err != nil {
			return err
		}
		if res.Failing > 0 {
			return &found{count(res.Failing, "finding") + " in " + res.Subject}
		}
		return nil
	}
	return c
}

// today is the day that decides whether an ignore has expired: that of
// SOURCE_DATE_EPOCH, so that an audit can be repeated, else of the clock.
func today(environ func(string) (string, bool)) (time.Time, error) {
	text, ok := environ("SOURCE_DATE_EPOCH")
	if !ok || text == "" {
		return time.Now().UTC(), nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, usagef("use seconds since 1970", "SOURCE_DATE_EPOCH %q is no time", text)
	}
	return time.Unix(n, 0).UTC(), nil
}

// writeAudit writes the findings to stdout.
func (a *app) writeAudit(res *distill.AuditResult, sarif bool) error {
	return a.writeFindings(res, res.Findings, res.Ignored, sarif, func() {
		if !a.output.quiet || len(res.Findings) > 0 {
			printAudit(a.stdout, res)
		}
	})
}

// writeFindings writes a result to stdout: its findings as SARIF, all of it as JSON if that
// is asked for, else whatever show writes.
func (a *app) writeFindings(res any, open []audit.Finding, ignored []audit.Ignored, sarif bool, show func()) error {
	switch {
	case sarif:
		text, err := audit.SARIF(version(), open, ignored)
		if err != nil {
			return err
		}
		_, err = a.stdout.Write(text)
		return err
	case a.output.json:
		e := json.NewEncoder(a.stdout)
		e.SetIndent("", "  ")
		return e.Encode(res)
	}
	show()
	return nil
}

// printAudit shows a line about what was judged and a paragraph for each finding.
func printAudit(w io.Writer, res *distill.AuditResult) {
	what := count(res.Packages, "package")
	if res.Tools > 0 {
		what += ", built with " + count(res.Tools, "build requirement") + ","
	}
	fmt.Fprintf(w, "%s: %s on %s, %s", cell(res.Subject), what, cell(strings.Join(res.Platforms, " and ")), count(len(res.Findings), "finding"))
	if n := len(res.Ignored); n > 0 {
		fmt.Fprintf(w, ", %d ignored", n)
	}
	fmt.Fprintln(w)
	for i := range res.Findings {
		printFinding(w, &res.Findings[i], len(res.Platforms))
	}
}

func printFinding(w io.Writer, x *audit.Finding, platforms int) {
	place := x.Place.File
	if x.Place.Line > 0 {
		place = fmt.Sprintf("%s:%d", place, x.Place.Line)
	}
	fmt.Fprintf(w, "\n%s: %s", cell(place), x.Severity)
	if x.Score > 0 {
		fmt.Fprintf(w, " %.1f", x.Score)
	}
	fmt.Fprintf(w, " %s", x.Code)
	if x.Package != "" {
		fmt.Fprintf(w, ": %s", strings.TrimSpace(cell(string(x.Package))+" "+cell(x.Version)))
	}
	if n := len(x.Platforms); n > 0 && n < platforms {
		fmt.Fprintf(w, " [%s]", cell(strings.Join(x.Platforms, ", ")))
	}
	fmt.Fprintln(w)
	if !strings.HasPrefix(x.ID, x.Code+"/") {
		fmt.Fprintf(w, "  %s\n", cell(strings.Join(append([]string{x.ID}, x.Aliases...), ", ")))
	}
	fmt.Fprintf(w, "  %s\n", foreignLine(x.Message, 1000))
	fmt.Fprintf(w, "  -> %s\n", foreignLine(x.Fix, 1000))
}
