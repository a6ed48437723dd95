package wheelcache

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	aDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	aName   = "six-1.0-py3-none-any.whl"
)

func valid() *Entry {
	return &Entry{Record: []byte(record), FileName: aName, Digest: aDigest, Size: 7}
}

func TestImageConfig(t *testing.T) {
	const want = `{"architecture":"unknown","os":"unknown","config":{"Labels":{"vnd.distill.wheel.record":"{\"a\":\"b\"}"}},` +
		`"rootfs":{"type":"layers","diff_ids":["` + aDigest + `"]}}`
	text := imageConfig([]byte(`{"a":"b"}`), aDigest)
	if string(text) != want {
		t.Errorf("%s", text)
	}
	if _, err := v1.ParseConfigFile(bytes.NewReader(text)); err != nil {
		t.Error(err)
	}
}

func TestOddManifests(t *testing.T) {
	good := string(newDocument(valid(), false).bytes())
	plain := string(newDocument(valid(), true).bytes())
	asks := string(newDocument(&Entry{Record: []byte(record), Asked: []string{"cython"}}, false).bytes())
	swap := func(text, old, now string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("%q is not in %s", old, text)
		}
		return strings.Replace(text, old, now, 1)
	}
	for name, text := range map[string]string{
		"empty": "", "not JSON": "{", "null": "null", "a list": "[]", "nothing in it": "{}", "more behind it": good + "{}", "a space": good + " ",
		"another version":          swap(good, `"schemaVersion":2`, `"schemaVersion":1`),
		"an index too":             swap(good, `"layers"`, `"manifests":[],"layers"`),
		"a subject":                swap(good, `"layers"`, `"subject":null,"layers"`),
		"a key twice":              swap(good, `"layers"`, `"layers":[],"layers"`),
		"a key in capitals":        swap(good, `"layers"`, `"LAYERS"`),
		"no layer":                 swap(good, good[strings.Index(good, `[{`):strings.Index(good, `]`)], "["),
		"two layers":               swap(good, `}}]`, `}},{"mediaType":"a","digest":"b","size":1}]`),
		"a type of layer":          swap(good, string(wheelType), "application/zip"),
		"a type of record":         swap(good, string(recordType), "application/json"),
		"mixed types":              swap(good, string(wheelType), "application/vnd.oci.image.layer.v1.tar"),
		"another record":           swap(good, theKey, strings.Repeat("0", 64)),
		"a size of record":         swap(good, fmt.Sprintf(`"size":%d`, len(record)), `"size":1`),
		"a text as size":           swap(good, `"size":7`, `"size":"7"`),
		"no size":                  swap(good, `"size":7`, `"size":0`),
		"a negative size":          swap(good, `"size":7`, `"size":-7`),
		"a large size":             swap(good, `"size":7`, `"size":4294967297`),
		"a size with a dot":        swap(good, `"size":7`, `"size":7.0`),
		"sha512":                   swap(good, aDigest, "sha512:"+strings.Repeat("0", 128)),
		"a short digest":           swap(good, aDigest, "sha256:00"),
		"a path as digest":         swap(good, aDigest, "sha256:../../../../etc/passwd"),
		"no file name":             swap(good, aName, ""),
		"a path as name":           swap(good, aName, "../six-1.0-py3-none-any.whl"),
		"a path in a tag":          swap(good, aName, "six-1.0-py3-none-/etc.whl"),
		"no wheel":                 swap(good, aName, "six-1.0.tar.gz"),
		"escapes":                  swap(good, aName, "six-1.0-py3-none-any\\u001b[31m.whl"),
		"a long name":              swap(good, aName, strings.Repeat("s", 300)+"-1.0-py3-none-any.whl"),
		"more annotations":         swap(good, `"annotations":{`, `"annotations":{"a":"b",`),
		"a false emulated":         swap(good, `}}]}`, `}}],"annotations":{"vnd.distill.wheel.emulated":"no"}}`),
		"a wheel that asks":        swap(good, `}}]}`, `}}],"annotations":{"vnd.distill.wheel.asked":"[]"}}`),
		"no list":                  swap(asks, `[\"cython\"]`, `cython`),
		"no requirement":           swap(asks, `cython`, `cython >`),
		"a line break":             swap(asks, `cython`, `cython\\n--index-url`),
		"a wheel for asking":       swap(asks, string(emptyType), string(wheelType)),
		"an image's configuration": swap(plain, plain[strings.Index(plain, "sha256:"):strings.Index(plain, "sha256:")+71], digestOf([]byte("{}"))),
		"an image's layer":         swap(plain, "layer.v1.tar", "layer.v1.tar+gzip"),
		"deep":                     strings.Repeat("[", 100_000),
		"deep in a list":           swap(asks, `[\"cython\"]`, strings.Repeat("[", 20_000)),
	} {
		if e, _, err := readManifest([]byte(text), []byte(record)); !errors.Is(err, ErrEntry) {
			t.Errorf("%s: %+v, %v", name, e, err)
		} else if len(err.Error()) > 600 || strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{good, plain, asks} {
		if _, _, err := readManifest([]byte(text), []byte(record)); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := readManifest([]byte(good), nil); !errors.Is(err, ErrEntry) {
		t.Errorf("no record: %v", err)
	}
}

// TestForeignContent is what is no entry of ours under a tag of ours.
func TestForeignContent(t *testing.T) {
	good := string(newDocument(valid(), false).bytes())
	for name, c := range map[string]struct{ contentType, text string }{
		"a Docker image":       {"application/vnd.docker.distribution.manifest.v2+json", good},
		"an index":             {"application/vnd.oci.image.index.v1+json", `{"schemaVersion":2,"manifests":[]}`},
		"of another record":    {"application/vnd.oci.image.manifest.v1+json", strings.Replace(good, theKey, strings.Repeat("0", 64), 1)},
		"something else":       {"application/vnd.oci.image.manifest.v1+json", `{}`},
		"too large a manifest": {"application/vnd.oci.image.manifest.v1+json", strings.Repeat(" ", 5<<20) + good},
	} {
		s, d := newServer(t), machine(t)
		c1 := s.open(t)
		s.putManifest(t, theKey, c.contentType, c.text)
		_, err := c1.Fetch(t.Context(), theKey, []byte(record), d)
		if sideOf(err) != "reading" || errors.Is(err, ErrAbsent) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "too large a manifest" {
			continue
		}
		if !errors.Is(err, ErrEntry) {
			t.Errorf("%s: %v, want ErrEntry", name, err)
		}
		store(t, c1, built(t, d, "the wheel"), d)
		fetch(t, c1, machine(t))
	}
}

func TestWhatIsNotStored(t *testing.T) {
	s, d := newServer(t), machine(t)
	c := s.open(t)
	for name, change := range map[string]func(e *Entry){
		"no record":          func(e *Entry) { e.Record = nil },
		"a large record":     func(e *Entry) { e.Record = bytes.Repeat([]byte(" "), maxRecord+1) },
		"asks, and is there": func(e *Entry) { e.Asked = []string{"cython"} },
		"no name":            func(e *Entry) { e.FileName = "" },
		"a name like a path": func(e *Entry) { e.FileName = "a/" + e.FileName },
		"no digest":          func(e *Entry) { e.Digest = "" },
		"no size":            func(e *Entry) { e.Size = 0 },
	} {
		e := built(t, d, "the wheel")
		change(&e)
		if err := c.Store(t.Context(), theKey, e, d); err == nil || sideOf(err) != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, asked := range []string{"", "a b", "x\ny", "é"} {
		if err := c.Store(t.Context(), theKey, Entry{Record: []byte(record), Asked: []string{asked}}, d); err == nil {
			t.Errorf("asks for %q", asked)
		}
	}
	if err := c.Store(t.Context(), theKey, Entry{Record: []byte(record), Asked: make([]string, maxAsked+1)}, d); err == nil {
		t.Error("asks for too much")
	}
	if n := s.requests(http.MethodPut); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// FuzzReadManifest: what is read is what would be written, and nothing else.
func FuzzReadManifest(f *testing.F) {
	f.Add(newDocument(valid(), false).bytes())
	f.Add(newDocument(valid(), true).bytes())
	f.Add(newDocument(&Entry{Record: []byte(record), Asked: []string{"cython>=3"}, Emulated: true}, false).bytes())
	f.Add([]byte(`{"schemaVersion":2,"config":{},"layers":[{}],"annotations":{"vnd.distill.wheel.asked":"null"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, plain, err := readManifest(data, []byte(record))
		if err != nil {
			if !errors.Is(err, ErrEntry) || e != nil {
				t.Errorf("%v", err)
			}
			return
		}
		if err := e.check(); err != nil {
			t.Errorf("%+v: %v", e, err)
		}
		if !bytes.Equal(newDocument(e, plain).bytes(), data) {
			t.Errorf("%+v was read from %q", e, data)
		}
	})
}
