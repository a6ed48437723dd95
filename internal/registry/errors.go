package registry

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// What went wrong, for errors.Is.
var (
	// ErrNotFound: there is no such repository, tag, manifest or blob.
	ErrNotFound = errors.New("not found")
	// ErrAuth: credentials are missing, refused or not sufficient.
	ErrAuth = errors.New("access refused")
	// ErrUnavailable: no connection, or the registry failed or was too busy
	// also after several attempts.
	ErrUnavailable = errors.New("registry not available")
	// ErrProtocol: the registry answered something that the protocol forbids,
	// or refused for a reason that is none of the above.
	ErrProtocol = errors.New("not as the distribution protocol says")
	// ErrDigest: content is not what its digest or size says.
	ErrDigest = errors.New("content does not match its digest")
)

// AnswerError is an answer of a registry that is not what was asked for.
type AnswerError struct {
	Host    string
	Op      string // what was asked for
	Status  int
	Code    string // as the registry put it, e.g. DENIED; may be ""
	Message string // as the registry put it; may be ""
	// Anonymous: the keychain knows nobody for this registry.
	Anonymous bool

	retryAfter string // the header
}

// Error escapes and cuts what the registry said.
func (e *AnswerError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %d", e.Host, e.Op, e.Status)
	if text := http.StatusText(e.Status); text != "" {
		b.WriteString(" " + text)
	}
	if e.Code != "" {
		fmt.Fprintf(&b, ", %s", quoteUnlessPlain(e.Code))
	}
	if e.Message != "" {
		fmt.Fprintf(&b, " %q", cut(e.Message))
	}
	if e.Anonymous {
		fmt.Fprintf(&b, " (no credentials for %s)", e.Host)
	}
	return b.String()
}

// Is reports which of the package's errors the status stands for.
func (e *AnswerError) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return e.Status == http.StatusNotFound
	case ErrAuth:
		return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden
	case ErrUnavailable:
		return temporary(e.Status)
	case ErrProtocol:
		return !e.Is(ErrNotFound) && !e.Is(ErrAuth) && !e.Is(ErrUnavailable)
	}
	return false
}

// maxForeignText is how much of a registry's message is repeated.
const maxForeignText = 300

func cut(s string) string {
	if len(s) > maxForeignText {
		return strings.ToValidUTF8(s[:maxForeignText], "") + "..."
	}
	return s
}

// quoteUnlessPlain shows an error code as it is if it looks like one.
func quoteUnlessPlain(s string) string {
	for _, c := range []byte(s) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return fmt.Sprintf("%q", cut(s))
		}
	}
	return cut(s)
}

// answer turns a response into an error; it reads what the registry says of it.
func (r *Repository) answer(c call, resp *http.Response) error {
	e := &AnswerError{Host: r.base.Host, Op: c.op, Status: resp.StatusCode, retryAfter: resp.Header.Get("Retry-After")}
	// 64 KiB: an error of the protocol is one sentence.
	data, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var said struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(data, &said) == nil && len(said.Errors) > 0 {
		e.Code, e.Message = said.Errors[0].Code, said.Errors[0].Message
	}
	e.Anonymous = errors.Is(e, ErrAuth) && r.auth.anonymous.Load()
	return e
}

// networkError is a failure below HTTP.
type networkError struct {
	host, op string
	err      error
}

func (e *networkError) Error() string {
	cause := e.err
	var v verdict
	if errors.As(cause, &v) && v.Unwrap() != nil {
		cause = v.Unwrap() // without the URL, which is named already
	}
	return e.host + ": " + e.op + ": " + cause.Error()
}
func (e *networkError) Unwrap() error        { return e.err }
func (e *networkError) Is(target error) bool { return target == ErrUnavailable }

// wrongScheme tells whether an error looks as if the other side does not speak
// the scheme, or not on this port.
func wrongScheme(err error) bool {
	var n *networkError
	if !errors.As(err, &n) || isTimeout(err) {
		return false
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return false
	}
	_, _, portErr := net.SplitHostPort(n.host)
	return portErr != nil || !errors.Is(err, syscall.ECONNREFUSED)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// verdict is the error of a RoundTripper that judges by itself whether trying
// again can help, as the one of package transport does.
type verdict interface {
	error
	Is(error) bool
	Temporary() bool
	Unwrap() error
}

// final tells whether trying again cannot help.
func final(err error) bool {
	var v verdict
	if errors.As(err, &v) {
		return !v.Temporary()
	}
	var (
		dns       *net.DNSError
		cert      *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &dns):
		return dns.IsNotFound
	case errors.As(err, &cert), errors.As(err, &authority), errors.As(err, &record):
		return true
	}
	return errors.Is(err, http.ErrSchemeMismatch)
}
