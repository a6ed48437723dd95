package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/r-seed-1713b764/distill/internal/cache"
)

// pruneAge is what "cache prune" leaves: a package that no build wanted for a
// month is not likely to be wanted again.
const pruneAge = 30 * 24 * time.Hour

func newCache(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "cache info|prune|clean",
		Short: "Show the cache, empty it, or take away what was not used for a month",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("use info, prune or clean", "cache takes one word, not %d", len(args))
			}
			return nil
		},
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		h, err := a.host(c.Flags(), registries{}, nil)
		if err != nil {
			return err
		}
		switch args[0] {
		case "info":
			usage, err := h.Cache.Info(c.Context())
			if err != nil {
				return err
			}
			if a.output.json {
				return json.NewEncoder(a.stdout).Encode(usage)
			}
			fmt.Fprintf(a.stdout, "%s\n", foreignLine(h.Cache.Path(), 1000))
			for _, u := range usage {
				fmt.Fprintf(a.stdout, "  %-10s %7d files  %s\n", cell(u.Part), u.Files, bytesText(u.Bytes))
			}
			return nil
		case "prune", "clean":
			remove := h.Cache.Clean
			if args[0] == "prune" {
				remove = func(ctx context.Context) (cache.Usage, error) { return h.Cache.Prune(ctx, time.Now().Add(-pruneAge)) }
			}
			gone, err := remove(c.Context())
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stderr, "%d files removed, %s\n", gone.Files, bytesText(gone.Bytes))
			return nil
		}
		return usagef("use info, prune or clean", "unknown cache command %q", args[0])
	}
	return c
}
