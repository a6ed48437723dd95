// Package registry speaks the distribution protocol with one repository of a
// registry: it reads and writes manifests and blobs, with limits, bounded
// retries, resumed downloads and credentials that reach nobody else.
//
// It is shared by image, which reads, and publish, which writes. What is done
// with the content is theirs.
package registry

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// Options say how a registry is reached; the zero value is the default.
type Options struct {
	Keychain  authn.Keychain    // nil: nobody
	Transport http.RoundTripper // nil: time-outs and proxies as the environment says
	// Insecure allows plain HTTP also to a host that is not loopback, if it
	// does not answer HTTPS.
	Insecure bool
}

// Repository is one repository of a registry that answered. It may be used by
// several goroutines.
type Repository struct {
	name      name.Repository
	base      *url.URL // scheme and host, nothing else
	transport http.RoundTripper
	auth      auth
	noMount   atomic.Bool  // mounting was refused once
	chunk     atomic.Int64 // index of the chunk size in use, see chunkSizes
	pause     func(ctx context.Context, d time.Duration) error
	stall     time.Duration
}

// Open asks the registry of repo whether it is there and how it wants to be
// spoken to. Actions are what will be done with the repository: "pull" or
// "pull,push". Loopback hosts are spoken to in plain HTTP.
func Open(ctx context.Context, repo name.Repository, actions string, o Options) (*Repository, error) {
	r := newRepository(repo, actions, o)
	if err := r.connect(ctx, o.Insecure); err != nil {
		return nil, err
	}
	return r, nil
}

func newRepository(repo name.Repository, actions string, o Options) *Repository {
	r := &Repository{name: repo, transport: o.Transport, pause: sleep, stall: stallLimit}
	if r.transport == nil {
		r.transport = defaultTransport()
	}
	r.auth = auth{
		keychain: o.Keychain,
		resource: repo,
		own:      "repository:" + repo.RepositoryStr() + ":" + actions,
		tokens:   make(map[string]token),
	}
	return r
}

// connect finds the scheme that the registry speaks.
func (r *Repository) connect(ctx context.Context, insecure bool) error {
	var first error
	for _, scheme := range schemes(r.name.RegistryStr(), insecure) {
		r.base = &url.URL{Scheme: scheme, Host: r.name.RegistryStr()}
		elsewhere, err := r.ping(ctx)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
		if !elsewhere {
			break
		}
	}
	return first
}

// Name returns the name of the repository, without tag and digest.
func (r *Repository) Name() string { return r.name.Name() }

// SameRegistry tells whether both are repositories of one registry, so that
// content of one can be mounted in the other.
func (r *Repository) SameRegistry(other name.Repository) bool {
	return r.name.RegistryStr() == other.RegistryStr()
}

// ping finds out whether a registry answers under r.base and what credentials
// it asks for. Elsewhere tells that another scheme may be worth a try.
func (r *Repository) ping(ctx context.Context) (elsewhere bool, err error) {
	u := *r.base
	u.Path = "/v2/"
	resp, err := r.do(ctx, call{op: "registry", method: http.MethodGet, url: &u, anonymous: true})
	if err != nil {
		return ctx.Err() == nil && wrongScheme(err), err
	}
	defer drain(resp)
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		r.auth.setChallenge(parseChallenges(resp.Header.Values("WWW-Authenticate")))
		return false, nil
	case http.StatusOK, http.StatusNotFound:
		// Not every registry serves the root of the API; the requests that
		// follow tell whether this is one.
		return false, nil
	}
	err = r.answer(call{op: "registry"}, resp)
	// A TLS server answers plain HTTP with 400.
	return resp.StatusCode == http.StatusBadRequest, err
}

// schemes lists the schemes to try for a host, best first.
func schemes(host string, insecure bool) []string {
	switch {
	case loopback(host):
		return []string{"http", "https"}
	case insecure:
		return []string{"https", "http"}
	}
	return []string{"https"}
}

// loopback tells whether a host, with or without a port, is this machine.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// path returns the URL of something in the repository.
func (r *Repository) path(format string, args ...any) *url.URL {
	u := *r.base
	u.Path = "/v2/" + r.name.RepositoryStr() + fmt.Sprintf(format, args...)
	return &u
}

// defaultTransport has the limits of a client that nobody configured.
func defaultTransport() http.RoundTripper {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       30 * time.Second,
	}
}
