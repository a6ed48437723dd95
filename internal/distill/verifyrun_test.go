package distill

import (
	"os"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Enter()
	os.Exit(m.Run())
}

type tellTest struct{ t *testing.T }

var start = time.Now()

func (x tellTest) Step(platform, step string) {
	x.t.Logf("%5.1fs %s %s", time.Since(start).Seconds(), platform, step)
}
func (tellTest) Bytes(string, string, int64, int64) {}
func (x tellTest) Warn(text string)                 { x.t.Log("warning:", text) }

// TestRunOfImage runs the image that DISTILL_IMAGE names.
func TestRunOfImage(t *testing.T) {
	ref := os.Getenv("DISTILL_IMAGE")
	if ref == "" {
		t.Skip("DISTILL_IMAGE names no image to run")
	}
	c, err := cache.Open(os.Getenv("DISTILL_CACHE_DIR"))
	if err != nil {
		t.Fatal(err)
	}
	h := &Host{Cache: c, Teller: tellTest{t}}
	s, err := image.Open(t.Context(), ref, h.imageOptions("x", false))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var platforms []string
	if p := os.Getenv("DISTILL_PLATFORM"); p != "" {
		platforms = []string{p}
	}
	ps, err := choosePlatforms(h, platforms, s)
	if err != nil {
		t.Fatal(err)
	}
	all, err := h.readAll(t.Context(), s, ps, "reading")
	if err != nil {
		t.Fatal(err)
	}
	var smoke []string
	if f := os.Getenv("DISTILL_SMOKE"); f != "" {
		smoke = append(smoke, f)
	}
	results, findings, err := h.runImages(t.Context(), all, RunOptions{Smoke: smoke, Engine: os.Getenv("DISTILL_ENGINE")})
	t.Logf("%v", err)
	for _, r := range results {
		t.Logf("%+v", r)
	}
	for _, f := range findings {
		t.Logf("%+v", f)
	}
}
