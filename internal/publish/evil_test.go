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
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/registry"
)

// evil is a registry in another process that misbehaves in one way.
type evil struct {
	cmd    *exec.Cmd
	out    *bufio.Reader
	Host   string
	User   string
	Secret string `json:"password"`
}

func startEvil(t *testing.T, fault string, args ...string) *evil {
	t.Helper()
	dir := os.Getenv("DISTILL_SHARED")
	if dir == "" {
		t.Skip("DISTILL_SHARED is not set: no registries that misbehave")
	}
	script := filepath.Join(dir, "hostile", "evilregistry.py")
	e := &evil{cmd: exec.Command("python3", append([]string{"-B", script, "--fault", fault}, args...)...)}
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

func TestPushToMisbehavingRegistries(t *testing.T) {
	for fault, want := range map[string]error{
		"good": nil, "good-auth": nil, "push-429-once": nil, "push-500-once": nil, "push-503-manifest-once": nil, "push-reset-once": nil,
		"push-always-500": registry.ErrUnavailable, "push-forbidden": registry.ErrAuth,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			e := startEvil(t, fault)
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

func TestPullFromMisbehavingRegistries(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "app")
	idx, variants := app(t, "one")
	if _, err := Push(context.Background(), "oci:"+dir, idx, variants, Options{}); err != nil {
		t.Fatal(err)
	}
	for fault, want := range map[string]error{
		"good": nil, "pull-500-once": nil, "pull-429-once": nil,
		"pull-blob-truncated": registry.ErrUnavailable, "pull-blob-wrong": registry.ErrDigest, "pull-blob-404": registry.ErrNotFound,
		"pull-blob-html": registry.ErrDigest, "pull-not-found": registry.ErrNotFound,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			e := startEvil(t, fault, "--load", dir)
			repo, err := name.NewRepository(e.Host + "/app")
			if err != nil {
				t.Fatal(err)
			}
			if err := pullAll(repo, "1.0"); !errors.Is(err, want) {
				t.Errorf("err = %v, want %v", err, want)
			}
		})
	}
}

// pullAll reads an index, its manifests and their blobs.
func pullAll(name name.Repository, tag string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	repo, err := registry.Open(ctx, name, "pull", registry.Options{})
	if err != nil {
		return err
	}
	m, err := repo.Manifest(ctx, tag)
	if err != nil {
		return err
	}
	var idx v1.IndexManifest
	if err := json.Unmarshal(m.Bytes, &idx); err != nil {
		return err
	}
	for _, d := range idx.Manifests {
		m, err := repo.Manifest(ctx, d.Digest.String())
		if err != nil {
			return err
		}
		var image v1.Manifest
		if err := json.Unmarshal(m.Bytes, &image); err != nil {
			return err
		}
		for _, b := range append(image.Layers, image.Config) {
			r, err := repo.Blob(ctx, b)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, r)
			if err := errors.Join(err, r.Close()); err != nil {
				return err
			}
		}
	}
	return nil
}
