package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/r-seed-1713b764/distill/internal/distill"
)

func newExplain(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "explain LOCK NAME",
		Short: "Show why a package is in a lock: who wants it, why this version, why this file",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("distill explain pylock.toml NAME", "explain takes a lock and a name, not %d words", len(args))
			}
			return nil
		},
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if _, err := a.host(c.Flags(), registries{}, nil); err != nil {
			return err
		}
		list, err := distill.Explain(args[0], args[1])
		if err != nil {
			return err
		}
		if a.output.json {
			e := json.NewEncoder(a.stdout)
			e.SetIndent("", "  ")
			return e.Encode(list)
		}
		for i, e := range list {
			if i > 0 {
				fmt.Fprintln(a.stdout)
			}
			printExplanation(a.stdout, e)
		}
		return nil
	}
	return c
}

func printExplanation(w io.Writer, e distill.Explanation) {
	title := e.Name + " " + e.Version
	if len(e.Extras) > 0 {
		title += " with [" + strings.Join(e.Extras, ", ") + "]"
	}
	if e.Tool {
		title += ", a build requirement, which is not installed"
	}
	fmt.Fprintln(w, cell(title))
	if e.Why != "" {
		fmt.Fprintf(w, "  why this version\n    %s\n", cell(e.Why))
	}
	printList(w, "wanted by", e.Wanted)
	if len(e.Chain) > 2 {
		fmt.Fprintf(w, "  the shortest way to it\n    %s\n", foreignLine(strings.Join(e.Chain, " -> "), 1000))
	}
	if len(e.Files) > 0 {
		fmt.Fprintln(w, "  on")
	}
	for _, f := range e.Files {
		what := "files of the development image"
		switch f.From {
		case "wheel":
			what = f.File
		case "build":
			what = f.File + ", to be built: " + f.Why
		}
		if f.Size > 0 {
			what += ", " + bytesText(f.Size)
		}
		fmt.Fprintf(w, "    %s: %s\n", cell(f.Platform), cell(what))
	}
	for _, b := range e.Builds {
		where := on(strings.Join(b.Platforms, ", "))
		if len(b.Requires) == 0 {
			fmt.Fprintf(w, "  built with nothing%s\n", where)
		}
		printList(w, "built with"+where, b.Requires)
		printList(w, "its back end asks for"+where, b.Asked)
	}
	if len(e.Uses) > 0 {
		fmt.Fprintln(w, "  built with it")
	}
	for _, u := range e.Uses {
		what := u.Name + " " + u.Version
		if u.Tool {
			what += ", a build requirement"
		}
		fmt.Fprintf(w, "    %s%s\n", cell(what), on(strings.Join(u.Platforms, ", ")))
	}
	printList(w, "passed over", e.Passed)
	if e.Note != "" {
		fmt.Fprintf(w, "  note: %s\n", cell(e.Note))
	}
}

func printList(w io.Writer, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "  %s\n", title)
	for _, l := range lines {
		fmt.Fprintf(w, "    %s\n", foreignLine(l, 500))
	}
}
