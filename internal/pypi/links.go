package pypi

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/transport"
)

// linkSet is everything that the find-links lead to.
type linkSet struct {
	wheels map[python.Name][]File
	sdists []File // whose project only the one who asks knows
}

// linked returns what the find-links have of a project, nil if nothing.
func (c *Client) linked(ctx context.Context, name python.Name) (*flatPage, error) {
	if len(c.FindLinks) == 0 {
		return nil, nil
	}
	set, err := c.state.links.do(ctx, "", keepGood, func() (*linkSet, error) { return c.readLinks(ctx) })
	if err != nil {
		return nil, err
	}
	var p rawPage
	for _, list := range [][]File{set.wheels[name], set.sdists} {
		for _, f := range list {
			if _, ok := versionOf(f.Name, name); ok {
				p.rows = append(p.rows, rawRow{File: f})
			}
		}
	}
	if len(p.rows) == 0 {
		return nil, nil
	}
	page, ok := decodePage(encodePage("", &p, list(&p, name, &url.URL{Scheme: "file", Path: "/"})))
	if !ok {
		return nil, errors.New("find-links: rows cannot be encoded")
	}
	return page, nil
}

// readLinks reads all find-links in the order given.
func (c *Client) readLinks(ctx context.Context) (*linkSet, error) {
	set := &linkSet{wheels: map[python.Name][]File{}}
	for _, entry := range c.FindLinks {
		found, err := c.readLink(ctx, entry)
		if err != nil {
			return nil, fmt.Errorf("find-links: %w", err)
		}
		for _, f := range found {
			if w, err := python.ParseWheelName(f.Name); err == nil {
				set.wheels[w.Name] = append(set.wheels[w.Name], f)
			} else if python.IsSdistName(f.Name) {
				set.sdists = append(set.sdists, f)
			}
		}
	}
	return set, nil
}

// readLink returns the files that one entry leads to: a folder, a page, or a
// file, here or behind a URL.
func (c *Client) readLink(ctx context.Context, entry string) ([]File, error) {
	if !strings.Contains(entry, "://") {
		name, err := filepath.Abs(strings.TrimPrefix(entry, "file:"))
		if err != nil {
			return nil, err
		}
		return c.readLocalLink(name)
	}
	u, err := url.Parse(entry)
	if err != nil {
		return nil, fmt.Errorf("%q is no URL", transport.Redact(entry))
	}
	u.User = nil
	switch u.Scheme {
	case "file":
		return c.readLocalLink(filepath.FromSlash(u.Path))
	case "http", "https":
	default:
		return nil, fmt.Errorf("%q is neither a folder nor an http, https or file URL", transport.Redact(entry))
	}
	if name := nameOf(u.EscapedPath()); isDistribution(name) {
		r := rawRow{File: File{Name: name, URL: u.String()}, fragment: true}
		if !r.clean(u) {
			return nil, fmt.Errorf("%q cannot be used", transport.Redact(entry))
		}
		return []File{r.File}, nil
	}
	u.Fragment = ""
	page, err := c.cached(ctx, "links "+u.String(), u, convertLinks)
	if err != nil {
		return nil, err
	}
	return filesOf(page), nil
}

// isDistribution tells whether a name is that of a wheel or a source archive.
func isDistribution(name string) bool { return isWheel(name) || python.IsSdistName(name) }

// convertLinks keeps all rows of a page that need not be about one project, as a
// flat page with one release.
func convertLinks(b []byte, contentType string, base *url.URL) ([]byte, error) {
	p, err := parsePage(b, contentType)
	if err != nil {
		return nil, err
	}
	base = baseOf(p, base)
	var all listed
	for i := range p.rows {
		if r := &p.rows[i]; isDistribution(r.Name) && r.clean(base) {
			all.files = append(all.files, &r.File)
		}
	}
	return encodePage("", p, listing{releases: []listed{all}}), nil
}

// filesOf returns the rows that convertLinks kept.
func filesOf(page *flatPage) []File {
	if len(page.releases) != 1 {
		return nil
	}
	return page.releases[0].Files()
}

// readLocalLink returns the wheels and source archives in a folder, those that a
// page links to, or the one that the name itself is.
func (c *Client) readLocalLink(name string) ([]File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if isDistribution(filepath.Base(name)) {
			return []File{localFile(name, info)}, nil
		}
		page, err := readLocal(fileURL(name), convertLinks)
		if err != nil {
			return nil, err
		}
		return filesOf(page), nil
	}
	entries, err := os.ReadDir(name) // sorted by name
	if err != nil {
		return nil, err
	}
	var found []File
	for _, e := range entries {
		if !isDistribution(e.Name()) {
			continue
		}
		at := filepath.Join(name, e.Name())
		if info, err := os.Stat(at); err == nil && info.Mode().IsRegular() {
			found = append(found, localFile(at, info))
		}
	}
	return found, nil
}

func localFile(name string, info os.FileInfo) File {
	return File{Name: filepath.Base(name), URL: fileURL(name).String(), Size: info.Size(), Hashes: map[string]string{}}
}

func fileURL(name string) *url.URL { return &url.URL{Scheme: "file", Path: filepath.ToSlash(name)} }

// localName returns the path behind a file URL.
func localName(rawURL string) (string, bool) {
	if !strings.HasPrefix(rawURL, "file:") {
		return "", false
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "file" {
		return "", false
	}
	return filepath.FromSlash(u.Path), true
}
