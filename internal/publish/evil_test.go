package publish

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/r-seed-1713b764/distill/internal/registry"
)

// evil is a registry in another process that misbehaves in one way.
type evil struct {
	cmd    *exec.Cmd
	stop   io.Closer
	out    *bufio.Reader
	Host   string
	User   string
	Secret string `json:"password"`
}

func startEvil(t *testing.T, script, fault string) *evil {
	t.Helper()
	e := &evil{cmd: exec.Command("python3", script, "--fault", fault)}
	stdout, err := e.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.cmd.Start(); err != nil {
		t.Skipf("python3: %v", err)
	}
	t.Cleanup(func() { _ = e.cmd.Process.Kill(); _ = e.cmd.Wait() })
	e.out = bufio.NewReader(stdout)
	line, err := e.out.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, e); err != nil {
		t.Fatal(err)
	}
	return e
}

// end stops the registry and returns the order of what was written to it.
func (e *evil) end(t *testing.T) (writes []string) {
	t.Helper()
	_ = e.cmd.Process.Signal(os.Interrupt)
	var stats struct{ Writes []string }
	if err := json.NewDecoder(e.out).Decode(&stats); err != nil {
		t.Fatal(err)
	}
	return stats.Writes
}

func (e *evil) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(authn.AuthConfig{Username: e.User, Password: e.Secret}), nil
}

func TestMisbehavingRegistries(t *testing.T) {
	dir := os.Getenv("DISTILL_SHARED")
	if dir == "" {
		t.Skip("DISTILL_SHARED is not set: no registries that misbehave")
	}
	script := filepath.Join(dir, "hostile", "evilregistry.py")
	for fault, want := range map[string]error{
		"good": nil, "good-auth": nil, "push-429-once": nil, "push-500-once": nil, "push-503-manifest-once": nil, "push-reset-once": nil,
		"push-always-500": registry.ErrUnavailable, "push-forbidden": registry.ErrAuth,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			e := startEvil(t, script, fault)
			idx, variants := app(t, "one")
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			_, err := Push(ctx, e.Host+"/team/app:1.0", idx, variants, Options{Keychain: e})
			if !errors.Is(err, want) {
				t.Fatalf("err = %v, want %v", err, want)
			}
			writes := e.end(t)
			if err != nil {
				t.Logf("%v", err)
				if slices.ContainsFunc(writes, func(w string) bool { return strings.HasPrefix(w, "manifest") }) {
					t.Errorf("wrote %v", writes)
				}
				return
			}
			if last := writes[len(writes)-1]; last != "manifest team/app:1.0" {
				t.Errorf("last write is %q of %q", last, writes)
			}
		})
	}
}
