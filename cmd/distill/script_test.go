package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/r-seed-1713b764/distill/internal/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Enter()
	testscript.Main(m, map[string]func(){"distill": main})
}

// TestScripts runs testdata/script/*.txtar; see kit_test.go for the commands that
// make images and wheels out of folders of text.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("DISTILL_CACHE_DIR", e.WorkDir+"/.cache")
			e.Setenv("DOCKER_CONFIG", e.WorkDir+"/.docker")
			// No script reaches a network: only what it makes is there.
			e.Setenv("DISTILL_NO_INDEX", "1")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"image":     cmdImage,
			"installed": cmdInstalled,
			"look":      cmdLook,
			"serve":     cmdServe,
			"wheel":     cmdWheel,
			"sdist":     cmdSdist,
		},
	})
}
