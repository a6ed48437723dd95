package registry

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// call is one request; it can be made several times.
type call struct {
	op        string // for messages: "manifest 1.0"
	method    string
	url       *url.URL
	header    http.Header
	body      func() (io.ReadCloser, error) // nil: none
	size      int64                         // of the body
	from      string                        // further repository that is read (mount)
	anonymous bool                          // without the credentials of the repository
	authorize string                        // Authorization header of an anonymous call
	once      bool                          // the caller repeats more than this request
}

// maxRedirects is the limit of SAFETY rule 7.
const maxRedirects = 10

// do makes a request until it has an answer that another attempt would not
// change. Any status but those of temporary may come back.
func (r *Repository) do(ctx context.Context, c call) (*http.Response, error) {
	w := r.newWait()
	for {
		resp, err := r.attempt(ctx, c)
		if err == nil && !temporary(resp.StatusCode) {
			return resp, nil
		}
		if err == nil {
			err = r.answer(c, resp)
			drain(resp)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if c.once {
			return nil, err
		}
		if err := w.again(ctx, err); err != nil {
			return nil, err
		}
	}
}

// maxRenewals is how often a token may run out during one attempt: tokens of a
// busy registry can be shorter than the upload of a layer.
const maxRenewals = 3

// attempt makes a request once, and again when its token has run out.
func (r *Repository) attempt(ctx context.Context, c call) (*http.Response, error) {
	if c.anonymous || !sameOrigin(c.url, r.base) {
		return r.send(ctx, c, c.authorize)
	}
	used, err := r.auth.authorization(ctx, r, c.from)
	if err != nil {
		return nil, err
	}
	for renewals := 0; ; renewals++ {
		resp, err := r.send(ctx, c, used)
		if err != nil || resp.StatusCode != http.StatusUnauthorized || !sameOrigin(resp.Request.URL, r.base) {
			return resp, err
		}
		ch := parseChallenges(resp.Header.Values("WWW-Authenticate"))
		renewed, err := r.auth.renew(ctx, r, c.from, used, ch)
		if err == nil && (renewed == used || renewals == maxRenewals) {
			err = r.answer(c, resp)
		}
		drain(resp)
		if err != nil {
			return nil, err
		}
		used = renewed
	}
}

// send makes a request with an Authorization header and follows redirects. The
// header goes to the host and port of the first URL only.
func (r *Repository) send(ctx context.Context, c call, authorization string) (*http.Response, error) {
	u := c.url
	for range maxRedirects + 1 {
		if !sameOrigin(u, c.url) {
			authorization = "" // also if a later redirect leads back
		}
		resp, err := r.hop(ctx, c, u, authorization)
		if err != nil {
			return nil, err
		}
		next, err := redirect(c, u, resp)
		if err == nil && next == nil {
			return resp, nil
		}
		drain(resp)
		if err != nil {
			return nil, err
		}
		u = next
	}
	return nil, fmt.Errorf("%s: %s: more than %d redirects: %w", r.base.Host, c.op, maxRedirects, ErrProtocol)
}

// hop makes one request to one URL.
func (r *Repository) hop(ctx context.Context, c call, u *url.URL, authorization string) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	req, body, err := c.request(ctx, u)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	if body != nil {
		body.watch(r.stall, func() { cancel(errStalled) })
	}
	resp, err := r.transport.RoundTrip(req)
	if err != nil {
		if context.Cause(ctx) == errStalled {
			err = errStalled
		}
		cancel(nil)
		if local := body.failure(); local != nil {
			return nil, &localError{c.op, local}
		}
		return nil, &networkError{u.Host, c.op, err}
	}
	resp.Request = req
	resp.Body = &answerBody{resp.Body, cancel}
	return resp, nil
}

// answerBody ends the context of its request.
type answerBody struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (b *answerBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// request makes the request for one hop.
func (c call) request(ctx context.Context, u *url.URL) (*http.Request, *sentBody, error) {
	req, err := http.NewRequestWithContext(ctx, c.method, u.String(), nil)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.op, err)
	}
	if c.header != nil {
		req.Header = c.header.Clone()
	}
	// Digests are of the bytes as they are stored; no compression on the way.
	req.Header.Set("Accept-Encoding", "identity")
	if c.body == nil {
		return req, nil, nil
	}
	rc, err := c.body()
	if err != nil {
		return nil, nil, &localError{c.op, err}
	}
	if c.size == 0 {
		return req, nil, rc.Close()
	}
	body := &sentBody{ReadCloser: rc}
	req.Body, req.ContentLength = body, c.size
	return req, body, nil
}

// redirect returns where an answer leads, nil for nowhere.
func redirect(c call, u *url.URL, resp *http.Response) (*url.URL, error) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		if c.method != http.MethodGet && c.method != http.MethodHead {
			return nil, nil // the method would change: not ours to decide
		}
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	return location(c, u, resp)
}

// location reads the Location header of an answer to a request for u.
func location(c call, u *url.URL, resp *http.Response) (*url.URL, error) {
	text := resp.Header.Get("Location")
	if text == "" {
		return nil, fmt.Errorf("%s: %s: answer %d without a Location: %w", u.Host, c.op, resp.StatusCode, ErrProtocol)
	}
	next, err := u.Parse(text)
	if err != nil || next.Host == "" || next.Scheme != "http" && next.Scheme != "https" {
		return nil, fmt.Errorf("%s: %s: Location is no http(s) URL: %w", u.Host, c.op, ErrProtocol)
	}
	if u.Scheme == "https" && next.Scheme == "http" {
		return nil, fmt.Errorf("%s: %s: Location leads from https to http on %q: %w", u.Host, c.op, cut(next.Host), ErrProtocol)
	}
	next.User, next.Fragment = nil, ""
	return next, nil
}

// sameOrigin compares scheme, host and port.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && a.Hostname() == b.Hostname() && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "http" {
		return "80"
	}
	return "443"
}

// localError is a failure to read what is to be sent.
type localError struct {
	op  string
	err error
}

func (e *localError) Error() string { return e.op + ": " + e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

// drain reads a little of what is left, so that the connection can be used
// again, and closes it.
func drain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
}
