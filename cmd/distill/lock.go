package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/r-seed-1713b764/distill/internal/distill"
)

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
	f.StringVar(&o.Onto, "onto", "", "slim base `IMAGE` that the packages shall run on (default: the development image)")
	registerPins(f, &o.Pins, "earlier lock `FILE` whose pins are kept (default: that of --output)")
	f.StringVarP(&o.Output, "output", "o", "pylock.toml", "lock `FILE` that is written, - for stdout (default: that of --lock)")
	registerChoice(f, &o.Choice)
	registerIndex(f, &o.Index)
	registerBuilding(f, &o.Building)
	var insecure bool
	f.BoolVar(&insecure, "insecure", false, "speak plain HTTP to registries, or do not verify their certificate")
	c.RunE = func(c *cobra.Command, _ []string) error {
		h, err := a.host(c.Flags(), registries{&insecure, func() []string { return []string{o.From, o.Onto, o.Building.WheelCache} }}, &o.Index)
		if err != nil {
			return err
		}
		if err := a.settleBuilding(&o.Building); err != nil {
			return err
		}
		if o.Pins.Lock != "" && !c.Flags().Changed("output") {
			o.Output, o.Pins.Missing = o.Pins.Lock, true
		}
		if o.Pins.Lock == "" && o.Output != "-" {
			o.Pins.Lock, o.Pins.Missing = o.Output, true
		}
		res, err := distill.Lock(c.Context(), h, o)
		if err != nil {
			return fail(c.Context(), err)
		}
		a.progress.close()
		if a.progress.forPeople() {
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
