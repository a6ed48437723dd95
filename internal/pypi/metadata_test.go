package pypi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/transport"
)

func TestMetadataCostsOneRequest(t *testing.T) {
	for name, c := range map[string]struct {
		pad  int
		more string
		want []string
	}{
		"small wheel":   {100, "", []string{"/files/" + demoWheel}},
		"large wheel":   {1 << 20, "", []string{"/files/" + demoWheel + " bytes=TAIL"}},
		"core-metadata": {1 << 20, `,"core-metadata":{"sha256":"` + sha256Hex([]byte(demoMetadata)) + `"}`, []string{"/files/" + demoWheel + ".metadata"}},
		"dist-info":     {1 << 20, `,"dist-info-metadata":true`, []string{"/files/" + demoWheel + ".metadata"}},
	} {
		ix := newIndex(t)
		wheel := makeWheel(t, demoMetadata, c.pad)
		ix.project("demo", demoWheel, wheel, c.more)
		ix.files["/files/"+demoWheel+".metadata"] = []byte(demoMetadata)
		d := testCache(t)
		client := clientWith(t, d, ix.simple())
		f := firstFile(t, client)
		ix.requests()
		m, err := client.Metadata(t.Context(), f)
		if err != nil || string(m.Core) != demoCore || !m.Guaranteed {
			t.Errorf("%s: got %q, %v", name, m.Core, err)
		}
		n := len(wheel)
		tail := fmt.Sprintf("%d-%d", n-int(tailSize(int64(n))), n-1)
		if got := ix.requests(); strings.Join(got, "\n") != strings.ReplaceAll(strings.Join(c.want, "\n"), "TAIL", tail) {
			t.Errorf("%s: requests %q", name, got)
		}
		client.Flush()
		again := clientWith(t, d, ix.simple())
		again.Offline = true
		if m, err := again.Metadata(t.Context(), f); err != nil || string(m.Core) != demoCore {
			t.Errorf("%s: from the cache: %q, %v", name, m.Core, err)
		}
	}
}

// oddRanges is how servers answer a request for a part of a file.
var oddRanges = map[string]func(w http.ResponseWriter, r *http.Request, data []byte){
	"ignored": func(w http.ResponseWriter, _ *http.Request, data []byte) { w.Write(data) },
	"416":     func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(416) },
	"400":     func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(400) },
	"501":     func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(501) },
	"without a header": func(w http.ResponseWriter, _ *http.Request, data []byte) {
		w.WriteHeader(206)
		w.Write(data[len(data)-100:])
	},
	"another part": func(w http.ResponseWriter, _ *http.Request, data []byte) {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-99/%d", len(data)))
		w.WriteHeader(206)
		w.Write(data[:100])
	},
	"another size": func(w http.ResponseWriter, r *http.Request, data []byte) {
		span := strings.TrimPrefix(r.Header.Get("Range"), "bytes=")
		w.Header().Set("Content-Range", "bytes "+span+"/99999999")
		w.WriteHeader(206)
		w.Write(data[len(data)-100:])
	},
	"other bytes": func(w http.ResponseWriter, r *http.Request, data []byte) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(make([]byte, len(data))))
	},
	"multipart": func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "multipart/byteranges; boundary=x")
		w.WriteHeader(206)
		io.WriteString(w, "--x\r\n")
	},
	"too much": func(w http.ResponseWriter, r *http.Request, data []byte) {
		span := strings.TrimPrefix(r.Header.Get("Range"), "bytes=")
		w.Header().Set("Content-Range", "bytes "+span+"/"+strconv.Itoa(len(data)))
		w.WriteHeader(206)
		w.Write(data)
	},
}

func TestOddRangesEndInTheWholeFile(t *testing.T) {
	for name, serve := range oddRanges {
		ix := newIndex(t)
		data := makeWheel(t, demoMetadata, 300<<10)
		ix.project("demo", demoWheel, data, "")
		ix.pages["/files/"+demoWheel] = func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") == "" {
				w.Write(data)
				return
			}
			serve(w, r, data)
		}
		c := testClient(t, ix.simple())
		f := firstFile(t, c)
		m, err := c.Metadata(t.Context(), f)
		if err != nil || string(m.Core) != demoCore {
			t.Errorf("%s: got %q, %v", name, m.Core, err)
		}
		ix.requests()
		if r, _, _, err := c.Download(t.Context(), f); err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			r.Close()
		}
		if n := ix.requests(); len(n) != 0 {
			t.Errorf("%s: fetched twice: %q", name, n)
		}
	}
}

func TestMetadataOfAWheelOfUnknownSize(t *testing.T) {
	ix := newIndex(t)
	ix.files["/files/"+demoWheel] = makeWheel(t, demoMetadata, 1<<20)
	ix.page("demo", "text/html", `<a href="/files/`+demoWheel+`">x</a>`)
	c := testClient(t, ix.simple())
	m, err := c.Metadata(t.Context(), firstFile(t, c))
	if err != nil || string(m.Core) != demoCore {
		t.Errorf("got %q, %v", m.Core, err)
	}
	if s := c.Stats(); s.Ranges != 1 || s.Wholes != 0 {
		t.Errorf("%+v", s)
	}
}

func TestMetadataFarFromTheEndTakesTwoRequests(t *testing.T) {
	ix := newIndex(t)
	var behind strings.Builder // RECORD-like ballast between METADATA and the end
	for i := range 12000 {
		fmt.Fprintf(&behind, "X-Filler: %08d %s\n", i*2654435761%100000007, sha256Hex([]byte{byte(i), byte(i >> 8)})[:20])
	}
	data := makeWheel(t, "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"+behind.String(), 2<<20)
	ix.project("demo", demoWheel, data, "")
	c := testClient(t, ix.simple())
	m, err := c.Metadata(t.Context(), firstFile(t, c))
	if err != nil || header(m.Core, "Name") != "demo" {
		t.Errorf("got %q, %v", m.Core, err)
	}
	if s := c.Stats(); s.Ranges > 3 || s.Wholes != 0 {
		t.Errorf("%+v", s)
	}
}

func TestMetadataThatIsNotThatOfTheFile(t *testing.T) {
	for text, metadata := range map[string]string{
		"is that of another":      "Metadata-Version: 2.1\nName: another\nVersion: 1.0\n",
		"is that of version":      "Metadata-Version: 2.1\nName: demo\nVersion: 9.9\n",
		"has no usable name":      "Metadata-Version: 2.1\nVersion: 1.0\n",
		"is that of version \"\"": "Metadata-Version: 2.1\nName: demo\n\nVersion: 1.0\n",
	} {
		ix := newIndex(t)
		ix.project("demo", demoWheel, makeWheel(t, metadata, 10), "")
		c := testClient(t, ix.simple())
		if _, err := c.Metadata(t.Context(), firstFile(t, c)); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestOfferedMetadataIsChecked(t *testing.T) {
	ix := newIndex(t)
	ix.project("demo", demoWheel, makeWheel(t, demoMetadata, 1<<20), `,"core-metadata":{"sha256":"`+hex64+`"}`)
	ix.files["/files/"+demoWheel+".metadata"] = []byte(demoMetadata)
	c := testClient(t, ix.simple())
	_, err := c.Metadata(t.Context(), firstFile(t, c))
	if !errors.Is(err, ErrHash) || !strings.Contains(err.Error(), hex64) || !strings.Contains(err.Error(), ix.simple()) {
		t.Errorf("got %v", err)
	}
	// Offered, but not there: the wheel has it as well.
	ix.project("demo", demoWheel, makeWheel(t, demoMetadata, 1<<20), `,"core-metadata":true`)
	delete(ix.files, "/files/"+demoWheel+".metadata")
	c = testClient(t, ix.simple())
	if m, err := c.Metadata(t.Context(), firstFile(t, c)); err != nil || string(m.Core) != demoCore {
		t.Errorf("got %q, %v", m.Core, err)
	}
}

func TestWheelMustSayWhatItsMetadataFileSaid(t *testing.T) {
	ix := newIndex(t)
	ix.project("demo", demoWheel, makeWheel(t, demoMetadata, 1<<20), `,"core-metadata":true`)
	ix.files["/files/"+demoWheel+".metadata"] = []byte(strings.Replace(demoMetadata, "dep>=1", "evil", 1))
	c := testClient(t, ix.simple())
	f := firstFile(t, c)
	if m, err := c.Metadata(t.Context(), f); err != nil || !strings.Contains(string(m.Core), "evil") {
		t.Fatalf("got %q, %v", m.Core, err)
	}
	if _, _, _, err := c.Download(t.Context(), f); !errors.Is(err, ErrHash) || !strings.Contains(err.Error(), "METADATA") {
		t.Errorf("got %v", err)
	}
}

func TestSameRequestIsMadeOnce(t *testing.T) {
	ix := newIndex(t)
	ix.project("demo", demoWheel, makeWheel(t, demoMetadata, 1<<20), "")
	c := testClient(t, ix.simple())
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			p, err := c.Project(t.Context(), "demo")
			if err != nil {
				t.Error(err)
				return
			}
			f := p.Files()[0]
			if _, err := c.Metadata(t.Context(), f); err != nil {
				t.Error(err)
			}
			if r, _, _, err := c.Download(t.Context(), f); err != nil {
				t.Error(err)
			} else {
				r.Close()
			}
		})
	}
	wg.Wait()
	if s := c.Stats(); s.Pages != 1 || s.Ranges != 1 || s.Wholes != 1 {
		t.Errorf("%+v", s)
	}
}

func TestAtMostFiftyRequestsAreUnderWay(t *testing.T) {
	var mu sync.Mutex
	now, most := 0, 0
	ix := newIndex(t)
	for i := range 120 {
		ix.pages[fmt.Sprintf("/simple/p%d/", i)] = func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(20 * time.Millisecond)
			mu.Lock()
			now--
			mu.Unlock()
			io.WriteString(w, `{"files":[]}`)
		}
	}
	c := testClient(t, ix.simple())
	var wg sync.WaitGroup
	for i := range 120 {
		wg.Go(func() {
			if _, err := c.Project(t.Context(), python.Name(fmt.Sprintf("p%d", i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most > maxRequests || most < 10 {
		t.Errorf("%d at once", most)
	}
}

func TestCondense(t *testing.T) {
	for in, want := range map[string]string{
		demoMetadata: demoCore,
		"\ufeffNAME: a\r\nSummary: b\r\n\r\nName: c":                "NAME: a\n",
		"Requires-Dist: a;\n  b\nSummary: x\n  Name: y\nVersion: 1": "Requires-Dist: a;\n  b\nVersion: 1\n",
		"Name: a\nnot a field\nVersion: 1\n":                        "Name: a\n",
		"Name: a\rVersion: 1\r\rDynamic: x":                         "Name: a\nVersion: 1\n",
		"":                                                          "",
	} {
		if got := condense([]byte(in)); string(got) != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestMetadataErrorsAreOfTheirKind(t *testing.T) {
	ix := newIndex(t)
	ix.project("demo", demoWheel, makeWheel(t, demoMetadata, 1<<20), "")
	for status, want := range map[int]error{403: transport.ErrAuth, 404: transport.ErrNotFound, 503: transport.ErrServer} {
		ix.pages["/files/"+demoWheel] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
		c := testClient(t, ix.simple())
		if _, err := c.Metadata(t.Context(), firstFile(t, c)); !errors.Is(err, want) {
			t.Errorf("%d: got %v", status, err)
		}
		if got := ix.requests(); slices.Contains(got, "/files/"+demoWheel) && status != 503 {
			t.Errorf("%d: asked for the whole file as well: %q", status, got)
		}
	}
}

func TestDamagedWheelIsSaidOnce(t *testing.T) {
	ix := newIndex(t)
	ix.project("demo", demoWheel, noise(100), "")
	c := testClient(t, ix.simple())
	_, err := c.Metadata(t.Context(), firstFile(t, c))
	if !errors.Is(err, ErrDamaged) || strings.Count(err.Error(), "damaged") != 1 || !strings.Contains(err.Error(), demoWheel) {
		t.Errorf("got %v", err)
	}
}

// TestFlushKeepsWhatOthersWrote has two clients learn different metadata of one
// project at the same time.
func TestFlushKeepsWhatOthersWrote(t *testing.T) {
	d := testCache(t)
	files := []File{
		{Name: "demo-1.0-py3-none-any.whl", Hashes: map[string]string{"sha256": strings.Repeat("1", 64)}},
		{Name: "demo-2.0-py3-none-any.whl", Hashes: map[string]string{"sha256": strings.Repeat("2", 64)}},
	}
	clients := []*Client{{Cache: d}, {Cache: d}}
	for i, c := range clients {
		if _, ok := c.known(files[i]); ok {
			t.Error("it is known from the start")
		}
		c.remember(files[i], Metadata{Core: []byte(files[i].Name), Origin: originWheel})
	}
	for _, c := range clients {
		c.Flush()
	}
	later := &Client{Cache: d}
	for _, f := range files {
		if m, ok := later.known(f); !ok || string(m.Core) != f.Name {
			t.Errorf("%s: got %q, %v", f.Name, m.Core, ok)
		}
	}
	later.forget(files[0])
	last := &Client{Cache: d}
	if _, ok := last.known(files[0]); ok {
		t.Error("it was not forgotten")
	}
	if _, ok := last.known(files[1]); !ok {
		t.Error("the other one was forgotten")
	}
}

// TestTailsOfWheelsDoNotMix reads parts of many wheels at once with one client,
// which uses the memory of each again.
func TestTailsOfWheelsDoNotMix(t *testing.T) {
	ix := newIndex(t)
	var rows []string
	for i := range 40 {
		name := fmt.Sprintf("demo-%d.0-py3-none-any.whl", i)
		text := strings.Replace(demoMetadata, "1.0", fmt.Sprintf("%d.0", i), 1)
		ix.files["/files/"+name] = makeWheelNamed(t, fmt.Sprintf("demo-%d.0", i), text, 200<<10)
		rows = append(rows, fmt.Sprintf(`{"filename":%q,"url":"../../files/%s","hashes":{"sha256":"%064x"},"size":%d}`, name, name, i, len(ix.files["/files/"+name])))
	}
	ix.page("demo", jsonType, `{"files":[`+strings.Join(rows, ",")+`]}`)
	c := clientWith(t, testCache(t), ix.simple())
	p, err := c.Project(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var wait sync.WaitGroup
		for _, f := range p.Files() {
			wait.Go(func() {
				m, err := c.Metadata(t.Context(), f)
				version := strings.Split(f.Name, "-")[1]
				if err != nil || header(m.Core, "Version") != version {
					t.Errorf("%s: got %q, %v", f.Name, m.Core, err)
				}
			})
		}
		wait.Wait()
	}
	if s := c.Stats(); s.Ranges != 40 || s.Wholes != 0 {
		t.Errorf("%+v", s)
	}
}
