package pypi

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/transport"
)

// testClient returns a client with a cache of its own that asks one index.
func testClient(t *testing.T, index string) *Client {
	t.Helper()
	return clientWith(t, testCache(t), index)
}

func testCache(t *testing.T) *cache.Dir {
	t.Helper()
	d, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func clientWith(t *testing.T, d *cache.Dir, indexes ...string) *Client {
	t.Helper()
	c := &Client{
		Cache: d, Indexes: indexes, Log: func(format string, args ...any) { t.Logf(format, args...) },
		Transport: transport.New(transport.Options{BodyWindow: time.Second, HeaderTimeout: 5 * time.Second}),
	}
	if err := c.init(); err != nil {
		t.Fatal(err)
	}
	c.state.retry.Base = time.Millisecond
	return c
}

// testIndex is an index whose pages are given as JSON or HTML by path, and whose
// files serve ranges. It counts requests as "METHOD path [range]".
type testIndex struct {
	*httptest.Server
	mu    sync.Mutex
	pages map[string]func(w http.ResponseWriter, r *http.Request)
	files map[string][]byte
	log   []string
}

func newIndex(t *testing.T) *testIndex {
	t.Helper()
	ix := &testIndex{pages: map[string]func(http.ResponseWriter, *http.Request){}, files: map[string][]byte{}}
	ix.Server = httptest.NewServer(http.HandlerFunc(ix.serve))
	t.Cleanup(ix.Close)
	return ix
}

func (ix *testIndex) serve(w http.ResponseWriter, r *http.Request) {
	ix.mu.Lock()
	ix.log = append(ix.log, strings.TrimSpace(r.URL.Path+" "+r.Header.Get("Range")))
	page, file := ix.pages[r.URL.Path], ix.files[r.URL.Path]
	ix.mu.Unlock()
	switch {
	case page != nil:
		page(w, r)
	case file != nil:
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file))
	default:
		http.NotFound(w, r)
	}
}

// requests returns what was asked since the last call.
func (ix *testIndex) requests() []string {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	log := ix.log
	ix.log = nil
	return log
}

func (ix *testIndex) simple() string { return ix.URL + "/simple/" }

const jsonType = "application/vnd.pypi.simple.v1+json"

// page answers with a body of some type and more headers (name, value, ...).
func (ix *testIndex) page(project, contentType, body string, headers ...string) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.pages["/simple/"+project+"/"] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		io.WriteString(w, body)
	}
}

// project lists one file with its sha256 on a page, and serves it; more is
// further JSON of the row, with a comma in front.
func (ix *testIndex) project(name, file string, content []byte, more string) {
	ix.mu.Lock()
	ix.files["/files/"+file] = content
	ix.mu.Unlock()
	ix.page(name, jsonType, fmt.Sprintf(`{"meta":{"api-version":"1.1"},"name":%q,"files":[{"filename":%q,"url":"/files/%s","hashes":{"sha256":%q},"size":%d%s}]}`,
		name, file, file, sha256Hex(content), len(content), more))
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

const demoWheel = "demo-1.0-py3-none-any.whl"

const demoMetadata = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nSummary: x\nRequires-Dist: dep>=1\n\nText\n"

const demoCore = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: dep>=1\n"

// makeWheel returns a wheel of demo 1.0 with the given METADATA, in front of
// which stand pad bytes that do not compress.
func makeWheel(t *testing.T, metadata string, pad int) []byte {
	t.Helper()
	return makeWheelNamed(t, "demo-1.0", metadata, pad)
}

// makeWheelNamed is makeWheel for another version.
func makeWheelNamed(t *testing.T, root, metadata string, pad int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	record := ""
	add := func(name string, content []byte) {
		e, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		e.Write(content)
		sum := sha256.Sum256(content)
		record += fmt.Sprintf("%s,sha256=%s,%d\n", name, base64.RawURLEncoding.EncodeToString(sum[:]), len(content))
	}
	noise := make([]byte, pad)
	for i := range noise {
		noise[i] = byte(i*7 + i>>8*13)
	}
	add("demo/data.bin", noise)
	add(root+".dist-info/METADATA", []byte(metadata))
	add(root+".dist-info/WHEEL", []byte("Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"))
	record += root + ".dist-info/RECORD,,\n"
	add(root+".dist-info/RECORD", []byte(record))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// firstFile returns the first file of demo.
func firstFile(t *testing.T, c *Client) File {
	t.Helper()
	p, err := c.Project(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	all := p.Files()
	if len(all) == 0 {
		t.Fatalf("no files, %d skipped", p.Skipped)
	}
	return all[0]
}
