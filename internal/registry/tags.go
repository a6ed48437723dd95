package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const (
	maxTagPages = 200
	maxTagPage  = 4 << 20 // bytes; a page of 10,000 tags has some 100 KiB
)

// Tags lists the tags of the repository; one that does not exist yet has none.
func (r *Repository) Tags(ctx context.Context) ([]string, error) {
	c := call{op: "GET tags of " + r.name.RepositoryStr(), method: http.MethodGet, url: r.path("/tags/list")}
	var all []string
	for range maxTagPages {
		resp, err := r.do(ctx, c)
		if err != nil {
			return nil, err
		}
		tags, next, err := r.tagPage(c, resp)
		if err != nil {
			return nil, err
		}
		all = append(all, tags...)
		if next == "" {
			return all, nil
		}
		u, err := c.url.Parse(next)
		if err != nil || !sameOrigin(u, r.base) {
			return nil, fmt.Errorf("%s: %s: the next page is elsewhere: %w", r.base.Host, c.op, ErrProtocol)
		}
		c.url = u
	}
	return nil, fmt.Errorf("%s: %s: more than %d pages: %w", r.base.Host, c.op, maxTagPages, ErrProtocol)
}

func (r *Repository) tagPage(c call, resp *http.Response) (tags []string, next string, err error) {
	defer drain(resp)
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, "", nil
	default:
		return nil, "", r.answer(c, resp)
	}
	var page struct{ Tags []string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxTagPage)).Decode(&page); err != nil {
		return nil, "", fmt.Errorf("%s: %s: not the JSON of a list of tags: %w", r.base.Host, c.op, ErrProtocol)
	}
	return page.Tags, nextPage(resp.Header.Values("Link")), nil
}

// nextPage finds the target of rel="next" (RFC 8288) as registries write it.
func nextPage(links []string) string {
	for _, l := range links {
		target, params, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(l), "<"), ">")
		if ok && strings.Contains(params, `rel="next"`) || ok && strings.Contains(params, "rel=next") {
			return target
		}
	}
	return ""
}

// DeleteTag takes a tag away again. Many registries don't allow that.
func (r *Repository) DeleteTag(ctx context.Context, tag string) error {
	c := r.manifestCall(http.MethodDelete, tag)
	resp, err := r.do(ctx, c)
	if err != nil {
		return err
	}
	defer drain(resp)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return r.answer(c, resp)
	}
	return nil
}
