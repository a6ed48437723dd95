package pypi

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/transport"
)

// show writes a project as text, one line a file.
func show(p *Project) string {
	var b strings.Builder
	for _, r := range p.Releases {
		for _, f := range r.Files() {
			fmt.Fprintf(&b, "%s %s %s", r.Version, f.Name, strings.TrimPrefix(f.URL, p.Index))
			for _, k := range sortedKeys(f.Hashes) {
				fmt.Fprintf(&b, " %s:%s", k, f.Hashes[k][:6])
			}
			if f.Size > 0 {
				fmt.Fprintf(&b, " size %d", f.Size)
			}
			if !f.Uploaded.IsZero() {
				fmt.Fprintf(&b, " at %s", f.Uploaded.Format(time.RFC3339Nano))
			}
			if f.RequiresPython != "" {
				fmt.Fprintf(&b, " python %q", f.RequiresPython)
			}
			if f.Yanked {
				fmt.Fprintf(&b, " yanked %q", f.YankedReason)
			}
			if f.CoreMetadata != nil {
				fmt.Fprintf(&b, " core %d", len(f.CoreMetadata))
			}
			b.WriteString("\n")
		}
	}
	if p.Skipped > 0 {
		fmt.Fprintf(&b, "skipped %d\n", p.Skipped)
	}
	if p.Status != "" {
		fmt.Fprintf(&b, "status %s: %s\n", p.Status, p.StatusReason)
	}
	return strings.ReplaceAll(b.String(), p.Index, "")
}

var hex64 = strings.Repeat("0123456789abcdef", 4)

const pageJSON = `{"files": [
 {"filename": "demo-1.0.tar.gz", "url": "../../files/demo-1.0.tar.gz", "hashes": {"sha256": "%[1]s", "blake9": "zz"}, "size": 10, "upload-time": "2024-01-02T03:04:05.000006Z", "requires-python": ">=3", "yanked": "bad\u0020release"},
 {"filename": "demo-1.0-py3-none-any.whl", "url": "https://files.example.org/a/b%%20c/demo-1.0-py3-none-any.whl#sha256=00", "hashes": {}, "core-metadata": {"sha256": "%[1]s"}, "dist-info-metadata": false, "yanked": false, "requires-python": null},
 {"filename": "demo-1.10-py3-none-any.whl", "url": "https://u:p@files.example.org/demo-1.10-py3-none-any.whl", "hashes": {"sha256": "%[2]s"}, "dist-info-metadata": true},
 {"filename": "demo-1.9-py3-none-any.whl", "url": "x/demo-1.9-py3-none-any.whl", "hashes": {"md5": "0123456789abcdef0123456789abcdef"}, "yanked": true},
 {"filename": "other-9.0-py3-none-any.whl", "url": "o", "hashes": {}},
 {"filename": "demo-1.0.exe", "url": "o", "hashes": {}},
 {"filename": "demo-2.0-py3-none-any.whl", "url": "file:///etc/passwd", "hashes": {}},
 {"filename": "demo-2.0-py3-none-any.whl", "url": "javascript:alert(1)", "hashes": {}},
 {"filename": "demo-2.0-py3-none-any.whl", "url": "o", "hashes": {"sha256": "short"}},
 {"filename": "demo-2.0-py3-none-any.whl", "url": "o", "hashes": []},
 {"filename": "demo-2.0-py3-none-any.whl", "url": "o", "hashes": {}, "size": -1},
 {"filename": 7, "url": "o", "hashes": {}},
 {"filename": "../demo-2.0-py3-none-any.whl", "url": "o", "hashes": {}},
 "row"
], "meta": {"api-version": "1.4", "_last-serial": 1}, "project-status": {"status": "archived", "reason": "over"}, "versions": ["1.0"], "name": "demo"}`

func TestProjectReadsJSON(t *testing.T) {
	ix := newIndex(t)
	ix.page("demo", jsonType, fmt.Sprintf(pageJSON, hex64, strings.ToUpper(hex64)))
	c := testClient(t, ix.simple())
	p, err := c.Project(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(`1.10 demo-1.10-py3-none-any.whl https://files.example.org/demo-1.10-py3-none-any.whl sha256:012345 core 0
1.9 demo-1.9-py3-none-any.whl demo/x/demo-1.9-py3-none-any.whl md5:012345 yanked ""
1.0 demo-1.0.tar.gz BASE/files/demo-1.0.tar.gz sha256:012345 size 10 at 2024-01-02T03:04:05.000006Z python ">=3" yanked "bad release"
1.0 demo-1.0-py3-none-any.whl https://files.example.org/a/b%20c/demo-1.0-py3-none-any.whl core 1
skipped 10
status archived: over
`, "BASE", ix.URL)
	if got := show(p); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestProjectReadsHTML(t *testing.T) {
	ix := newIndex(t)
	ix.page("demo", "text/html; charset=UTF-8", `<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.3">
<meta name="pypi:project-status" content="quarantined"><meta name="pypi:project-status-reason" content="why &amp; how">
<base href="/mirror/"><base href="/wrong/"></head><body><!-- <a href="demo-7.0.zip">no</a> -->
<a href="demo-1.0.zip#sha256=`+hex64+`" data-requires-python="&gt;=3.8,&lt;4">demo-1.0.zip</a>
<A HREF='../up/demo-2.0-py3-none-any.whl#egg=demo&amp;sha256=`+hex64+`' data-yanked data-dist-info-metadata=true rel=x>demo</A>
<a href="https://files.example.org/demo-3.0-py3-none-any.whl?sig=1&amp;x=2" data-yanked="why" data-core-metadata="sha256=`+hex64+`" data-dist-info-metadata="true">z
<a>no link</a><a href="">empty</a><a href="http://[bad/demo-4.0.zip">bad</a><a href="/about">about</a>`)
	p, err := testClient(t, ix.simple()).Project(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(`3.0 demo-3.0-py3-none-any.whl https://files.example.org/demo-3.0-py3-none-any.whl?sig=1&x=2 yanked "why" core 1
2.0 demo-2.0-py3-none-any.whl BASE/up/demo-2.0-py3-none-any.whl sha256:012345 yanked "" core 0
1.0 demo-1.0.zip BASE/mirror/demo-1.0.zip sha256:012345 python ">=3.8,<4"
skipped 2
status quarantined: why & how
`, "BASE", ix.URL)
	if got := show(p); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestBadPagesAreDamageAndNotAbsence(t *testing.T) {
	for name, c := range map[string][2]string{
		"truncated":       {jsonType, `{"meta":{"api-version":"1.1"},"files":[{"filen`},
		"no files":        {jsonType, `{"meta":{"api-version":"1.1"}}`},
		"files twice":     {jsonType, `{"files":[],"files":[]}`},
		"trailing":        {jsonType, `{"files":[]} x`},
		"deep":            {jsonType, `{"files":[],"x":` + strings.Repeat("[", 100_000)},
		"array":           {jsonType, `[]`},
		"version 2":       {jsonType, `{"files":[],"meta":{"api-version":"2.0"}}`},
		"version 2 HTML":  {"text/html", `<meta name="pypi:repository-version" content="2.0">`},
		"content type 2":  {"application/vnd.pypi.simple.v2+json", `{"files":[]}`},
		"neither":         {"text/plain", "nothing here"},
		"control":         {jsonType, "{\"files\":[],\"x\":\"\n\"}"},
		"bad escape":      {jsonType, `{"files":[],"x":"\q"}`},
		"half a surrogat": {jsonType, `{"files":[],"x":"\ud8`},
	} {
		ix := newIndex(t)
		ix.page("demo", c[0], c[1])
		_, err := testClient(t, ix.simple()).Project(t.Context(), "demo")
		if !errors.Is(err, ErrDamaged) || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), ix.URL) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestPageSizeIsBoundedAfterDecompression(t *testing.T) {
	ix := newIndex(t)
	ix.pages["/simple/demo/"] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z, _ := gzip.NewWriterLevel(w, 1)
		defer z.Close()
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for range maxPage>>20 + 2 {
			if _, err := z.Write(chunk); err != nil {
				return
			}
		}
	}
	_, err := testClient(t, ix.simple()).Project(t.Context(), "demo")
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "64 MiB") {
		t.Errorf("got %v", err)
	}
}

func TestFirstIndexThatKnowsTheProjectWins(t *testing.T) {
	a, b := newIndex(t), newIndex(t)
	a.project("demo", "demo-1.0-py3-none-any.whl", []byte("a"), "")
	b.project("demo", "demo-2.0-py3-none-any.whl", []byte("b"), "")
	b.project("only", "only-1.0-py3-none-any.whl", []byte("c"), "")
	c := clientWith(t, testCache(t), a.simple(), b.simple())
	for name, want := range map[string]string{"demo": "1.0", "only": "1.0"} {
		p, err := c.Project(t.Context(), python.Name(name))
		if err != nil || p.Releases[0].Version.String() != want || len(p.Releases) != 1 {
			t.Errorf("%s: %+v %v", name, p, err)
		}
	}
	if _, err := c.Project(t.Context(), "none"); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), a.URL) || !strings.Contains(err.Error(), b.URL) {
		t.Errorf("got %v", err)
	}
	if slices.Contains(b.requests(), "/simple/demo/") {
		t.Error("the second index was asked for what the first one has")
	}
	c = clientWith(t, testCache(t), a.simple(), b.simple())
	c.UnsafeBestMatch = true
	p, err := c.Project(t.Context(), "demo")
	if err != nil || len(p.Releases) != 2 || p.Releases[0].Version.String() != "2.0" || p.Index != a.simple() || p.Releases[0].Files()[0].Index != b.simple() {
		t.Errorf("best match: %+v %v", p, err)
	}
}

func TestRefusedOrBrokenIndexIsNotPassedOver(t *testing.T) {
	for status, want := range map[int]error{401: transport.ErrAuth, 403: transport.ErrAuth, 500: transport.ErrServer} {
		a, b := newIndex(t), newIndex(t)
		a.pages["/simple/demo/"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
		b.project("demo", "demo-2.0-py3-none-any.whl", []byte("b"), "")
		if _, err := clientWith(t, testCache(t), a.simple(), b.simple()).Project(t.Context(), "demo"); !errors.Is(err, want) {
			t.Errorf("%d: got %v", status, err)
		}
		if n := len(b.requests()); n != 0 {
			t.Errorf("%d: %d requests to the second index", status, n)
		}
	}
}

func TestCredentialsGoToTheirIndexOnly(t *testing.T) {
	private, other := newIndex(t), newIndex(t)
	seen := map[string]string{}
	watch := func(ix *testIndex, path string, body string) {
		ix.pages[path] = func(w http.ResponseWriter, r *http.Request) {
			user, password, _ := r.BasicAuth()
			seen[path] = user + ":" + password
			w.Header().Set("Content-Type", jsonType)
			io.WriteString(w, body)
		}
	}
	watch(private, "/a/simple/demo/", `{"files":[{"filename":"demo-1.0-py3-none-any.whl","url":"`+other.URL+`/elsewhere","hashes":{}},
		{"filename":"demo-2.0-py3-none-any.whl","url":"/same","hashes":{}}]}`)
	watch(private, "/b/simple/only/", `{"files":[]}`)
	watch(private, "/same", "x")
	watch(other, "/elsewhere", "x")
	with := func(path string) string {
		return strings.Replace(private.URL, "://", "://"+path[1:2]+":s%40fe@", 1) + path
	}
	c := clientWith(t, testCache(t), with("/a/simple"), with("/b/simple"))
	p, err := c.Project(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Project(t.Context(), "only"); err != nil {
		t.Fatal(err)
	}
	for _, f := range p.Files() {
		if strings.Contains(f.URL+f.Index, "s%40fe") {
			t.Errorf("credential in %+v", f)
		}
		if r, _, _, err := c.Download(t.Context(), f); err == nil {
			r.Close()
		}
	}
	want := map[string]string{"/a/simple/demo/": "a:s@fe", "/b/simple/only/": "b:s@fe", "/same": "a:s@fe", "/elsewhere": ":"}
	for path, w := range want {
		if seen[path] != w {
			t.Errorf("%s: got %q, want %q", path, seen[path], w)
		}
	}
	filepath.WalkDir(c.Cache.Path(), func(name string, _ os.DirEntry, _ error) error {
		if b, err := os.ReadFile(name); err == nil && (strings.Contains(string(b), "s%40fe") || strings.Contains(string(b), "s@fe")) {
			t.Errorf("credential in %s", name)
		}
		return nil
	})
}

func TestFindLinks(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"demo-3.0-py3-none-any.whl", "demo-0.5.tar.gz", "other-1.0-py3-none-any.whl", "README"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ix := newIndex(t)
	ix.project("demo", "demo-2.0-py3-none-any.whl", []byte("b"), "")
	ix.pages["/links"] = func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `<a href="files/demo-1.5-py3-none-any.whl">x</a> <a href="file:///etc/demo-9.zip">evil</a>`)
	}
	c := &Client{Cache: testCache(t), Indexes: []string{ix.simple()}}
	c.FindLinks = []string{folder, ix.URL + "/links", ix.URL + "/x/demo-1.6.zip#sha256=" + hex64}
	p, err := c.Project(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range p.Releases {
		got = append(got, r.Version.String())
	}
	if !slices.Equal(got, []string{"3.0", "2.0", "1.6", "1.5", "0.5"}) || p.Index != ix.simple() {
		t.Errorf("got %v from %s", got, p.Index)
	}
	r, size, digest, err := c.Download(t.Context(), p.Files()[0])
	if err != nil || size != 25 || digest != sha256Hex([]byte("demo-3.0-py3-none-any.whl")) {
		t.Fatalf("got %d bytes, %s, %v", size, digest, err)
	}
	r.Close()
	none := &Client{Cache: testCache(t), FindLinks: []string{folder}, NoIndex: true}
	if _, err := none.Project(t.Context(), "absent"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	missing := &Client{Cache: testCache(t), FindLinks: []string{folder + "/missing"}, NoIndex: true}
	if _, err := missing.Project(t.Context(), "demo"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestFileIndex(t *testing.T) {
	folder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, "demo"), 0o700); err != nil {
		t.Fatal(err)
	}
	page := `<a href="demo-1.0-py3-none-any.whl">x</a>`
	if err := os.WriteFile(filepath.Join(folder, "demo", "index.html"), []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "demo", demoWheel), makeWheel(t, demoMetadata, 10), 0o600); err != nil {
		t.Fatal(err)
	}
	c := testClient(t, "file://"+folder)
	m, err := c.Metadata(t.Context(), firstFile(t, c))
	if err != nil || string(m.Core) != demoCore {
		t.Errorf("got %q, %v", m.Core, err)
	}
	if _, err := c.Project(t.Context(), "absent"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestBadIndexURL(t *testing.T) {
	for _, index := range []string{"ftp://example.org/", "example.org/simple", "https:///simple", "https://u:s3cret@exa mple/"} {
		c := &Client{Cache: testCache(t), Indexes: []string{index}}
		if _, err := c.Project(t.Context(), "demo"); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v", index, err)
		}
	}
}

func TestWithUser(t *testing.T) {
	if got := WithUser("https://example.org/simple", "me", "p@ss"); got != "https://me:p%40ss@example.org/simple" {
		t.Errorf("got %s", got)
	}
	if got := WithUser("https://example.org/simple", "", ""); got != "https://example.org/simple" {
		t.Errorf("got %s", got)
	}
}

func TestRowsAreBounded(t *testing.T) {
	if _, err := parseJSON([]byte(`{"files":[` + strings.Repeat("0,", maxRows) + `0]}`)); err == nil || !strings.Contains(err.Error(), "more than 300000 files") {
		t.Errorf("JSON: got %v", err)
	}
	if _, err := parseHTML([]byte(strings.Repeat("<a href=x>", maxRows+1))); err == nil || !strings.Contains(err.Error(), "more than 300000 links") {
		t.Errorf("HTML: got %v", err)
	}
}
