package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// auth holds the credentials for one repository and the tokens got for them.
type auth struct {
	keychain authn.Keychain
	resource authn.Resource
	own      string // scope of the repository itself

	// mu is held while a token is fetched, so that all who need it wait for
	// one answer.
	mu        sync.Mutex
	challenge challenge
	login     *authn.AuthConfig // nil: not asked yet
	tokens    map[string]token  // by further repository, "" for none

	anonymous atomic.Bool // the keychain was asked and knows nobody
}

// token is a bearer token.
type token struct {
	header string
	until  time.Time
}

// authorization returns the Authorization header for a request that also reads
// the repository from, if that is not "".
func (a *auth) authorization(ctx context.Context, r *Repository, from string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.header(ctx, r, from)
}

// renew returns a header other than used, which the registry did not accept, or
// used if there is no other.
func (a *auth) renew(ctx context.Context, r *Repository, from, used string, ch challenge) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ch.scheme != "" {
		a.challenge = ch
	}
	if t, ok := a.tokens[from]; ok && t.header == used {
		delete(a.tokens, from)
	}
	return a.header(ctx, r, from)
}

func (a *auth) setChallenge(ch challenge) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.challenge = ch
}

func (a *auth) header(ctx context.Context, r *Repository, from string) (string, error) {
	if a.challenge.scheme == "" {
		return "", nil
	}
	if err := a.resolve(ctx); err != nil {
		return "", err
	}
	if a.challenge.scheme == "basic" {
		if a.login.Username == "" && a.login.Password == "" {
			return "", nil
		}
		return basic(a.login), nil
	}
	if a.login.RegistryToken != "" {
		return "Bearer " + a.login.RegistryToken, nil
	}
	if t, ok := a.tokens[from]; ok && time.Now().Before(t.until) {
		return t.header, nil
	}
	t, err := a.fetch(ctx, r, from)
	if err != nil {
		return "", err
	}
	a.tokens[from] = t
	return t.header, nil
}

// resolve asks the keychain, once.
func (a *auth) resolve(ctx context.Context) error {
	if a.login != nil {
		return nil
	}
	a.login = &authn.AuthConfig{}
	if a.keychain == nil {
		a.anonymous.Store(true)
		return nil
	}
	who, err := authn.Resolve(ctx, a.keychain, a.resource)
	if err == nil {
		var login *authn.AuthConfig
		if login, err = authn.Authorization(ctx, who); err == nil && login != nil {
			a.login = login
		}
	}
	if err != nil {
		a.login = nil
		return &credentialsError{a.resource.RegistryStr(), err}
	}
	a.anonymous.Store(*a.login == authn.AuthConfig{})
	return nil
}

// credentialsError is a keychain that could not say what it has.
type credentialsError struct {
	host string
	err  error
}

func (e *credentialsError) Error() string        { return "credentials for " + e.host + ": " + e.err.Error() }
func (e *credentialsError) Unwrap() error        { return e.err }
func (e *credentialsError) Is(target error) bool { return target == ErrAuth }

func basic(login *authn.AuthConfig) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(login.Username+":"+login.Password))
}

// fetch gets a token from the realm of the challenge.
func (a *auth) fetch(ctx context.Context, r *Repository, from string) (token, error) {
	realm, err := a.realm(r)
	if err != nil {
		return token{}, err
	}
	c := call{op: "token from " + realm.Host, method: http.MethodGet, url: realm, anonymous: true}
	q := url.Values{"scope": a.scopes(from)}
	if a.challenge.service != "" {
		q.Set("service", a.challenge.service)
	}
	if a.login.IdentityToken != "" {
		// OAuth2 form of the token specification: the only one that takes an
		// identity token.
		q.Set("scope", strings.Join(q["scope"], " "))
		q.Set("grant_type", "refresh_token")
		q.Set("client_id", "distill")
		q.Set("refresh_token", a.login.IdentityToken)
		form := q.Encode()
		c.method, c.size = http.MethodPost, int64(len(form))
		c.header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		c.body = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(form)), nil }
	} else {
		for k, v := range realm.Query() {
			q[k] = append(q[k], v...)
		}
		realm.RawQuery = q.Encode()
		if a.login.Username != "" || a.login.Password != "" {
			c.authorize = basic(a.login)
		}
	}
	start := time.Now()
	resp, err := r.do(ctx, c)
	if err != nil {
		return token{}, err
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusOK {
		err := r.answer(c, resp)
		if resp.StatusCode >= 400 && resp.StatusCode < 500 {
			return token{}, fmt.Errorf("%w: %w", err, ErrAuth)
		}
		return token{}, err
	}
	return readToken(c.op, resp.Body, start)
}

// realm returns where to ask for a token. Credentials go to the registry itself
// or to an HTTPS server that it names, never from https to http.
func (a *auth) realm(r *Repository) (*url.URL, error) {
	u, err := url.Parse(a.challenge.realm)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return nil, fmt.Errorf("%s: token realm %q is no http(s) URL: %w", r.base.Host, cut(a.challenge.realm), ErrProtocol)
	}
	if u.Scheme == "http" && !sameOrigin(u, r.base) {
		return nil, fmt.Errorf("%s: token realm on %q is another host over plain http, credentials are not sent there: %w", r.base.Host, cut(u.Host), ErrAuth)
	}
	return u, nil
}

// scopes lists what a token must allow. What the registry itself asks for is
// added: behind some proxies the repository has another name.
func (a *auth) scopes(from string) []string {
	all := []string{a.own}
	if from != "" {
		all = append(all, "repository:"+from+":pull")
	}
	for _, s := range strings.Fields(a.challenge.scope) {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// readToken reads the answer of a token server.
func readToken(op string, body io.Reader, start time.Time) (token, error) {
	var said struct {
		Token       string  `json:"token"`
		AccessToken string  `json:"access_token"`
		ExpiresIn   float64 `json:"expires_in"`
	}
	// 1 MiB: tokens with many groups in them reach some 10 KiB.
	if err := json.NewDecoder(io.LimitReader(body, 1<<20)).Decode(&said); err != nil {
		return token{}, fmt.Errorf("%s: not the JSON of a token: %w", op, ErrProtocol)
	}
	if said.Token == "" {
		said.Token = said.AccessToken
	}
	if said.Token == "" || strings.ContainsFunc(said.Token, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return token{}, fmt.Errorf("%s: the answer holds no usable token: %w", op, ErrProtocol)
	}
	if said.ExpiresIn <= 0 {
		said.ExpiresIn = 60 // the token specification's default
	}
	life := time.Duration(min(said.ExpiresIn, 24*3600) * float64(time.Second))
	// A request that starts with the last second of a token arrives without.
	return token{"Bearer " + said.Token, start.Add(life - min(life/5, 10*time.Second))}, nil
}
