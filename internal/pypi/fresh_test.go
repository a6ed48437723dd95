package pypi

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// ask asks for demo and returns how many requests that took.
func ask(t *testing.T, c *Client, ix *testIndex) int {
	t.Helper()
	ix.requests()
	if _, err := c.Project(t.Context(), "demo"); err != nil {
		t.Fatal(err)
	}
	c.Flush()
	return len(ix.requests())
}

func TestPagesAreKeptAsLongAsHTTPAllows(t *testing.T) {
	const body = `{"files":[{"filename":"demo-1.0-py3-none-any.whl","url":"x","hashes":{}}]}`
	for name, c := range map[string]struct {
		headers []string
		again   int // requests of a second run at once
	}{
		"silent":         {nil, 0},
		"max-age":        {[]string{"Cache-Control", "public, max-age=600"}, 0},
		"too old":        {[]string{"Cache-Control", "max-age=600", "Age", "700"}, 1},
		"no-cache":       {[]string{"Cache-Control", "no-cache, max-age=600"}, 1},
		"no-store":       {[]string{"Cache-Control", "no-store"}, 1},
		"max-age 0":      {[]string{"Cache-Control", "max-age=0"}, 1},
		"unreadable age": {[]string{"Cache-Control", "max-age=soon"}, 1},
	} {
		ix := newIndex(t)
		ix.page("demo", jsonType, body, c.headers...)
		d := testCache(t)
		if n := ask(t, clientWith(t, d, ix.simple()), ix); n != 1 {
			t.Errorf("%s: %d requests at first", name, n)
		}
		if n := ask(t, clientWith(t, d, ix.simple()), ix); n != c.again {
			t.Errorf("%s: %d requests later, want %d", name, n, c.again)
		}
	}
}

func TestValidatorsAreSentBack(t *testing.T) {
	ix := newIndex(t)
	const body = `{"files":[{"filename":"demo-1.0-py3-none-any.whl","url":"x","hashes":{}}]}`
	ix.pages["/simple/demo/"] = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=0")
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Type", jsonType)
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		io.WriteString(w, body)
	}
	d := testCache(t)
	for i := range 3 {
		c := clientWith(t, d, ix.simple())
		if f := firstFile(t, c); f.Name != demoWheel {
			t.Errorf("got %+v", f)
		}
		if s := c.Stats(); s.Pages != 1 || s.NotModified != min(i, 1) {
			t.Errorf("run %d: %+v", i, s)
		}
		c.Flush()
	}
}

func TestOfflineUsesWhatIsThereHoweverOld(t *testing.T) {
	ix := newIndex(t)
	ix.page("demo", jsonType, `{"files":[{"filename":"demo-1.0-py3-none-any.whl","url":"x","hashes":{}}]}`, "Cache-Control", "max-age=0")
	d := testCache(t)
	c := clientWith(t, d, ix.simple())
	firstFile(t, c)
	if _, err := c.Project(t.Context(), "absent"); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	c.Flush()
	ix.requests()
	off := clientWith(t, d, ix.simple())
	off.Offline = true
	f := firstFile(t, off)
	if _, err := off.Project(t.Context(), "absent"); !errors.Is(err, ErrNotFound) {
		t.Errorf("known to be absent: got %v", err)
	}
	for what, err := range map[string]error{
		"never": second(off.Project(t.Context(), "never")), demoWheel: second(off.Metadata(t.Context(), f)), "demo-1.0": fourth(off.Download(t.Context(), f)),
	} {
		if !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), ix.URL) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if n := ix.requests(); len(n) != 0 {
		t.Errorf("offline, but asked %q", n)
	}
}

func second[T any](_ T, err error) error { return err }

func fourth[A, B, C any](_ A, _ B, _ C, err error) error { return err }

func TestTwoIndexesDoNotShareAPage(t *testing.T) {
	a, b := newIndex(t), newIndex(t)
	a.project("demo", "demo-1.0-py3-none-any.whl", []byte("a"), "")
	b.project("demo", "demo-2.0-py3-none-any.whl", []byte("b"), "")
	d := testCache(t)
	firstFile(t, clientWith(t, d, a.simple()))
	if f := firstFile(t, clientWith(t, d, b.simple())); f.Name != "demo-2.0-py3-none-any.whl" {
		t.Errorf("got %s", f.Name)
	}
}

func TestFreshnessEndsAndDoesNotComeBack(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	e := answer{fetched: now, fresh: time.Minute}
	for after, want := range map[time.Duration]bool{0: true, 59 * time.Second: true, time.Minute: false, -time.Second: false} {
		if got := e.isFresh(now.Add(after)); got != want {
			t.Errorf("after %s: %v", after, got)
		}
	}
}

func TestDamagedEntryIsFetchedAgain(t *testing.T) {
	ix := newIndex(t)
	ix.project("demo", demoWheel, []byte("a"), "")
	d := testCache(t)
	key := "page " + ix.simple() + " demo"
	for _, entry := range []string{key, answersKey(strings.TrimSuffix(ix.simple(), "/simple/"))} {
		for _, junk := range []string{"", "junk", flatFormat, flatFormat + "\xff\xff\xff\xff\xff\xff\xff\xff", answerFormat, answerFormat + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
			if err := d.Put("index", entry, []byte(junk)); err != nil {
				t.Fatal(err)
			}
			if f := firstFile(t, clientWith(t, d, ix.simple())); f.Name != demoWheel {
				t.Errorf("%q: got %+v", junk, f)
			}
		}
	}
}

// pageOf is a page with many versions, of which the cache's entry is read in parts.
func pageOf(versions int) string {
	var rows []string
	for i := range versions {
		rows = append(rows, fmt.Sprintf(`{"filename":"demo-%d.0-py3-none-any.whl","url":"https://files.example.org/%d/demo-%d.0-py3-none-any.whl","hashes":{"sha256":"%064x"}}`, i, i, i, i))
	}
	return `{"files":[` + strings.Join(rows, ",") + `]}`
}

// TestLargePagesAreReadInParts looks at versions here and there, and compares with
// what the page that was just fetched says.
func TestLargePagesAreReadInParts(t *testing.T) {
	ix := newIndex(t)
	ix.page("demo", jsonType, pageOf(3000))
	d := testCache(t)
	c := clientWith(t, d, ix.simple())
	fetched, err := c.Project(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	c.Flush()
	ix.requests()
	c = clientWith(t, d, ix.simple())
	p, err := c.Project(t.Context(), "demo")
	if err != nil || len(p.Releases) != 3000 || len(ix.requests()) != 0 {
		t.Fatalf("%v, %d releases", err, len(p.Releases))
	}
	for _, i := range []int{0, 1, 2999, 1500, 1501, 1499, 3, 2999} {
		if got, want := p.Releases[i].Files(), fetched.Releases[i].Files(); !reflect.DeepEqual(got, want) || len(got) != 1 {
			t.Errorf("release %d: got %+v, want %+v", i, got, want)
		}
	}
	// Somebody else may refresh the page at any time.
	if err := d.Put("index", "page "+ix.simple()+" demo", []byte("another")); err != nil {
		t.Fatal(err)
	}
	if got, want := p.Releases[700].Files(), fetched.Releases[700].Files(); !reflect.DeepEqual(got, want) || c.Spoiled() {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDamagedRowsAreNoticedAndGone(t *testing.T) {
	ix := newIndex(t)
	ix.page("demo", jsonType, pageOf(3000))
	d := testCache(t)
	c := clientWith(t, d, ix.simple())
	if _, err := c.Project(t.Context(), "demo"); err != nil {
		t.Fatal(err)
	}
	c.Flush()
	key := "page " + ix.simple() + " demo"
	flat, _ := d.Get("index", key)
	flat[len(flat)-40] ^= 1
	if err := d.Put("index", key, flat); err != nil {
		t.Fatal(err)
	}
	ix.requests()
	c = clientWith(t, d, ix.simple())
	p, err := c.Project(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	if f := p.Releases[0].Files(); len(f) != 1 || c.Spoiled() {
		t.Errorf("got %v", f)
	}
	if f := p.Releases[2999].Files(); len(f) != 0 || !c.Spoiled() {
		t.Errorf("got %v of damaged rows", f)
	}
	if _, ok := d.Get("index", key); ok {
		t.Error("the damaged page is still there")
	}
	again := clientWith(t, d, ix.simple())
	if p, err = again.Project(t.Context(), "demo"); err != nil || len(p.Releases[2999].Files()) != 1 || again.Spoiled() {
		t.Errorf("%v", err)
	}
}

// TestManyPagesDoNotStayOpen asks for more large pages than files may be open.
func TestManyPagesDoNotStayOpen(t *testing.T) {
	ix := newIndex(t)
	ix.page("demo", jsonType, pageOf(200))
	d := testCache(t)
	c := clientWith(t, d, ix.simple())
	if _, err := c.Project(t.Context(), "demo"); err != nil {
		t.Fatal(err)
	}
	c.Flush()
	c = clientWith(t, d, ix.simple())
	c.state.open.Store(maxOpenPages)
	p, err := c.Project(t.Context(), "demo")
	if err != nil || !p.Releases[0].parts[0].page.rows.isLoaded() || len(p.Releases[199].Files()) != 1 {
		t.Errorf("%v", err)
	}
}

// TestNotModifiedLeavesThePageAlone looks at what a 304 writes.
func TestNotModifiedLeavesThePageAlone(t *testing.T) {
	ix := newIndex(t)
	ix.pages["/simple/demo/"] = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=0")
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Type", jsonType)
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		io.WriteString(w, pageOf(500))
	}
	d := testCache(t)
	c := clientWith(t, d, ix.simple())
	firstFile(t, c)
	c.Flush()
	find := func() (pages []os.FileInfo) {
		err := filepath.WalkDir(filepath.Join(d.Path(), "index"), func(_ string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			i, err := e.Info()
			if i.Size() > 1000 {
				pages = append(pages, i)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return pages
	}
	before := find()
	c = clientWith(t, d, ix.simple())
	if firstFile(t, c); c.Stats().NotModified != 1 {
		t.Fatalf("%+v", c.Stats())
	}
	if after := find(); len(before) != 1 || len(after) != 1 || !os.SameFile(before[0], after[0]) {
		t.Errorf("%d and %d pages, or another file", len(before), len(after))
	}
}

// TestAnswersOfTwoClientsAreKept has two clients learn of different projects.
func TestAnswersOfTwoClientsAreKept(t *testing.T) {
	ix := newIndex(t)
	ix.project("demo", demoWheel, []byte("a"), "")
	d := testCache(t)
	a, b := clientWith(t, d, ix.simple()), clientWith(t, d, ix.simple())
	firstFile(t, a)
	if _, err := b.Project(t.Context(), "absent"); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	a.Flush()
	b.Flush()
	ix.requests()
	c := clientWith(t, d, ix.simple())
	firstFile(t, c)
	if _, err := c.Project(t.Context(), "absent"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if got := ix.requests(); len(got) != 0 {
		t.Errorf("asked again: %q", got)
	}
}

func TestAnswersReadWhatWasWritten(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	want := map[string]answer{
		"page a": {fetched: at, fresh: time.Hour, etag: `"x"`, lastModified: "Mon", page: 0xdeadbeef},
		"page b": {fetched: at, absent: true},
	}
	text := encodeAnswers(want)
	if got := decodeAnswers(text); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	for n := range text {
		decodeAnswers(text[:n]) // does not panic
	}
}

// TestRelativeURLs compares the short way with that of package url.
func TestRelativeURLs(t *testing.T) {
	for _, page := range []string{"https://h.example/simple/demo/", "http://h.example:8080/a/b/simple/demo/", "https://h.example/", "https://h.example/x", "https://h.example/%41/simple/demo/", "http://h.example"} {
		base, err := url.Parse(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"a.whl", "/a/b.whl", "../../files/a/b-1.0.whl", "../../../../../x.whl", "../a.whl", "./a.whl", "//other/a.whl", "a/../b.whl", "https://x/y", "a%20b.whl", "a b.whl", "", "..", "../..", "../.hidden", "a:b.whl", "?x", "a.whl?q"} {
			want, err := base.Parse(path)
			if err != nil || !isPlainPath(path) {
				continue
			}
			if got, ok := below(base, path); ok && got != want.String() {
				t.Errorf("%s on %s: got %s, want %s", path, page, got, want)
			}
		}
	}
	base, _ := url.Parse("https://h.example/simple/demo/")
	for path, want := range map[string]string{"../../files/a.whl": "https://h.example/files/a.whl", "/a.whl": "https://h.example/a.whl", "a.whl": "https://h.example/simple/demo/a.whl"} {
		if got, ok := below(base, path); !isPlainPath(path) || !ok || got != want {
			t.Errorf("%s: got %s, %v", path, got, ok)
		}
	}
}
