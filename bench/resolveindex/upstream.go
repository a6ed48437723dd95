package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net/http"
	"strconv"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/pypi"
)

// upstream hands requests on to the default index. The links of its pages lead
// here, to /files/HOST/PATH.
type upstream struct {
	self   string
	client *http.Client
}

const jsonPage = "application/vnd.pypi.simple.v1+json"

func newUpstream(self string) *upstream {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	t.DisableCompression = true
	return &upstream{self, &http.Client{Transport: t}}
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if name, ok := project(r); ok {
		status, page, err := u.page(r, name)
		if err != nil || status != http.StatusOK {
			fail(w, status, err)
			return
		}
		w.Header().Set("Content-Type", jsonPage)
		send(w, page)
		return
	}
	at, ok := target(r)
	if !ok {
		http.NotFound(w, r)
		return
	}
	resp, err := u.ask(r, at, r.Header)
	if err != nil {
		fail(w, http.StatusBadGateway, err)
		return
	}
	defer resp.Body.Close()
	for _, h := range []string{"Content-Type", "Content-Length", "Content-Range", "Accept-Ranges", "Content-Encoding"} {
		if v := resp.Header.Get(h); v != "" {
			w.Header().Set(h, v)
		}
	}
	w.WriteHeader(resp.StatusCode)
	if _, err := io.Copy(w, resp.Body); err != nil {
		log.Printf("%s: %v", at, err)
	}
}

// page returns a project's page with links to here.
func (u *upstream) page(r *http.Request, name string) (int, []byte, error) {
	resp, err := u.ask(r, pypi.DefaultIndex+name+"/", http.Header{"Accept": {jsonPage}})
	if err != nil {
		return http.StatusBadGateway, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	for _, space := range []string{"", " "} {
		b = bytes.ReplaceAll(b, []byte(`"url":`+space+`"https://`), []byte(`"url":`+space+`"`+u.self+`/files/`))
	}
	return resp.StatusCode, b, err
}

func (u *upstream) ask(r *http.Request, at string, header http.Header) (*http.Response, error) {
	method := http.MethodGet
	if r.Method == http.MethodHead {
		method = http.MethodHead
	}
	req, err := http.NewRequestWithContext(r.Context(), method, at, nil)
	if err != nil {
		return nil, err
	}
	for _, h := range []string{"Accept", "Range", "Accept-Encoding"} {
		if v := header.Get(h); v != "" {
			req.Header.Set(h, v)
		}
	}
	return u.client.Do(req)
}

// project returns the name of the project whose page is asked for.
func project(r *http.Request) (string, bool) {
	name, ok := strings.CutPrefix(r.URL.Path, "/simple/")
	name = strings.Trim(name, "/")
	return name, ok && name != "" && !strings.Contains(name, "/")
}

// target returns the URL behind /files/HOST/PATH.
func target(r *http.Request) (string, bool) {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/files/")
	return "https://" + rest, ok
}

func fail(w http.ResponseWriter, status int, err error) {
	if err != nil {
		log.Print(err)
		status = http.StatusBadGateway
	}
	http.Error(w, http.StatusText(status), status)
}

func send(w http.ResponseWriter, b []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	if _, err := w.Write(b); err != nil {
		log.Print(err)
	}
}

// page is a page as a good index serves it.
type page struct {
	body, gzipped []byte
	tag           string
}

func newPage(b []byte) *page {
	sum := sha256.Sum256(b)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(b) //nolint:errcheck // into memory
	z.Close()
	return &page{b, zipped.Bytes(), `"` + hex.EncodeToString(sum[:16]) + `"`}
}

// serve answers with the page, or says that the caller has it.
func (p *page) serve(w http.ResponseWriter, r *http.Request, age int) {
	h := w.Header()
	h.Set("Etag", p.tag)
	h.Set("Cache-Control", fmt.Sprintf("max-age=%d, public", age))
	h.Set("Vary", "Accept, Accept-Encoding")
	if r.Header.Get("If-None-Match") == p.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", jsonPage)
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		send(w, p.gzipped)
		return
	}
	send(w, p.body)
}
