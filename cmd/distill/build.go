package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/r-seed-1713b764/distill/internal/distill"
)

func newBuild(a *app) *cobra.Command {
	var (
		o        distill.BuildOptions
		img      imageFlags
		noVerify bool
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
	registerPins(f, &o.Pins, "lock `FILE`: what it pins is kept, and it is written anew")
	registerChoice(f, &o.Choice)
	registerIndex(f, &o.Index)
	registerBuilding(f, &o.Building)
	registerImage(f, &img)
	f.BoolVar(&noVerify, "no-verify", false, "make the image even if it is known not to work")
	f.StringVar(&o.ImageRefs, "image-refs", "", "write the digest references to `FILE`")
	f.StringVar(&o.MetadataFile, "metadata-file", "", "write digests, sizes and packages to `FILE` as JSON")

	c.RunE = func(c *cobra.Command, _ []string) error {
		h, err := a.host(c.Flags(), registries{&o.Publish.Insecure, func() []string { return append([]string{o.From, o.Onto, o.Building.WheelCache}, o.Publish.To...) }}, &o.Index)
		if err != nil {
			return err
		}
		if !c.HasParent() && o.From == "" && len(o.Requirements.Files) == 0 {
			return c.Help()
		}
		if err := a.settleBuilding(&o.Building); err != nil {
			return err
		}
		if o.Image, err = img.options(c.Flags()); err != nil {
			return err
		}
		o.Image.NoVerify = noVerify
		if o.Image.Epoch, err = epoch(a.environ); err != nil {
			return err
		}
		o.Pins.Missing = true // it is written after the build
		o.Publish.ArchTagsGiven = c.Flags().Changed("arch-tags")
		res, err := distill.Build(c.Context(), h, o)
		if err != nil {
			return fail(c.Context(), err)
		}
		a.progress.close()
		if a.progress.forPeople() {
			printBuild(a.stderr, res, a.output.verbose)
		}
		return a.writeBuild(res)
	}
	return c
}

// writeBuild writes the result to stdout.
func (a *app) writeBuild(res *distill.BuildResult) error {
	out := []byte(strings.Join(res.Refs, "\n") + "\n")
	if a.output.json {
		var err error
		if out, err = res.JSON(); err != nil {
			return err
		}
	}
	_, err := a.stdout.Write(out)
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
