package pypi

import (
	"bytes"
	"fmt"
	"net/url"
	"path"
	"strings"

	"golang.org/x/net/html"
)

// maxHTMLToken bounds one tag or text. Real ones have a few hundred bytes.
const maxHTMLToken = 1 << 20

// parseHTML reads the HTML of PEP 503: its anchors, its <base> and its <meta>
// of PEP 629 and 792, wherever they stand. Everything else is passed over.
func parseHTML(b []byte) (*rawPage, error) {
	p := &rawPage{}
	z := html.NewTokenizer(bytes.NewReader(b))
	z.SetMaxBuf(maxHTMLToken)
	for {
		switch z.Next() {
		case html.ErrorToken:
			if err := z.Err(); err == html.ErrBufferExceeded {
				return nil, fmt.Errorf("not the HTML of PEP 503: a tag of more than %d bytes", maxHTMLToken)
			}
			return p, checkAPIVersion(p.apiVersion)
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			if !more {
				continue
			}
			switch string(name) {
			case "a":
				if len(p.rows) == maxRows {
					return nil, fmt.Errorf("not the HTML of PEP 503: more than %d links", maxRows)
				}
				if r, ok := anchor(z); ok {
					p.rows = append(p.rows, r)
				}
			case "base":
				p.addBase(attributes(z, "href"))
			case "meta":
				p.addMeta(attributes(z, "name", "content"))
			}
		}
	}
}

// attributes returns the values of the named attributes; the first of several of
// one name counts, as in browsers.
func attributes(z *html.Tokenizer, names ...string) map[string]string {
	found := make(map[string]string, len(names))
	for more := true; more; {
		var key, value []byte
		key, value, more = z.TagAttr()
		for _, n := range names {
			if _, seen := found[n]; n == string(key) && !seen {
				found[n] = string(value)
			}
		}
	}
	return found
}

// addBase notes the first <base>, which is the one that counts.
func (p *rawPage) addBase(at map[string]string) {
	if p.base == "" {
		p.base = strings.TrimSpace(at["href"])
	}
}

func (p *rawPage) addMeta(at map[string]string) {
	switch content := at["content"]; at["name"] {
	case "pypi:repository-version":
		p.apiVersion = content
	case "pypi:project-status":
		p.status = content
	case "pypi:project-status-reason":
		p.statusReason = content
	}
}

// anchor reads the tag that the tokenizer stands at; ok is false if it leads
// nowhere.
func anchor(z *html.Tokenizer) (r rawRow, ok bool) {
	at := attributes(z, "href", "data-requires-python", "data-yanked", "data-core-metadata", "data-dist-info-metadata")
	href := strings.TrimSpace(at["href"])
	if href == "" {
		return r, false
	}
	r.URL, r.fragment = href, true
	r.RequiresPython = at["data-requires-python"]
	r.YankedReason, r.Yanked = at["data-yanked"]
	offered, has := at["data-core-metadata"]
	if !has {
		offered, has = at["data-dist-info-metadata"]
	}
	if has {
		r.CoreMetadata = coreMetadataOf(offered)
	}
	r.Name = nameOf(href)
	return r, true
}

// coreMetadataOf reads "true" or "sha256=...".
func coreMetadataOf(value string) map[string]string {
	m := map[string]string{}
	if algorithm, digest, ok := strings.Cut(value, "="); ok {
		m[algorithm] = digest
	}
	return m
}

// nameOf returns the file name that a link leads to.
func nameOf(href string) string {
	href, _, _ = strings.Cut(href, "#")
	href, _, _ = strings.Cut(href, "?")
	name := path.Base(href)
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}
