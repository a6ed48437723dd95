package pypi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/transport"
)

// maxPage bounds a page after decompression (SAFETY rule 3).
const maxPage = 64 << 20

// acceptPage prefers JSON, which has sizes and times (PEP 691, 700).
const acceptPage = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"

// Project returns what the indexes and the find-links have of a project. An unknown
// project is an error that wraps ErrNotFound. Within one Client the answer stays
// the same.
func (c *Client) Project(ctx context.Context, name python.Name) (*Project, error) {
	if err := c.init(); err != nil {
		return nil, err
	}
	keep := func(err error) bool { return err == nil || errors.Is(err, ErrNotFound) }
	return c.state.projects.do(ctx, string(name), keep, func() (*Project, error) { return c.project(ctx, name) })
}

func (c *Client) project(ctx context.Context, name python.Name) (*Project, error) {
	var pages []*flatPage
	linked, err := c.linked(ctx, name)
	if err != nil {
		return nil, err
	}
	if linked != nil {
		pages = append(pages, linked)
	}
	var asked, unasked []string
	for i, index := range c.state.indexes {
		asked = append(asked, transport.RedactURL(index))
		page, err := c.page(ctx, index, name)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("project %s: %w", name, err)
		}
		pages = append(pages, page)
		if !c.UnsafeBestMatch {
			for _, other := range c.state.indexes[i+1:] {
				unasked = append(unasked, transport.RedactURL(other))
			}
			break
		}
	}
	switch {
	case len(pages) > 0:
		p := join(name, pages)
		p.Unasked = unasked
		return p, nil
	case len(asked) == 0:
		return nil, fmt.Errorf("project %s: %w: not in the find-links, and no index is to be asked", name, ErrNotFound)
	}
	return nil, fmt.Errorf("project %s: %w (%s)", name, ErrNotFound, strings.Join(asked, ", "))
}

// join makes one project of its pages, the most trusted first.
func join(name python.Name, pages []*flatPage) *Project {
	p := &Project{Name: name}
	for _, page := range pages {
		p.Skipped += page.skipped
		if p.Index == "" && page.index != "" {
			p.Index, p.Status, p.StatusReason = page.index, page.status, page.statusReason
		}
	}
	if len(pages) == 1 {
		p.Releases = pages[0].releases
		return p
	}
	for _, page := range pages {
		p.Releases = append(p.Releases, page.releases...)
	}
	slices.SortStableFunc(p.Releases, func(a, b Release) int { return b.Version.Compare(a.Version) })
	kept := p.Releases[:0]
	for _, r := range p.Releases {
		if n := len(kept); n > 0 && kept[n-1].Version.Compare(r.Version) == 0 {
			kept[n-1].parts = slices.Concat(kept[n-1].parts, r.parts)
			continue
		}
		kept = append(kept, r)
	}
	p.Releases = kept
	return p
}

// page returns one project's page of one index.
func (c *Client) page(ctx context.Context, index *url.URL, name python.Name) (*flatPage, error) {
	at := index.JoinPath(string(name), "/")
	shown := transport.RedactURL(index)
	convert := func(b []byte, contentType string, base *url.URL) ([]byte, error) {
		raw, err := parsePage(b, contentType)
		if err != nil {
			return nil, err
		}
		if raw.status == "active" {
			raw.status = ""
		}
		return encodePage(shown, raw, list(raw, name, base)), nil
	}
	return c.cached(ctx, "page "+shown+" "+string(name), at, convert)
}

// parsePage reads a page in the format that it says it has, or seems to have.
func parsePage(b []byte, contentType string) (*rawPage, error) {
	mime, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	mime = strings.TrimSpace(mime)
	if rest, ok := strings.CutPrefix(mime, "application/vnd.pypi.simple."); ok && !strings.HasPrefix(rest, "v1+") {
		return nil, fmt.Errorf("content type %.60q is not supported", mime)
	}
	trimmed := bytes.TrimLeft(b, " \t\r\n\ufeff")
	switch {
	case strings.HasSuffix(mime, "json"):
		return parseJSON(b)
	case strings.HasSuffix(mime, "html"):
		return parseHTML(b)
	case bytes.HasPrefix(trimmed, []byte("{")):
		return parseJSON(trimmed)
	case bytes.HasPrefix(trimmed, []byte("<")):
		return parseHTML(trimmed)
	}
	return nil, fmt.Errorf("content type %.60q is neither JSON nor HTML", mime)
}

// converter turns an answer into the flat page that is kept of it. base is the
// URL that answered, after redirects.
type converter func(b []byte, contentType string, base *url.URL) ([]byte, error)

// cached returns the page at a URL: from the cache as long as it is fresh, or
// always with Offline; else the server is asked, by the validators of last time
// if there are any. Errors name the URL.
func (c *Client) cached(ctx context.Context, key string, at *url.URL, convert converter) (*flatPage, error) {
	if at.Scheme == "file" {
		return readLocal(at, convert)
	}
	if c.Offline {
		return c.kept(key, at)
	}
	last, known := c.readAnswer(at, key)
	now := time.Now()
	if known && last.absent && last.isFresh(now) {
		c.tell(at, "in the cache")
		return nil, notFound(at)
	}
	var page *flatPage
	if known && !last.absent {
		if stored, ok := c.openPage(key); ok && stored.sum == last.page {
			page = stored
		}
	}
	if page != nil && last.isFresh(now) {
		c.tell(at, "in the cache")
		return page, nil
	}
	header := http.Header{"Accept": {acceptPage}, "Cache-Control": {"max-age=0"}}
	if page != nil {
		last.addValidators(header)
	}
	return c.ask(ctx, asking{key: key, at: at, now: now, header: header, convert: convert, last: last, page: page})
}

// kept returns the page of the cache, however old.
func (c *Client) kept(key string, at *url.URL) (*flatPage, error) {
	if page, ok := c.openPage(key); ok {
		c.tell(at, "in the cache")
		return page, nil
	}
	if a, ok := c.readAnswer(at, key); ok && a.absent {
		return nil, notFound(at)
	}
	return nil, fmt.Errorf("%s: %w", transport.RedactURL(at), ErrOffline)
}

// asking is one question for a page, and what is known of the last answer.
type asking struct {
	key     string
	at      *url.URL
	now     time.Time
	header  http.Header
	convert converter
	last    answer
	page    *flatPage // of the last answer, nil if there is none
}

// ask asks the server, and keeps what it says.
func (c *Client) ask(ctx context.Context, q asking) (*flatPage, error) {
	body := &pieces{pool: &c.state.pieces}
	defer body.free()
	resp, err := c.get(ctx, &c.state.counts.pages, q.at.String(), q.header, func(r *http.Response) error { return body.read(r.Body, maxPage) })
	switch {
	case errors.Is(err, transport.ErrNotFound):
		c.tell(q.at, "not found")
		c.Cache.Delete("index", q.key)
		c.noteAnswer(q.at, q.key, answer{absent: true}, q.now, nil)
		return nil, notFound(q.at)
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusNotModified && q.page != nil:
		c.tell(q.at, "not modified")
		c.state.counts.notModified.Add(1)
		c.noteAnswer(q.at, q.key, q.last, q.now, resp.Header)
		return q.page, nil
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: %w: the answer is %d %s", transport.RedactURL(q.at), ErrDamaged, resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	c.tell(q.at, "fetched")
	return c.keepPage(q, body, resp)
}

// keepPage makes a page of an answer and puts it into the cache. A cache that
// cannot be written is no reason to stop.
func (c *Client) keepPage(q asking, body *pieces, resp *http.Response) (*flatPage, error) {
	base := *resp.Request.URL
	base.User = nil
	flat, err := c.convert(q, body, resp.Header.Get("Content-Type"), &base)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", transport.RedactURL(q.at), ErrDamaged, err)
	}
	page, ok := decodePage(flat)
	if !ok {
		return nil, fmt.Errorf("%s: %w: it cannot be encoded", transport.RedactURL(q.at), ErrDamaged)
	}
	if !c.noteAnswer(q.at, q.key, answer{page: page.sum}, q.now, resp.Header) {
		return page, nil
	}
	if err := c.Cache.Put("index", q.key, flat); err != nil {
		c.logf("%v", err)
		return page, nil
	}
	// Of a large page little is needed later: the cache holds the rest.
	if len(flat) > largePage {
		if kept, ok := c.openPage(q.key); ok && kept.sum == page.sum {
			return kept, nil
		}
	}
	return page, nil
}

// convert makes the flat form of a page, of a few at once: it takes processors and
// memory, not time of waiting.
func (c *Client) convert(q asking, body *pieces, contentType string, base *url.URL) ([]byte, error) {
	text := body.join((<-c.state.workshop)[:0])
	defer func() { c.state.workshop <- text }() // no page shares the bytes of what it was made of
	return q.convert(text, contentType, base)
}

// largePage is the size from which on a page does not stay in memory.
const largePage = 64 << 10

// readLocal reads a page from a folder of this machine: index.json or index.html
// in it, or the file itself.
func readLocal(at *url.URL, convert converter) (*flatPage, error) {
	name := filepath.FromSlash(at.Path)
	candidates := []string{name}
	if strings.HasSuffix(at.Path, "/") {
		candidates = []string{filepath.Join(name, "index.json"), filepath.Join(name, "index.html")}
	}
	for _, file := range candidates {
		f, err := os.Open(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		b, err := readLimited(f, maxPage, -1)
		if err == nil {
			mime := map[string]string{".json": "application/json"}[filepath.Ext(file)]
			b, err = convert(b, mime, at)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", file, ErrDamaged, err)
		}
		page, ok := decodePage(b)
		if !ok {
			return nil, fmt.Errorf("%s: %w: it cannot be encoded", file, ErrDamaged)
		}
		return page, nil
	}
	return nil, fmt.Errorf("%s: %w", at, ErrNotFound)
}
