package osv

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/transport"
)

func version(t testing.TB, s string) python.Version {
	t.Helper()
	v, err := python.ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// one is a record about one package with the JSON of its ranges and versions.
func one(id, name, rest string) string {
	return fmt.Sprintf(`{"id": %q, "affected": [{"package": {"ecosystem": "PyPI", "name": %q}, %s}]}`, id, name, rest)
}

func events(list string) string {
	return `"ranges": [{"type": "ECOSYSTEM", "events": [` + list + `]}]`
}

func TestRecordsAreEvaluatedAsTheSchemaSays(t *testing.T) {
	for _, c := range []struct {
		rest    string
		in, out string
	}{
		{events(`{"introduced": "0"}, {"fixed": "2"}`), "0.dev0 1 2rc1 1.9+local", "2 2.0.0 3"},
		{events(`{"fixed": "2"}, {"introduced": "1"}, {"introduced": "3"}, {"fixed": "4"}`), "1 1.5 3 3.9", "0.9 2 2.5 4"},
		{events(`{"introduced": "1"}, {"last_affected": "2"}`), "1 2 2.0", "0 2.post1 2.0.1"},
		{events(`{"introduced": "1"}, {"fixed": "1"}`), "", "0 1 2"},
		{events(`{"introduced": "0"}, {"limit": "2"}`), "1 1.9", "2 3"},
		{events(`{"introduced": "0"}, {"limit": "2"}, {"limit": "*"}`), "1 3", ""},
		{events(`{"introduced": "1", "fixed": "2"}`), "1", "2"},
		{events(`{"fixed": "2"}`), "", "1 2"},
		{`"versions": ["1.0", "2"]`, "1 2.0 1.0+cpu", "1.1"},
		{`"versions": ["1.0"], ` + events(`{"introduced": "5"}`), "1 6", "2"},
		{events(`{"introduced": "1"}, {"last_affected": "2"}`), "2+cu118", "2.1+cu118"},
		// what can't be read must not hide anything
		{events(`{"introduced": "first"}, {"fixed": "2"}`), "0 1", "2"},
		{events(`{"introduced": "0"}, {"fixed": "never-1-x"}`), "0 99", ""},
		{`"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]`, "", "1"},
	} {
		a, _, err := ParseRecord([]byte(one("X-1", "A_b", c.rest)))
		if err != nil {
			t.Errorf("%s: %v", c.rest, err)
			continue
		}
		for _, v := range strings.Fields(c.in) {
			if !a.Affects("a-b", version(t, v)) {
				t.Errorf("%s: %s is not affected", c.rest, v)
			}
		}
		for _, v := range strings.Fields(c.out) {
			if a.Affects("a-b", version(t, v)) {
				t.Errorf("%s: %s is affected", c.rest, v)
			}
		}
		if a.Affects("other", version(t, "1")) {
			t.Errorf("%s: another project is affected", c.rest)
		}
	}
}

func TestRecordsOfOtherEcosystemsAreLeftOut(t *testing.T) {
	a, _, err := ParseRecord([]byte(`{"id": "X", "affected": [{"package": {"ecosystem": "npm", "name": "a"}, "versions": ["1"]}]}`))
	if err != nil || len(a.Affected) != 0 {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestSeverityComesFromVectorOrWord(t *testing.T) {
	for _, c := range []struct {
		fields string
		want   audit.Severity
		score  float64
	}{
		{`"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]`, audit.Critical, 9.8},
		{`"severity": [{"type": "CVSS_V4", "score": "CVSS:4.0/AV:N"}], "database_specific": {"severity": "MODERATE"}`, audit.Medium, 0},
		{`"severity": [{"type": "CVSS_V4", "score": "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"}]`, audit.Critical, 9.3},
		{`"severity": [{"type": "CVSS_V2", "score": "AV:N/AC:L/Au:N/C:P/I:P/A:P"}]`, audit.High, 7.5},
		{`"database_specific": ["odd"]`, audit.Unknown, 0},
		{`"severity": []`, audit.Unknown, 0},
	} {
		a, _, err := ParseRecord([]byte(`{"id": "X", ` + c.fields + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if a.Severity != c.want || a.Score != c.score {
			t.Errorf("%s: got %v %v, want %v %v", c.fields, a.Severity, a.Score, c.want, c.score)
		}
	}
}

func TestMalformedRecordsAreErrors(t *testing.T) {
	for _, text := range []string{
		``, `[]`, `{}`, `{"id": 7}`, `{"id": "../../x"}`, `{"id": "a b"}`, `{"id": "X", "schema_version": "2.0.0"}`, `{"id": "X", "affected": 1}`,
		strings.Repeat(`{"id":`, 100000),
	} {
		if _, _, err := ParseRecord([]byte(text)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%.40q: got %v", text, err)
		}
	}
}

func writeZip(t *testing.T, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range slices.Sorted(func(yield func(string) bool) {
		for n := range files {
			if !yield(n) {
				return
			}
		}
	}) {
		w, err := z.Create(n)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, files[n])
	}
	z.Close()
	path := filepath.Join(t.TempDir(), "all.zip")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

var sample = map[string]string{
	"A-1.json":   one("A-1", "jinja2", events(`{"introduced": "0"}, {"fixed": "3"}`)),
	"A-2.json":   strings.Replace(one("A-2", "jinja2", `"versions": ["2"]`), `{"id"`, `{"withdrawn": "2024-01-01T00:00:00Z", "id"`, 1),
	"A-3.json":   one("A-3", "other", `"versions": ["2"]`),
	"bad.json":   `{"id": "bad", "affected": [{"package": {"ecosystem": "PyPI", "name": "jinja2"`,
	"worse.json": `no JSON`,
	"readme.txt": "not a record",
}

func ids(list []*audit.Advisory) string {
	var out []string
	for _, a := range list {
		out = append(out, a.ID)
	}
	return strings.Join(out, " ")
}

func TestDiskFindsInZipAndFolder(t *testing.T) {
	folder := t.TempDir()
	for n, text := range sample {
		if err := os.WriteFile(filepath.Join(folder, n), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{writeZip(t, sample), folder, filepath.Dir(writeZip(t, sample))} {
		d := &Disk{Path: path}
		got, err := d.Find(t.Context(), []Package{{"jinja2", version(t, "2")}, {"jinja2", version(t, "3")}, {"none", version(t, "2")}})
		if err != nil {
			t.Fatal(err)
		}
		if ids(got[0]) != "A-1" || len(got[1])+len(got[2]) != 0 {
			t.Errorf("%s: got %q %q %q", path, ids(got[0]), ids(got[1]), ids(got[2]))
		}
		if w := d.Warnings(); len(w) != 2 || !strings.Contains(w[0], "bad.json") || !strings.Contains(w[1], "worse.json") {
			t.Errorf("%s: warnings %q", path, w)
		}
	}
}

func TestDiskRefusesBombs(t *testing.T) {
	bomb := writeZip(t, map[string]string{"bomb.json": strings.Repeat(" ", maxRecord+1)})
	if _, err := (&Disk{Path: bomb}).Find(t.Context(), []Package{{"a", version(t, "1")}}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "bomb.json") {
		t.Errorf("got %v", err)
	}
	truncated := writeZip(t, sample)
	b, _ := os.ReadFile(truncated)
	os.WriteFile(truncated, b[:len(b)-30], 0o644)
	if _, err := (&Disk{Path: truncated}).Find(t.Context(), []Package{{"a", version(t, "1")}}); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
	if _, err := (&Disk{Path: t.TempDir()}).Find(t.Context(), []Package{{"a", version(t, "1")}}); !errors.Is(err, ErrDamaged) {
		t.Errorf("an empty folder: got %v", err)
	}
}

func TestWarningsAreBounded(t *testing.T) {
	var w warnings
	for i := range 100 {
		w.add("record %03d", i)
	}
	if got := w.Warnings(); len(got) != maxWarnings+1 || got[maxWarnings] != "90 more records could not be read" {
		t.Errorf("got %q", got)
	}
}

// fakeService answers with A-1 for jinja2 below 3, one advisory a page.
func fakeService(batch bool) http.Handler {
	mux := http.NewServeMux()
	type q struct {
		Package   struct{ Name, Ecosystem string }
		Version   string
		PageToken string `json:"page_token"`
	}
	answer := func(x q) (list []string, next string) {
		switch {
		case x.Package.Name != "jinja2" || x.Package.Ecosystem != "PyPI" || x.Version != "2":
			return nil, ""
		case x.PageToken == "":
			return []string{"A-1"}, "more"
		}
		return []string{"A-2", "A-9"}, ""
	}
	records := map[string]string{"A-1": sample["A-1.json"], "A-2": sample["A-2.json"], "A-9": one("A-9", "jinja2", `"versions": ["2"]`)}
	if batch {
		mux.HandleFunc("POST /v1/querybatch", func(w http.ResponseWriter, r *http.Request) {
			var in struct{ Queries []q }
			json.NewDecoder(r.Body).Decode(&in)
			var out []any
			for _, x := range in.Queries {
				list, next := answer(x)
				var vulns []any
				for _, id := range list {
					vulns = append(vulns, map[string]string{"id": id})
				}
				out = append(out, map[string]any{"vulns": vulns, "next_page_token": next})
			}
			json.NewEncoder(w).Encode(map[string]any{"results": out})
		})
		mux.HandleFunc("GET /v1/vulns/{id}", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, records[r.PathValue("id")]) })
	}
	mux.HandleFunc("POST /v1/query", func(w http.ResponseWriter, r *http.Request) {
		var x q
		json.NewDecoder(r.Body).Decode(&x)
		list, next := answer(x)
		var vulns []json.RawMessage
		for _, id := range list {
			vulns = append(vulns, json.RawMessage(records[id]))
		}
		json.NewEncoder(w).Encode(map[string]any{"vulns": vulns, "next_page_token": next})
	})
	return mux
}

func TestServiceIsAskedInBatchesOrOneByOne(t *testing.T) {
	for _, batch := range []bool{true, false} {
		s := httptest.NewServer(fakeService(batch))
		for _, url := range []string{s.URL, s.URL + "/v1/", s.URL + "/v1/query"} {
			got, err := (&Service{URL: url}).Find(t.Context(), []Package{{"other", version(t, "2")}, {"jinja2", version(t, "2+local")}})
			if err != nil {
				t.Fatal(err)
			}
			if len(got[0]) != 0 || ids(got[1]) != "A-1 A-9" {
				t.Errorf("batch %v, %s: got %q %q", batch, url, ids(got[0]), ids(got[1]))
			}
		}
		s.Close()
	}
}

func TestServiceThatMisbehavesIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		code int
		want error
	}{
		"no JSON":          {"<html>", 200, ErrDamaged},
		"too few answers":  {`{"results": []}`, 200, ErrDamaged},
		"paths for IDs":    {`{"results": [{"vulns": [{"id": "../x"}]}]}`, 200, ErrDamaged},
		"pages for ever":   {`{"results": [{"next_page_token": "again"}]}`, 200, ErrDamaged},
		"refused":          {``, 403, transport.ErrAuth},
		"not implementing": {``, 418, transport.ErrServer},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.code)
			io.WriteString(w, c.body)
		}))
		if _, err := (&Service{URL: s.URL}).Find(t.Context(), []Package{{"a", version(t, "1")}}); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		s.Close()
	}
}

// FuzzRecord checks that foreign records never panic, and that the evaluation is
// that of a second one, written as the schema's documentation words it.
func FuzzRecord(f *testing.F) {
	for _, text := range sample {
		f.Add([]byte(text), "2")
	}
	f.Add([]byte(one("X", "a", events(`{"introduced": "0"}, {"limit": "2"}, {"last_affected": "1.5"}`))), "1.5")
	f.Fuzz(func(t *testing.T, b []byte, text string) {
		v, err := python.ParseVersion(text)
		a, _, bad := ParseRecord(b)
		if err != nil || bad != nil || v.Local() != "" {
			return
		}
		var r record
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatal(err)
		}
		for _, x := range a.Affected {
			if got, want := a.Affects(x.Name, v), naive(&r, x.Name, v); got != want {
				t.Errorf("%s %s: got %v, want %v\n%s", x.Name, v, got, want, b)
			}
			for _, w := range a.FixedAfter(x.Name, v) {
				if w.Compare(v) <= 0 {
					t.Errorf("%s is fixed after %s", w, v)
				}
			}
		}
	})
}

// naive is the documented algorithm over the record as it is written.
func naive(r *record, name python.Name, v python.Version) bool {
	for _, x := range r.Affected {
		if system, _, _ := strings.Cut(x.Package.Ecosystem, ":"); system != "PyPI" || python.NormalizeName(x.Package.Name) != name {
			continue
		}
		for _, text := range x.Versions {
			if w, err := python.ParseVersion(text); err == nil && w.Equal(v) || text == v.String() {
				return true
			}
		}
		for _, rg := range x.Ranges {
			if rg.Type != "GIT" && naiveRange(rg.Events, v) {
				return true
			}
		}
	}
	return false
}

// naiveRange looks for the last event at or before v instead of walking a state.
func naiveRange(list []event, v python.Version) bool {
	type point struct {
		v     python.Version
		first bool
		kind  int
	}
	var points []point
	limits, below := 0, false
	for _, e := range list {
		for kind, p := range []*string{e.Introduced, e.LastAffected, e.Fixed, e.Limit} {
			if p == nil {
				continue
			}
			w, err := python.ParseVersion(*p)
			switch {
			case kind == 0 && (*p == "0" || err != nil):
				points = append(points, point{first: true})
			case kind == 3 && *p == "*":
				limits, below = limits+1, true
			case err != nil:
			case kind == 3:
				limits, below = limits+1, below || v.Less(w)
			default:
				points = append(points, point{v: w, kind: kind})
			}
		}
	}
	if limits > 0 && !below {
		return false
	}
	best := -1
	for i, p := range points {
		at := p.first || p.v.Compare(v) < 0 || p.kind != 1 && p.v.Compare(v) == 0
		if !at {
			continue
		}
		if best < 0 || !p.first && (points[best].first || p.v.Compare(points[best].v) > 0 || p.v.Compare(points[best].v) == 0 && p.kind > points[best].kind) {
			best = i
		}
	}
	return best >= 0 && points[best].kind == 0
}
