package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/r-seed-1713b764/distill/internal/distill"
)

func newRebase(a *app) *cobra.Command {
	var o distill.RebaseOptions
	c := &cobra.Command{
		Use:   "rebase IMAGE --onto BASE [--to REF]...",
		Short: "Put the layers of an image that distill made on a newer base",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("distill rebase IMAGE --onto BASE", "rebase takes one image, not %d", len(args))
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&o.Onto, "onto", "", "new base `IMAGE`")
	f.StringSliceVar(&o.Platforms, "platform", nil, "`PLATFORMS` to take along (default: all of the image)")
	f.BoolVar(&o.Offline, "offline", false, "read images that are on this machine or in the cache only")
	registerPublish(f, &o.Publish)
	f.Lookup("to").Usage = "`REF` to publish to (repeatable; default oci:./NAME-rebased)"
	f.BoolVar(&o.NoVerify, "no-verify", false, "do not prove that the result can run")
	f.StringVar(&o.ImageRefs, "image-refs", "", "write the digest references to `FILE`")

	c.RunE = func(c *cobra.Command, args []string) error {
		o.Image = args[0]
		h, err := a.host(c.Flags(), registries{&o.Publish.Insecure, func() []string { return append([]string{o.Image, o.Onto}, o.Publish.To...) }}, nil)
		if err != nil {
			return err
		}
		if o.Onto == "" {
			return usagef("name the new base image: --onto REF", "rebase needs a base")
		}
		if o.Epoch, err = epoch(a.environ); err != nil {
			return err
		}
		o.Publish.ArchTagsGiven = c.Flags().Changed("arch-tags")
		res, err := distill.Rebase(c.Context(), h, o)
		if err != nil {
			return fail(c.Context(), err)
		}
		a.progress.close()
		if a.progress.forPeople() {
			printRebase(a.stderr, res)
		}
		out := []byte(strings.Join(res.Refs, "\n") + "\n")
		if a.output.json {
			if out, err = res.JSON(); err != nil {
				return err
			}
		}
		_, err = a.stdout.Write(out)
		return err
	}
	return c
}

// printRebase shows what was kept and what the new base weighs.
func printRebase(w io.Writer, res *distill.RebaseResult) {
	for _, p := range res.Platforms {
		fmt.Fprintf(w, "\n%s  %s\n", foreignLine(p.Platform, 40), p.Digest)
		var kept int64
		for _, l := range p.Kept {
			kept += l.Size
		}
		fmt.Fprintf(w, "  base %s -> %s, %s kept (%s)\n", bytesText(p.OldBase), bytesText(p.NewBase), count(len(p.Kept), "layer"), bytesText(kept))
		for _, l := range p.Made {
			fmt.Fprintf(w, "  made anew: %s (%s)\n", cell(l.Name), bytesText(l.Size))
		}
		fmt.Fprintf(w, "  %s uploaded, %s reused\n", bytesText(p.Uploaded), bytesText(p.Reused))
	}
	if len(res.Tags) > 0 {
		fmt.Fprintf(w, "\ntags: %s\n", foreignLine(strings.Join(res.Tags, ", "), 2000))
	}
}
