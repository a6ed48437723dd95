// Command distill turns the Python image people develop in into the image they
// ship. Flags in, text and exit code out; what a command does stands in
// internal/distill.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/r-seed-1713b764/distill/internal/sandbox"
)

// The trees of two large images live through a whole run, and most of what is made
// beside them is garbage soon: the soft limit makes the collector run before a
// build takes more than it needs. A short run, such as a lock out of the cache,
// should hardly collect at all.
const (
	firstHeap  = 800       // percent of the runtime's smallest heap, 4 MiB
	heapGrowth = 70        // percent, once the first collection is over
	heapLimit  = 150 << 20 // bytes
)

func main() {
	sandbox.Enter() // a process that a sandbox started does not come back from here
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		tuneCollector()
	}
	os.Exit(run(os.Args[1:], world{
		stdout:  os.Stdout,
		stderr:  os.Stderr,
		environ: os.LookupEnv,
	}))
}

func tuneCollector() {
	debug.SetGCPercent(firstHeap)
	debug.SetMemoryLimit(heapLimit)
	// The first collection finds this garbage.
	runtime.SetFinalizer(&[1]*int{}, func(*[1]*int) { debug.SetGCPercent(heapGrowth) })
}

// world is what a command sees of the process around it.
type world struct {
	stdout, stderr io.Writer
	environ        func(string) (string, bool)
}

// run executes one command line and returns the exit code.
func run(args []string, w world) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once

	app := &app{world: w}
	root := newRoot(app)
	root.SetArgs(args)
	root.SetOut(w.stdout)
	root.SetErr(w.stderr)
	err := root.ExecuteContext(ctx)
	app.progress.close()
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil {
		err = errInterrupted
	}
	printError(w.stderr, err)
	return exitCode(err)
}
