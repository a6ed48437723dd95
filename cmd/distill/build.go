package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/r-seed-1713b764/distill/internal/distill"
)

func newBuild(a *app) *cobra.Command {
	var (
		o            distill.BuildOptions
		img          imageFlags
		imageRefs    string
		metadataFile string
	)
	c := &cobra.Command{
		Use:   "build --from REF --req FILE [--onto REF] [--to REF]...",
		Short: "Make the slim image (the default command)",
		Args:  noArguments,
	}
	f := c.Flags()
	f.StringVar(&o.From, "from", "", "development `IMAGE` that is read")
	f.StringVar(&o.Onto, "onto", "", "slim base `IMAGE` that is built upon (default NAME:TAG-slim, then NAME-slim:TAG)")
	registerRequirements(f, &o.Requirements)
	registerPublish(f, &o.Publish)
	f.StringVar(&o.Lock, "lock", "", "also write what was chosen to the lock `FILE`")
	registerChoice(f, &o.Choice)
	registerIndex(f, &o.Index)
	registerImage(f, &img)
	f.StringVar(&imageRefs, "image-refs", "", "write the digest references to `FILE`")
	f.StringVar(&metadataFile, "metadata-file", "", "write digests, sizes and packages to `FILE` as JSON")

	c.RunE = func(c *cobra.Command, _ []string) error {
		h, err := a.host(c.Flags(), o.Publish.Insecure, &o.Index)
		if err != nil {
			return err
		}
		if !c.HasParent() && o.From == "" && len(o.Requirements.Files) == 0 {
			return c.Help()
		}
		if o.Image, err = img.options(c.Flags()); err != nil {
			return err
		}
		if o.Image.Epoch, err = epoch(a.environ); err != nil {
			return err
		}
		o.Publish.ArchTagsGiven = c.Flags().Changed("arch-tags")
		res, err := distill.Build(c.Context(), h, o)
		if err != nil {
			return fail(c.Context(), err)
		}
		a.progress.close()
		if !a.output.quiet {
			printBuild(a.stderr, res)
		}
		return a.writeBuild(res, imageRefs, metadataFile)
	}
	return c
}

// writeBuild writes the result to stdout and to the files that were asked for.
func (a *app) writeBuild(res *distill.BuildResult, imageRefs, metadataFile string) error {
	var refs []byte
	for _, r := range res.Refs {
		refs = append(refs, r+"\n"...)
	}
	doc, err := json.MarshalIndent(res, "", "  ")
	if err != nil {
		return err
	}
	doc = append(doc, '\n')
	if imageRefs != "" {
		if err := distill.WriteFile(imageRefs, refs); err != nil {
			return err
		}
	}
	if metadataFile != "" {
		if err := distill.WriteFile(metadataFile, doc); err != nil {
			return err
		}
	}
	out := refs
	if a.output.json {
		out = doc
	}
	_, err = a.stdout.Write(out)
	return err
}

// epoch is the one time stamp in the result: SOURCE_DATE_EPOCH, else the first
// time that zip files and byte code can express everywhere.
func epoch(environ func(string) (string, bool)) (time.Time, error) {
	earliest := time.Date(1980, 1, 2, 0, 0, 0, 0, time.UTC)
	text, ok := environ("SOURCE_DATE_EPOCH")
	if !ok || text == "" {
		return earliest, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > 253402300799 { // year 9999, the end of RFC 3339
		return earliest, usagef("use seconds since 1970", "SOURCE_DATE_EPOCH %q is no time", text)
	}
	if t := time.Unix(n, 0).UTC(); t.After(earliest) {
		return t, nil
	}
	return earliest, nil
}

func newLock(a *app) *cobra.Command {
	var o distill.LockOptions
	c := &cobra.Command{
		Use:   "lock --req FILE (--from REF | --python-version X.Y --libc L) [-o pylock.toml]",
		Short: "Resolve for all platforms and write pylock.toml (PEP 751)",
		Args:  noArguments,
	}
	f := c.Flags()
	f.StringVar(&o.From, "from", "", "development `IMAGE` whose interpreters and packages count")
	registerRequirements(f, &o.Requirements)
	f.StringVarP(&o.Output, "output", "o", "pylock.toml", "lock `FILE`, - for stdout")
	registerChoice(f, &o.Choice)
	registerIndex(f, &o.Index)
	var insecure bool
	f.BoolVar(&insecure, "insecure", false, "speak plain HTTP to registries, or do not verify their certificate")
	c.RunE = func(c *cobra.Command, _ []string) error {
		h, err := a.host(c.Flags(), insecure, &o.Index)
		if err != nil {
			return err
		}
		res, err := distill.Lock(c.Context(), h, o)
		if err != nil {
			return fail(c.Context(), err)
		}
		a.progress.close()
		if !a.output.quiet {
			printLock(a.stderr, res)
		}
		if o.Output == "-" {
			_, err := a.stdout.Write(res.Text)
			return err
		}
		if a.output.json {
			return json.NewEncoder(a.stdout).Encode(res)
		}
		return nil
	}
	return c
}

func newCache(a *app) *cobra.Command {
	c := &cobra.Command{Use: "cache info|prune|clean", Short: "Show or empty the cache", Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		h, err := a.host(c.Flags(), false, nil)
		if err != nil {
			return err
		}
		switch args[0] {
		case "info":
			info, err := h.Cache.Info()
			if err != nil {
				return err
			}
			if a.output.json {
				return json.NewEncoder(a.stdout).Encode(info)
			}
			fmt.Fprintf(a.stdout, "%s\n", info.Path)
			for _, b := range info.Buckets {
				fmt.Fprintf(a.stdout, "  %-10s %7d entries  %s\n", b.Name, b.Entries, bytesText(b.Bytes))
			}
			return nil
		case "prune":
			freed, err := h.Cache.Prune()
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stderr, "%s freed\n", bytesText(freed))
			return nil
		case "clean":
			return h.Cache.Clean()
		}
		return usagef("use info, prune or clean", "unknown cache command %q", args[0])
	}
	return c
}
