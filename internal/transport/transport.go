// Package transport is HTTP as distill wants it: limits on time and size,
// bounded retries that honour Retry-After, redirects that never carry a
// credential to another host.
//
// It knows no registry and no index. Their clients send with [Send] or [Do],
// wrap what has to be tried again in [Retrier.Run], and find in an [*Error] what
// went wrong.
package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"time"
)

// Options say how requests are made; the zero value is the default.
type Options struct {
	UserAgent string // sent unless a request has its own
	// InsecureHosts are "host:port" or "host" whose certificate is not verified,
	// and to which https may be redirected as plain http.
	InsecureHosts []string
	// CertFile is a PEM bundle that replaces the system's certificates (PIP_CERT,
	// REQUESTS_CA_BUNDLE). SSL_CERT_FILE and SSL_CERT_DIR need no option.
	CertFile string
	// Offline refuses every request with an error that wraps [ErrOffline].
	Offline bool
	// ConnectTimeout bounds dialling and the TLS handshake each (0: 10 s),
	// HeaderTimeout the wait for the head of an answer (0: 30 s).
	ConnectTimeout, HeaderTimeout time.Duration
	// BodyWindow is how long a body may take for its next 16 KiB before it
	// counts as stalled (0: 15 s). Time in which the reader does not read is
	// not counted.
	BodyWindow time.Duration
}

// maxRedirects is the bound of SAFETY; browsers and net/http have the same.
const maxRedirects = 10

// maxResponseHeader bounds the head of an answer; real ones have a few KiB.
const maxResponseHeader = 1 << 20

// New returns a RoundTripper with the connect and header time-outs, the proxy
// and certificate variables of the environment, and the minimum speed for
// bodies. It polices the redirects that an http.Client follows: not more than
// ten, http and https only, no credential to another host and port, never from
// https to http. It does not retry: that is up to the client that knows what a
// request means ([Do] and [Retrier] help). Its errors are of type *Error. It is
// safe for several goroutines.
func New(o Options) http.RoundTripper {
	o.ConnectTimeout = orDefault(o.ConnectTimeout, 10*time.Second)
	o.HeaderTimeout = orDefault(o.HeaderTimeout, 30*time.Second)
	o.BodyWindow = orDefault(o.BodyWindow, 15*time.Second)
	if o.Offline {
		o.CertFile = "" // a bundle takes milliseconds to read
	}
	roots, err := loadRoots(o.CertFile)
	return &roundTripper{
		opts:     o,
		secure:   newBase(o, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}),
		insecure: newBase(o, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}), //nolint:gosec // only for hosts that the user names
		err:      err,
	}
}

// Client returns an http.Client over rt that follows at most ten redirects. rt
// should come from [New], which takes care of credentials.
func Client(rt http.RoundTripper) *http.Client {
	return &http.Client{Transport: rt, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return errTooManyRedirects
		}
		return nil
	}}
}

func orDefault(d, def time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return def
}

// loadRoots reads a PEM bundle; an empty name means the system's roots.
func loadRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("certificate bundle: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("certificate bundle %s holds no PEM certificate", file)
	}
	return pool, nil
}

func newBase(o Options, conf *tls.Config) *http.Transport {
	dialer := &net.Dialer{Timeout: o.ConnectTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    o.ConnectTimeout,
		ResponseHeaderTimeout:  o.HeaderTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxResponseHeader,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        90 * time.Second,
		// A config of our own would otherwise turn HTTP/2 off.
		ForceAttemptHTTP2: true,
		HTTP2:             &http.HTTP2Config{SendPingTimeout: o.BodyWindow, PingTimeout: o.BodyWindow},
	}
}

// roundTripper adds to http.Transport what SAFETY rule 7 asks for.
type roundTripper struct {
	opts             Options
	secure, insecure *http.Transport
	err              error // of the certificate bundle; every request fails with it
}

// RoundTrip implements http.RoundTripper.
func (t *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.refuse(req); err != nil {
		closeBody(req)
		return nil, newError(req, err)
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	out := req.Clone(ctx)
	if leftHost(req) {
		dropCredentials(out.Header)
	}
	if out.Header.Get("User-Agent") == "" && t.opts.UserAgent != "" {
		out.Header.Set("User-Agent", t.opts.UserAgent)
	}
	resp, err := t.base(req).RoundTrip(out)
	if err != nil {
		cancel(nil)
		return nil, newError(req, err)
	}
	resp.Body = newBody(resp.Body, req, t.opts.BodyWindow, cancel)
	return resp, nil
}

// refuse returns why req must not be sent, or nil.
func (t *roundTripper) refuse(req *http.Request) error {
	switch {
	case t.err != nil:
		return t.err
	case t.opts.Offline:
		return ErrOffline
	case req.URL.Scheme != "http" && req.URL.Scheme != "https":
		return fmt.Errorf("scheme %q: %w", req.URL.Scheme, errScheme)
	}
	hops := 0
	for r := req; r.Response != nil && r.Response.Request != nil; r = r.Response.Request {
		if hops++; hops > maxRedirects {
			return errTooManyRedirects
		}
		if r.URL.Scheme == "http" && r.Response.Request.URL.Scheme == "https" && !t.isInsecure(r) {
			return errDowngrade
		}
	}
	return nil
}

func (t *roundTripper) base(req *http.Request) *http.Transport {
	if t.isInsecure(req) {
		return t.insecure
	}
	return t.secure
}

func (t *roundTripper) isInsecure(req *http.Request) bool {
	return slices.ContainsFunc(t.opts.InsecureHosts, func(h string) bool {
		return h == req.URL.Host || h == req.URL.Hostname() || h == HostPort(req.URL)
	})
}

// leftHost tells whether a redirect on the way to req led to another scheme,
// host or port than the first request had. http.Client forwards credentials to
// subdomains and to other ports; we do not, and they stay off even if a later
// redirect leads back.
func leftHost(req *http.Request) bool {
	for r := req; r.Response != nil && r.Response.Request != nil; r = r.Response.Request {
		prev := r.Response.Request.URL
		if prev.Scheme != r.URL.Scheme || HostPort(prev) != HostPort(r.URL) {
			return true
		}
	}
	return false
}

func dropCredentials(h http.Header) {
	for _, name := range []string{"Authorization", "Cookie", "Www-Authenticate", "Proxy-Authorization"} {
		h.Del(name)
	}
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}
