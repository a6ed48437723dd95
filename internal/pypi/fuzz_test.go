package pypi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/python"
)

var fuzzBase = &url.URL{Scheme: "https", Host: "example.org", Path: "/simple/demo/"}

// checkPage puts a page through what the client does with it, and looks at what
// must hold of every row.
func checkPage(t *testing.T, p *rawPage) {
	t.Helper()
	l := list(p, "demo", fuzzBase)
	page, ok := decodePage(encodePage("https://example.org/simple/", p, l))
	if !ok {
		t.Fatal("the flat form cannot be read")
	}
	if len(page.releases) != len(l.releases) || page.skipped+countFiles(page) != len(p.rows) {
		t.Fatalf("%d rows became %d files and %d skipped", len(p.rows), countFiles(page), page.skipped)
	}
	for i, r := range page.releases {
		if i > 0 && page.releases[i-1].Version.Compare(r.Version) <= 0 {
			t.Fatal("releases are out of order")
		}
		for j, f := range r.Files() {
			want := *l.releases[i].files[j]
			want.Index = f.Index
			if !want.Uploaded.IsZero() {
				want.Uploaded = f.Uploaded // whole microseconds
			}
			if !reflect.DeepEqual(f, want) {
				t.Fatalf("got %+v, want %+v", f, want)
			}
			u, err := url.Parse(f.URL)
			if err != nil || u.Scheme != "https" || u.User != nil || u.Fragment != "" {
				t.Fatalf("URL %q", f.URL)
			}
		}
	}
}

func countFiles(p *flatPage) (n int) {
	for _, r := range p.releases {
		n += len(r.Files())
	}
	return n
}

func FuzzPageJSON(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(pageJSON, hex64, hex64)))
	f.Add([]byte(`{"files":[{"filename":"demo-1!1.0rc1.post2+x-1-py3-none-any.whl","url":"\ud83d\ude00","hashes":{},"size":1e3}],"x":[-0.5E+1,true,null]}`))
	f.Add([]byte(`{"files":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parseJSON(b)
		if err != nil {
			return
		}
		if !json.Valid(b) {
			t.Fatal("taken, but it is no JSON")
		}
		checkPage(t, p)
	})
}

// FuzzScanner compares strings with those of encoding/json.
func FuzzScanner(f *testing.F) {
	for _, s := range []string{`"a"`, `"\u00e9\ud83d\ude00\ud800x\n"`, `"\/\"\\\b\f\r\t"`, `""`, `"\ud800\ud800\udc00"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &scanner{b: b}
		got := string(s.str())
		s.end()
		var want string
		err := json.Unmarshal(b, &want)
		if b = bytes.TrimLeft(b, " \t\r\n"); len(b) == 0 || b[0] != '"' {
			return // null is a string for encoding/json
		}
		if (err == nil) != (s.err == nil) {
			t.Fatalf("%q: got %v, want %v", b, s.err, err)
		}
		if err == nil && strings.ToValidUTF8(got, "") != strings.ToValidUTF8(want, "") && !strings.ContainsRune(want, '\ufffd') {
			t.Fatalf("%q: got %q, want %q", b, got, want)
		}
	})
}

func FuzzPageHTML(f *testing.F) {
	f.Add([]byte(`<base href="/x/"><a href="demo-1.0.zip#sha256=` + hex64 + `" data-yanked>x</a>`))
	f.Add([]byte(`<meta name="pypi:repository-version" content="1.0"><a href='http://u:p@h/demo-2.whl'>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parseHTML(b); err == nil {
			checkPage(t, p)
		}
	})
}

func FuzzSdist(f *testing.F) {
	for _, c := range sdistCases {
		for _, format := range []string{".tar.gz", ".zip"} {
			b := makeSdist(f, format, c.files...)
			if len(b) < 2000 {
				f.Add(b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, name := range []string{"demo-1.0.tar.gz", "demo-1.0.zip", "demo-1.0.tar", "demo-1.0.tar.bz2"} {
			m, err := readSdist(name, bytes.NewReader(b), int64(len(b)))
			if err == nil && m.Origin != "" && !bytes.Equal(condense(m.Core), m.Core) {
				t.Fatalf("%q is not what it is condensed to", m.Core)
			}
		}
	})
}

func FuzzCondense(f *testing.F) {
	f.Add([]byte(demoMetadata))
	f.Add([]byte("\ufeffName: a\r\n b\rVersion: 1\r\r"))
	f.Fuzz(func(t *testing.T, b []byte) {
		core := condense(b)
		if again := condense(core); !bytes.Equal(again, core) {
			t.Fatalf("%q, then %q", core, again)
		}
		// Whoever parses the short form must see what the long one says.
		long, err1 := python.ParseMetadata(b)
		short, err2 := python.ParseMetadata(core)
		if (err1 == nil) != (err2 == nil) {
			t.Fatalf("%v, but %v", err1, err2)
		}
		if err1 == nil && (long.Name != short.Name || !reflect.DeepEqual(long.RequiresDist, short.RequiresDist) || !reflect.DeepEqual(long.Dynamic, short.Dynamic)) {
			t.Fatalf("%+v, but %+v", long, short)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(encodePage("x", &rawPage{}, listing{}))
	f.Add(encodePack(map[string]Metadata{"k": {Core: []byte("c"), Origin: "o"}}))
	f.Fuzz(func(_ *testing.T, b []byte) {
		if p, ok := decodePage(b); ok {
			countFiles(p)
		}
		// Behind the checksums, too, nothing goes beyond the end.
		if len(b) > 0 {
			head := b[:len(b)-len(b)/4]
			rows := b[len(head):]
			if p, ok := decodeHead(asString(head), int64(len(rows))); ok {
				p.rows = &flatRows{entry: &cache.Entry{First: rows}, size: int64(len(rows)), window: asString(rows)}
				countFiles(p)
			}
			f := File{}
			d := flatDecoder{s: asString(b)}
			d.row(&f, &flatPage{table: []string{"x"}})
		}
		decodePack(b)
	})
}
