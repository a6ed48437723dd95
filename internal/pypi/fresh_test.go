package pypi

import (
	"errors"
	"io"
	"net/http"
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
	e := pageEntry{fetched: now, fresh: time.Minute}
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
	for _, junk := range []string{"", "junk", entryFormat, entryFormat + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
		if err := d.Put("index", key, []byte(junk)); err != nil {
			t.Fatal(err)
		}
		if f := firstFile(t, clientWith(t, d, ix.simple())); f.Name != demoWheel {
			t.Errorf("%q: got %+v", junk, f)
		}
	}
}
