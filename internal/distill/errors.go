package distill

import (
	"errors"
	"fmt"
	"strings"
)

// Kind is what sort of failure an error is, for the exit code.
type Kind int

// The kinds of failures.
const (
	Damaged Kind = iota // hostile, damaged or unsupported input, and all else
	Usage
	NoSolution
	Network
	NeedsBuild
	Locked
)

// Failure is an error of the line itself: a message of its own, a kind and what
// could be done.
type Failure struct {
	Kind  Kind
	Text  string
	Hint  []string
	Cause error // may be nil
}

func (f *Failure) Error() string {
	if f.Cause == nil {
		return f.Text
	}
	return f.Text + ": " + f.Cause.Error()
}

func (f *Failure) Unwrap() error { return f.Cause }

// Hints says what to do now.
func (f *Failure) Hints() []string {
	var h interface{ Hints() []string }
	if len(f.Hint) == 0 && f.Cause != nil && errors.As(f.Cause, &h) {
		return h.Hints()
	}
	return f.Hint
}

func usagef(hint, format string, args ...any) error {
	return &Failure{Kind: Usage, Text: fmt.Sprintf(format, args...), Hint: hintLines(hint)}
}

func unsupportedf(hint, format string, args ...any) error {
	return &Failure{Kind: Damaged, Text: fmt.Sprintf(format, args...), Hint: hintLines(hint)}
}

func hintLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
