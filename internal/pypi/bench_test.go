package pypi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/cache"
)

// A project as large as those that resolvers walk through: 2,100 releases with a
// wheel and a source archive each.
const benchReleases = 2100

func benchPage() []byte {
	var b strings.Builder
	b.WriteString(`{"files": [`)
	for i := range benchReleases {
		for j, name := range []string{"demo-1.%d.%d-py3-none-any.whl", "demo-1.%d.%d.tar.gz"} {
			file := fmt.Sprintf(name, i/50, i%50)
			sum := sha256Hex([]byte(file))
			if i+j > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, `{"filename": %q, "hashes": {"sha256": %q}, "requires-python": ">=3.%d", "size": %d, "upload-time": "2024-01-02T03:04:05.%06dZ", "url": "https://files.example.org/packages/%s/%s/%s/%s", "yanked": false}`,
				file, sum, i%12, 100_000+i, i, sum[:2], sum[2:4], sum[4:], file)
		}
	}
	b.WriteString(`], "meta": {"api-version": "1.4"}}`)
	return []byte(b.String())
}

func BenchmarkParseJSON(b *testing.B) {
	page := benchPage()
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseJSON(page); err != nil {
			b.Fatal(err)
		}
	}
}

func flatBench(b *testing.B) []byte {
	b.Helper()
	p, err := parseJSON(benchPage())
	if err != nil {
		b.Fatal(err)
	}
	return encodePage("https://example.org/simple/", p, list(p, "demo", fuzzBase))
}

func BenchmarkConvertPage(b *testing.B) {
	page := benchPage()
	b.ReportAllocs()
	for b.Loop() {
		p, err := parseJSON(page)
		if err != nil {
			b.Fatal(err)
		}
		encodePage("https://example.org/simple/", p, list(p, "demo", fuzzBase))
	}
}

func BenchmarkDecodePage(b *testing.B) {
	flat := flatBench(b)
	b.SetBytes(int64(len(flat)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := decodePage(flat); !ok {
			b.Fatal("no page")
		}
	}
}

func BenchmarkFilesOfARelease(b *testing.B) {
	page, _ := decodePage(flatBench(b))
	b.ReportAllocs()
	for b.Loop() {
		page.releases[7].Files()
	}
}

// BenchmarkWarm is what a resolver that tries every version asks of this package
// in a run offline: the page, and the metadata of one file of each release.
func BenchmarkWarm(b *testing.B) {
	d, err := cache.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	at := "page https://example.org/simple/ demo"
	c := &Client{Cache: d, Indexes: []string{"https://example.org/simple/"}, Offline: true}
	if err := c.init(); err != nil {
		b.Fatal(err)
	}
	if err := d.Put("index", at, flatBench(b)); err != nil {
		b.Fatal(err)
	}
	p, err := c.Project(b.Context(), "demo")
	if err != nil {
		b.Fatal(err)
	}
	for i := range p.Releases {
		core := strings.Replace(demoCore, "1.0", p.Releases[i].Version.String(), 1) + strings.Repeat("Requires-Dist: some-library (<2.0a0,>=1.21.0) ; extra == 'crt'\n", 6)
		c.remember(p.Releases[i].Files()[0], Metadata{Core: []byte(core), Guaranteed: true, Origin: originWheel})
	}
	c.Flush()
	b.ReportAllocs()
	for b.Loop() {
		c := &Client{Cache: d, Indexes: []string{"https://example.org/simple/"}, Offline: true}
		p, err := c.Project(b.Context(), "demo")
		if err != nil {
			b.Fatal(err)
		}
		for i := range p.Releases {
			if _, err := c.Metadata(b.Context(), p.Releases[i].Files()[0]); err != nil {
				b.Fatal(err)
			}
		}
	}
}
