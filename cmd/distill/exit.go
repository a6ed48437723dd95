package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/r-seed-1713b764/distill/internal/distill"
)

// Exit codes are part of the interface (docs/cli.md).
const (
	exitDone        = 0
	exitFindings    = 1 // findings of audit and verify, differences of diff
	exitUsage       = 2
	exitNoSolution  = 3
	exitNetwork     = 4 // network, registry, index or authentication
	exitBuild       = 5 // a source build is needed or failed
	exitLocked      = 6 // --locked and the lock is out of date
	exitDamaged     = 7 // hostile, damaged or unsupported input, and a disk that does not take the result
	exitInterrupted = 130
)

var errInterrupted = errors.New("interrupted; nothing was published")

// exitCode tells which code an error stands for.
func exitCode(err error) int {
	var usage *usageError
	var findings *found
	switch {
	case errors.As(err, &findings):
		return exitFindings
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &usage):
		return exitUsage
	}
	switch distill.KindOf(err) {
	case distill.Usage:
		return exitUsage
	case distill.NoSolution:
		return exitNoSolution
	case distill.Network:
		return exitNetwork
	case distill.NeedsBuild:
		return exitBuild
	case distill.Locked:
		return exitLocked
	default:
		return exitDamaged
	}
}

// found is the outcome of an audit with findings, or of a comparison with
// differences: no failure, but for scripts.
type found struct{ text string }

func (f *found) Error() string { return f.text }

// usageError is a command line, variable or configuration file that can't be
// meant.
type usageError struct {
	text string
	hint string
}

func (e *usageError) Error() string { return e.text }

// Hints says what to do now.
func (e *usageError) Hints() []string {
	if e.hint == "" {
		return nil
	}
	return []string{e.hint}
}

func usagef(hint, format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...), hint: hint}
}

// maxHints keeps an error within one glance.
const maxHints = 3

// printError prints one error in the shape of the interface: what, then hints.
func printError(w io.Writer, err error) {
	fmt.Fprintf(w, "distill: %s\n", foreignText(err.Error(), maxErrorText))
	var h interface{ Hints() []string }
	if !errors.As(err, &h) {
		return
	}
	for i, hint := range h.Hints() {
		if i == maxHints {
			break
		}
		fmt.Fprintf(w, "hint: %s\n", foreignText(hint, maxErrorText))
	}
}
