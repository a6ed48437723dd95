package pypi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/r-seed-1713b764/distill/internal/transport"
)

// state is what a Client knows besides its fields.
type state struct {
	err     error // an index URL is none
	http    *http.Client
	retry   transport.Retrier
	slots   chan struct{} // one for each request under way
	indexes []*url.URL    // without credentials, with "/" at the end
	logins  []login
	counts  counters

	projects  flights[*Project]
	metadata  flights[Metadata]
	downloads flights[string]
	links     flights[*linkSet]
	known     packs
	answers   answerPacks
	pieces    sync.Pool     // *piece
	tails     sync.Pool     // *[]byte, for the tails of wheels
	workshop  chan []byte   // memory for one page each; how many are converted at once
	benches   chan struct{} // one for each wheel that is looked into at once
	open      atomic.Int32  // pages of which the cache's file is open
	spoiled   atomic.Bool
}

// login is a credential and the part of the web it is for.
type login struct {
	origin   *url.URL
	user     string
	password string
	has      bool // false: only a place where Netrc may be asked
}

// counters are the live form of Stats.
type counters struct {
	pages, notModified, metadata, ranges, wholes, retries, bytes atomic.Int64
}

// Stats counts requests that were sent, retries included.
type Stats struct {
	Pages, NotModified       int // pages asked for; answers 304 among them
	Metadata, Ranges, Wholes int // .metadata files, parts of files, whole files
	Retries                  int
	Bytes                    int64 // of bodies, after decompression
}

// Requests returns the number of all requests.
func (s Stats) Requests() int { return s.Pages + s.Metadata + s.Ranges + s.Wholes }

// Stats returns the counts so far.
func (c *Client) Stats() Stats {
	n := &c.state.counts
	return Stats{
		Pages: int(n.pages.Load()), NotModified: int(n.notModified.Load()), Metadata: int(n.metadata.Load()),
		Ranges: int(n.ranges.Load()), Wholes: int(n.wholes.Load()), Retries: int(n.retries.Load()), Bytes: n.bytes.Load(),
	}
}

// init makes the state from the fields, once.
func (c *Client) init() error {
	c.once.Do(func() {
		s := &c.state
		rt := c.Transport
		if rt == nil {
			rt = transport.New(transport.Options{UserAgent: "distill", InsecureHosts: c.TrustedHosts})
		}
		s.http = transport.Client(rt)
		s.slots = make(chan struct{}, maxRequests)
		s.benches = make(chan struct{}, runtime.GOMAXPROCS(0))
		s.workshop = make(chan []byte, runtime.GOMAXPROCS(0))
		for range cap(s.workshop) {
			s.workshop <- nil
		}
		s.retry.OnRetry = func(err error) {
			s.counts.retries.Add(1)
			c.logf("trying again: %v", err)
		}
		indexes := c.Indexes
		if len(indexes) == 0 {
			indexes = []string{DefaultIndex}
		}
		if c.NoIndex {
			indexes = nil
		}
		for _, raw := range indexes {
			u, err := c.addLogin(raw)
			if err != nil {
				s.err = err
				return
			}
			u.RawQuery, u.Fragment = "", ""
			u.Path = strings.TrimRight(u.Path, "/") + "/"
			u.RawPath = ""
			s.indexes = append(s.indexes, u)
		}
		for _, raw := range c.FindLinks {
			if strings.HasPrefix(raw, "http://") || strings.HasPrefix(raw, "https://") {
				if _, err := c.addLogin(raw); err != nil {
					s.err = err
				}
			}
		}
	})
	return c.state.err
}

// addLogin parses a URL of the user's, takes its credentials out, and keeps them.
func (c *Client) addLogin(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "file" {
		return nil, &badURL{fmt.Sprintf("index %q is no http, https or file URL", transport.Redact(raw))}
	}
	if u.Host == "" && u.Scheme != "file" {
		return nil, &badURL{fmt.Sprintf("index %q names no host", transport.Redact(raw))}
	}
	l := login{}
	if u.User != nil {
		l.has, l.user = true, u.User.Username()
		l.password, _ = u.User.Password()
		u.User = nil
	}
	origin := *u
	l.origin = &origin
	c.state.logins = append(c.state.logins, l)
	return u, nil
}

// badURL is an [ErrURL] whose text says all.
type badURL struct{ text string }

func (b *badURL) Error() string   { return b.text }
func (*badURL) Is(err error) bool { return err == ErrURL }

// Check returns an error that wraps [ErrURL] if Indexes or FindLinks hold
// something else. It asks nobody.
func (c *Client) Check() error { return c.init() }

func (c *Client) logf(format string, args ...any) {
	if c.Log != nil {
		c.Log(format, args...)
	}
}

// tell logs what became of a question for a page.
func (c *Client) tell(at *url.URL, what string) {
	if c.Log != nil {
		c.Log("%s: %s", transport.RedactURL(at), what)
	}
}

// authorize adds the credentials that belong to the scheme, host and port of the
// request: those of the index whose path it is below, else of another one on the
// same host, else those of netrc.
func (c *Client) authorize(req *http.Request) {
	best, depth, ours := (*login)(nil), -1, false
	for i := range c.state.logins {
		l := &c.state.logins[i]
		if l.origin.Scheme != req.URL.Scheme || transport.HostPort(l.origin) != transport.HostPort(req.URL) {
			continue
		}
		ours = true
		d := 0
		if strings.HasPrefix(req.URL.Path, l.origin.Path) {
			d = len(l.origin.Path)
		}
		if l.has && d > depth {
			best, depth = l, d
		}
	}
	if best != nil {
		req.SetBasicAuth(best.user, best.password)
		return
	}
	if !ours || c.Netrc == nil {
		return
	}
	if user, password, ok := c.Netrc(req.URL.Hostname()); ok {
		req.SetBasicAuth(user, password)
	}
}

// send makes one attempt at a GET. It waits for a free slot, which is given back
// when the body is closed. count is the counter of this kind of request.
func (c *Client) send(ctx context.Context, count *atomic.Int64, rawURL string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: not a URL", transport.Redact(rawURL), ErrDamaged)
	}
	for key, values := range header {
		req.Header[key] = values
	}
	c.authorize(req)
	select {
	case c.state.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	release := sync.OnceFunc(func() { <-c.state.slots })
	count.Add(1)
	resp, err := transport.Send(c.state.http, req)
	if err != nil {
		release()
		return nil, err
	}
	resp.Body = &slotBody{ReadCloser: resp.Body, release: release, bytes: &c.state.counts.bytes}
	return resp, nil
}

// slotBody counts bytes, and gives the slot back when closed.
type slotBody struct {
	io.ReadCloser
	release func()
	bytes   *atomic.Int64
}

func (b *slotBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.bytes.Add(int64(n))
	return n, err
}

func (b *slotBody) Close() error {
	err := b.ReadCloser.Close()
	b.release()
	return err
}

// getAll reads a whole answer of at most limit bytes into memory, with retries.
// The response's body is closed.
func (c *Client) getAll(ctx context.Context, count *atomic.Int64, rawURL string, header http.Header, limit int64) (b []byte, resp *http.Response, err error) {
	resp, err = c.get(ctx, count, rawURL, header, func(r *http.Response) error {
		var err error
		b, err = readLimited(r.Body, limit, r.ContentLength)
		return err
	})
	return b, resp, err
}

// get asks with retries, and has each answer read. Its body is closed.
func (c *Client) get(ctx context.Context, count *atomic.Int64, rawURL string, header http.Header, read func(*http.Response) error) (resp *http.Response, err error) {
	err = c.state.retry.Run(ctx, func(int) error {
		var err error
		if resp, err = c.send(ctx, count, rawURL, header); err != nil {
			return err
		}
		defer resp.Body.Close()
		return read(resp)
	})
	if err != nil {
		return nil, describeTooLarge(rawURL, err)
	}
	return resp, nil
}

// tooLarge is an answer over a limit.
type tooLarge int64

func (t tooLarge) Error() string { return fmt.Sprintf("more than %d MiB", int64(t)>>20) }

func describeTooLarge(rawURL string, err error) error {
	var t tooLarge
	if errors.As(err, &t) {
		return fmt.Errorf("%s: %w: %w", transport.Redact(rawURL), ErrDamaged, err)
	}
	return err
}

// readLimited reads up to limit bytes; hint is the expected number or -1.
func readLimited(r io.Reader, limit, hint int64) ([]byte, error) {
	if hint > limit {
		return nil, tooLarge(limit)
	}
	// The hint is the server's word: it is believed for a megabyte.
	b := make([]byte, 0, min(max(hint, 512), 1<<20)+1)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if int64(len(b)) > limit {
			return nil, tooLarge(limit)
		}
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
