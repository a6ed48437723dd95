// Package transport is HTTP as distill wants it: limits on time and size,
// bounded retries that honour Retry-After, redirects that never carry a
// credential to another host.
package transport

import "net/http"

// Options say how requests are made; the zero value is the default.
type Options struct {
	UserAgent string
	// InsecureHosts are "host:port" or "host" whose certificate is not verified.
	InsecureHosts []string
	Offline       bool
}

// New returns a RoundTripper with the connect and header time-outs, the proxy
// and certificate variables of the environment, and the minimum speed for
// bodies. It does not retry: that is up to the client that knows what a request
// means (Retry helps).
func New(o Options) http.RoundTripper { panic("contract") }
