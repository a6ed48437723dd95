package pypi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/transport"
	"github.com/r-seed-1713b764/distill/internal/wheel"
)

// TestHostileIndex runs the client against the scenarios of the hostile index
// that is not part of this repository.
func TestHostileIndex(t *testing.T) {
	shared := os.Getenv("DISTILL_SHARED")
	if shared == "" {
		t.Skip("DISTILL_SHARED does not name the folder with hostile/evilindex.py")
	}
	for scenario, want := range map[string]error{
		"good": nil, "good-deps": nil, "good-html": nil, "good-core-metadata": nil, "md5-only": nil, "no-hashes": nil,
		"not-found": ErrNotFound, "wrong-sha256": ErrHash, "json-malformed": ErrDamaged,
		"truncated": transport.ErrNetwork, "truncated-once": nil, "flaky-503": nil, "flaky-429": nil, "reset-once": nil,
		"always-500": transport.ErrServer, "reset-always": transport.ErrNetwork, "redirect-loop": transport.ErrPolicy,
		"link-auth-leak": nil, "filename-other-project": nil, "yanked-latest": nil, "junk-files-listed": nil,
		"wheel-dotdot": ErrDamaged, "wheel-dotdot-one": ErrDamaged, "wheel-abs": ErrDamaged, "wheel-record-hash": wheel.ErrDamaged,
		"wheel-not-in-record": wheel.ErrDamaged, "wheel-no-record": wheel.ErrDamaged, "wheel-trailing": ErrDamaged,
		"wheel-crc": wheel.ErrDamaged, "wheel-case-collision": nil, "wheel-not-zip": ErrDamaged, "wheel-empty": ErrDamaged,
		"meta-name-mismatch": ErrDamaged, "meta-version-mismatch": ErrDamaged, "meta-missing": ErrDamaged,
		"meta-two-dist-info": ErrDamaged, "meta-terminal": nil, "sdist-good": nil,
	} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			index := startHostile(t, filepath.Join(shared, "hostile", "evilindex.py"), scenario)
			start := time.Now()
			err := walk(t.Context(), testClient(t, index))
			if !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
			if d := time.Since(start); d > 50*time.Second {
				t.Errorf("took %s", d)
			}
			if err != nil && (!strings.Contains(err.Error(), "victim") || strings.Contains(err.Error(), "kitpass")) {
				t.Errorf("message: %v", err)
			}
		})
	}
}

// startHostile starts the index and returns its URL.
func startHostile(t *testing.T, script, scenario string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "python3", script, "--scenario", scenario, "--scratch", t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	var hello struct {
		URL string `json:"index_url"`
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &hello)
	}
	if err != nil {
		t.Fatal(err)
	}
	return hello.URL
}

// walk does with the project called victim whatever can be done.
func walk(ctx context.Context, c *Client) error {
	p, err := c.Project(ctx, "victim")
	if err != nil {
		return err
	}
	for _, f := range p.Files() {
		if err := walkFile(ctx, c, f); err != nil {
			return err
		}
	}
	return nil
}

func walkFile(ctx context.Context, c *Client, f File) error {
	if _, err := c.Metadata(ctx, f); err != nil {
		return err
	}
	r, size, _, err := c.Download(ctx, f)
	if err != nil {
		return err
	}
	defer r.Close()
	if !isWheel(f.Name) {
		return nil
	}
	w, err := wheel.Open(f.Name, r, size)
	if err != nil {
		return err
	}
	set, err := w.Files(wheel.Scheme{Purelib: "lib", Platlib: "lib", Scripts: "bin", Data: "usr", Headers: "include", Python: "/bin/python"})
	if err != nil {
		return err
	}
	for f := range set.All() {
		rc, err := f.Open()
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, rc)
		rc.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
