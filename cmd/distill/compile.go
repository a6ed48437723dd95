package main

import (
	"strconv"

	"github.com/spf13/pflag"

	"github.com/r-seed-1713b764/distill/internal/distill"
)

// registerCompile adds what is done about byte code, as pip spells it: of --compile and
// --no-compile the later one counts.
func registerCompile(f *pflag.FlagSet, to *distill.ByteCode) {
	add := func(name string, means distill.ByteCode, usage string) {
		f.Var(&compileFlag{to, means}, name, usage)
		f.Lookup(name).NoOptDefVal = "true"
	}
	add("compile", distill.CompileAll, "compile the modules that have no byte code, with the new image's Python in a sandbox")
	add("no-compile", distill.NoByteCode, "lay no byte code (default: that of the development image)")
}

// opposite is the flag that says the contrary of another one, "" if there is none.
func opposite(flag string) string {
	switch flag {
	case "compile":
		return "no-compile"
	case "no-compile":
		return "compile"
	}
	return ""
}

// compileFlag is a switch that sets a value both switches share.
type compileFlag struct {
	to    *distill.ByteCode
	means distill.ByteCode
}

// Set implements [pflag.Value].
func (c *compileFlag) Set(s string) error {
	on, err := strconv.ParseBool(s)
	switch {
	case err != nil:
		return err
	case on:
		*c.to = c.means
	case *c.to == c.means:
		*c.to = distill.KeepByteCode
	}
	return nil
}

// String implements [pflag.Value].
func (c *compileFlag) String() string { return strconv.FormatBool(c.to != nil && *c.to == c.means) }

// Type implements [pflag.Value].
func (c *compileFlag) Type() string { return "bool" }
