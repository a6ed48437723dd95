package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Kind is what went wrong, as far as a caller acts on it.
type Kind int

// The kinds of [Error].
const (
	Network  Kind = iota // no answer, or not the whole of it
	Auth                 // 401, 403, 407
	NotFound             // 404, 410
	Server               // any other status from 400 on
	Policy               // not sent: a rule of ours forbids it
)

// Sentinels for errors.Is; an [*Error] matches the one of its kind.
var (
	ErrNetwork  = errors.New("network error")
	ErrAuth     = errors.New("not authorised")
	ErrNotFound = errors.New("not found")
	ErrServer   = errors.New("refused by the server")
	ErrPolicy   = errors.New("request not allowed")
	ErrOffline  = errors.New("offline")
)

var (
	errTooManyRedirects = errors.New("more than 10 redirects")
	errDowngrade        = errors.New("redirect from https to http refused")
	errScheme           = errors.New("only http and https are allowed")
	errStalled          = errors.New("the answer stalled")
	errSlow             = errors.New("the answer is too slow")
)

// Error is a request that did not give what was asked for.
type Error struct {
	Method     string
	URL        string // without credentials and query
	Kind       Kind
	Status     int           // 0 without an answer
	RetryAfter time.Duration // what the server asks for, 0 if nothing
	Err        error         // the cause; nil if the status says it all
}

// Error implements error; the text holds no credential.
func (e *Error) Error() string {
	what := e.Method + " " + e.URL + ": "
	switch {
	case e.Err != nil:
		return what + RedactText(e.Err.Error())
	case e.RetryAfter > 0:
		return fmt.Sprintf("%s%d %s (asks to wait %s)", what, e.Status, http.StatusText(e.Status), e.RetryAfter.Round(time.Second))
	}
	return fmt.Sprintf("%s%d %s", what, e.Status, http.StatusText(e.Status))
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches the sentinel of the kind.
func (e *Error) Is(target error) bool {
	return target == [...]error{Network: ErrNetwork, Auth: ErrAuth, NotFound: ErrNotFound, Server: ErrServer, Policy: ErrPolicy}[e.Kind]
}

// Temporary tells whether the same request may succeed a little later.
func (e *Error) Temporary() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case 0:
		return e.Kind == Network && isTemporary(e.Err)
	}
	// Part of a good answer arrived.
	return e.Kind == Network && e.Status < 300
}

// isTemporary tells whether a failure without an answer may be an accident. A
// certificate that does not fit and a name that does not exist are none.
func isTemporary(err error) bool {
	var (
		verify  *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		dns     *net.DNSError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		// A deadline of our own (dialling, headers) is a net.Error, not this one.
		var ne net.Error
		return errors.As(err, &ne) && !errors.Is(err, context.Canceled) && ne.Timeout()
	case errors.As(err, &verify), errors.As(err, &record), errors.As(err, &invalid):
		return false
	case errors.As(err, &dns):
		return !dns.IsNotFound
	}
	return true
}

// newError makes an error of a failed request; one that is made already, and
// the cancellation of the caller's context, stay what they are.
func newError(req *http.Request, err error) error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	if cause := req.Context().Err(); cause != nil {
		return cause
	}
	var ue *url.Error
	for errors.As(err, &ue) { // its text repeats the URL
		err, ue = ue.Err, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	e := &Error{Method: req.Method, URL: RedactURL(req.URL), Err: err}
	if e.Method == "" {
		e.Method = http.MethodGet
	}
	for _, rule := range []error{ErrOffline, errTooManyRedirects, errDowngrade, errScheme} {
		if errors.Is(err, rule) {
			e.Kind = Policy
		}
	}
	return e
}

// newStatusError makes an error of an answer.
func newStatusError(req *http.Request, resp *http.Response) *Error {
	e := &Error{Method: req.Method, URL: RedactURL(req.URL), Status: resp.StatusCode, Kind: Server}
	if e.Method == "" {
		e.Method = http.MethodGet
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		e.Kind = Auth
	case http.StatusNotFound, http.StatusGone:
		e.Kind = NotFound
	}
	e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"))
	return e
}
