package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// guard lets requests in that have a token of its realm, and hands out tokens.
type guard struct {
	next    http.Handler
	realm   string // "": itself
	uses    int    // a token is good for so many requests, 0: for all
	life    string // "expires_in"
	left    map[string]int
	granted []string // what was asked for, one line a token
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/token" {
		g.grant(w, r)
		return
	}
	token := r.Header.Get("Authorization")
	if n, ok := g.left[token]; ok && (g.uses == 0 || n > 0) {
		g.left[token]--
		g.next.ServeHTTP(w, r)
		return
	}
	realm := g.realm
	if realm == "" {
		realm = "http://" + r.Host + "/token"
	}
	refuse(401, "UNAUTHORIZED", "WWW-Authenticate", `Bearer realm="`+realm+`",service="kit",scope="repository:own/name:pull"`)(w, r)
}

func (g *guard) grant(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	g.granted = append(g.granted, fmt.Sprintf("%s %q %q %s", r.Method, r.Header.Get("Authorization"), r.Form["scope"], r.Form.Get("refresh_token")))
	if g.left == nil {
		g.left = make(map[string]int)
	}
	token := fmt.Sprintf("t%d", len(g.granted))
	g.left["Bearer "+token] = g.uses
	fmt.Fprintf(w, `{"token":%q%s}`, token, g.life)
}

func TestBearer(t *testing.T) {
	for name, c := range map[string]struct {
		who  authn.Keychain
		want string
	}{
		"password":  {alice, `GET "` + aliceBasic + `" ["repository:team/app:pull,push"] `},
		"anonymous": {nil, `GET "" ["repository:team/app:pull,push"] `},
		"identity":  {login{IdentityToken: "idt"}, `POST "" ["repository:team/app:pull,push"] idt`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			g := &guard{next: s.honest}
			s.honest = g
			r := s.open(t, Options{Keychain: c.who})
			// The challenge at the door had a scope of its own.
			r.auth.challenge.scope = ""
			if _, err := r.PutBlob(context.Background(), descriptor(something), upload(something)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{c.want}, g.granted); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTokenIsRenewed(t *testing.T) {
	for name, g := range map[string]*guard{
		"refused after some uses": {uses: 3},
		"about to run out":        {life: `,"expires_in":0.001`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			g.next = s.honest
			s.honest = g
			r := s.open(t, Options{Keychain: alice})
			for i := range 8 {
				data := append(something, byte(i))
				if _, err := r.PutBlob(context.Background(), descriptor(data), upload(data)); err != nil {
					t.Fatal(err)
				}
			}
			if len(g.granted) < 4 {
				t.Errorf("only %d tokens", len(g.granted))
			}
		})
	}
}

func TestRefusedTokenEnds(t *testing.T) {
	s := newServer(t)
	s.honest = &guard{next: refuse(401, "UNAUTHORIZED")}
	r := s.open(t, Options{})
	_, err := r.Manifest(context.Background(), "1.0")
	if !errors.Is(err, ErrAuth) || !strings.Contains(err.Error(), "no credentials") {
		t.Errorf("err = %v", err)
	}
	if n := s.requests("GET manifest"); n > 1+maxRenewals {
		t.Errorf("%d attempts", n)
	}
}

func TestRealmElsewhere(t *testing.T) {
	s, other := newServer(t), newServer(t)
	s.honest = &guard{next: s.honest, realm: other.URL + "/token"}
	r := s.open(t, Options{Keychain: alice})
	_, err := r.Manifest(context.Background(), "1.0")
	if !errors.Is(err, ErrAuth) || len(other.asked) > 0 {
		t.Errorf("err = %v, asked %v", err, other.asked)
	}
	for _, realm := range []string{"", "ftp://example.org/", "//example.org/", "http://", "https://user:pw@example.org/", "\x1b]0;"} {
		r.auth.challenge.realm = realm
		if _, err := r.Head(context.Background(), "1.0"); !errors.Is(err, ErrProtocol) {
			t.Errorf("realm %q: %v", realm, err)
		}
	}
	// Docker Hub's way: the realm is another host, over https.
	secure := httptest.NewTLSServer(other)
	defer secure.Close()
	g := &guard{next: newServer(t).honest}
	other.honest = g
	g.grant(httptest.NewRecorder(), httptest.NewRequest("GET", "/token", nil)) // t1
	s.honest.(*guard).realm = secure.URL + "/token"
	s.honest.(*guard).left = g.left
	r = s.open(t, Options{Keychain: alice, Transport: secure.Client().Transport})
	if _, err := r.Manifest(context.Background(), "1.0"); !errors.Is(err, ErrNotFound) {
		t.Errorf("err = %v", err)
	}
	if len(g.granted) != 2 || !strings.Contains(g.granted[1], aliceBasic) {
		t.Errorf("granted %q", g.granted)
	}
}

func TestBadTokens(t *testing.T) {
	for answer, want := range map[string]error{
		`{}`: ErrProtocol, `[]`: ErrProtocol, `<html>`: ErrProtocol, `{"token":"a\r\nX: y"}`: ErrProtocol, `{"token":5}`: ErrProtocol,
		`{"token":"` + strings.Repeat("x", 2<<20) + `"}`: ErrProtocol,
	} {
		_, err := readToken("token", strings.NewReader(answer), time.Now())
		if !errors.Is(err, want) {
			t.Errorf("%.30s: %v", answer, err)
		}
	}
	tok, err := readToken("token", strings.NewReader(`{"access_token":"abc","expires_in":1e300}`), time.Unix(0, 0))
	if err != nil || tok.header != "Bearer abc" || tok.until.After(time.Unix(24*3600, 0)) {
		t.Errorf("%v, %v", tok, err)
	}
}

func TestKeychainErrorIsTold(t *testing.T) {
	broken := errors.New("config.json: is not JSON")
	s := newServer(t)
	s.honest = basicAuth(s.honest)
	r := s.open(t, Options{Keychain: brokenKeychain{broken}})
	if _, err := r.Head(context.Background(), "1.0"); !errors.Is(err, broken) || !errors.Is(err, ErrAuth) {
		t.Errorf("err = %v", err)
	}
}

type brokenKeychain struct{ err error }

func (b brokenKeychain) Resolve(authn.Resource) (authn.Authenticator, error) { return nil, b.err }

func TestParseChallenges(t *testing.T) {
	for header, want := range map[string]challenge{
		`Bearer realm="https://auth.example/token",service="reg",scope="repository:a:pull"`: {"bearer", "https://auth.example/token", "reg", "repository:a:pull"},
		`Basic realm="x"`:                       {"basic", "x", "", ""},
		`Basic realm=x, Bearer realm=y`:         {"bearer", "y", "", ""},
		`BEARER REALM = "a\"b" , service = c d`: {"bearer", `a"b`, "c d", ""},
		`Negotiate abc==, Basic realm="x"`:      {"basic", "x", "", ""},
		`Negotiate`:                             {},
		``:                                      {},
		`Bearer realm="not closed`:              {"bearer", "not closed", "", ""},
		`Digest realm="a, Basic b", nonce=1, Bearer realm=z`: {"bearer", "z", "", ""},
	} {
		if got := parseChallenges([]string{header}); got != want {
			t.Errorf("%s: %+v, want %+v", header, got, want)
		}
	}
	if got := parseChallenges([]string{`Basic realm=a`, `Bearer realm=b`}); got.realm != "b" {
		t.Errorf("two headers: %+v", got)
	}
}

func FuzzParseChallenges(f *testing.F) {
	f.Add(`Bearer realm="https://auth.example/token",service="reg",scope="a b"`)
	f.Add(`Negotiate abc==, Basic realm="\`)
	f.Fuzz(func(t *testing.T, header string) {
		c := parseChallenges([]string{header})
		if c.scheme != "" && c.scheme != "bearer" && c.scheme != "basic" {
			t.Errorf("scheme %q", c.scheme)
		}
		if len(c.realm)+len(c.service)+len(c.scope) > len(header) {
			t.Errorf("%+v is more than there was", c)
		}
	})
}

// anyHost connects to one server whatever the host is called.
func anyHost(s *httptest.Server, conf *tls.Config) http.RoundTripper {
	return &http.Transport{
		TLSClientConfig: conf,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", s.Listener.Addr().String())
		},
	}
}

func TestSchemes(t *testing.T) {
	plain := newServer(t)
	plain.honest = basicAuth(plain.honest)
	secure := httptest.NewTLSServer(plain)
	defer secure.Close()
	trusting := secure.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	trusting.ServerName = "example.com"
	ctx := context.Background()
	for name, c := range map[string]struct {
		host     string
		server   *httptest.Server
		insecure bool
		scheme   string // "" for an error
	}{
		"plain http needs a word":          {"registry.example:5000", plain.Server, false, ""},
		"plain http with the word":         {"registry.example:5000", plain.Server, true, "http"},
		"https":                            {"registry.example", secure, false, "https"},
		"https although insecure":          {"registry.example", secure, true, "https"},
		"loopback is plain http":           {"localhost:5000", plain.Server, false, "http"},
		"loopback may be https":            {"127.0.0.1:5000", secure, false, "https"},
		"private networks are no loopback": {"10.0.0.1:5000", plain.Server, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			repo, err := nameOf(c.host + "/team/app")
			if err != nil {
				t.Fatal(err)
			}
			plain.auth = nil
			r, err := Open(ctx, repo, "pull", Options{Keychain: alice, Transport: anyHost(c.server, trusting), Insecure: c.insecure})
			if c.scheme == "" {
				if err == nil || plain.credentials() {
					t.Errorf("opened, or credentials were sent: %v", plain.auth)
				}
				return
			}
			if err != nil || r.base.Scheme != c.scheme {
				t.Errorf("%v, %v", r, err)
			}
		})
	}
}

func nameOf(s string) (name.Repository, error) { return name.NewRepository(s) }

func TestUnreachable(t *testing.T) {
	dead := httptest.NewServer(nil)
	dead.Close()
	r := newRepository(repo(t, dead.URL, "team/app"), "pull", Options{})
	r.pause = func(context.Context, time.Duration) error { return nil }
	err := r.connect(context.Background(), false)
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("err = %v", err)
	}
}

func TestHead(t *testing.T) {
	s := newServer(t)
	r := s.open(t, Options{})
	ctx := context.Background()
	if _, err := r.Head(ctx, "1.0"); !errors.Is(err, ErrNotFound) {
		t.Errorf("before: %v", err)
	}
	doc := []byte(`{"schemaVersion":2}`)
	if err := r.PutManifest(ctx, "1.0", "x/y", doc); err != nil {
		t.Fatal(err)
	}
	want := descriptor(doc)
	want.MediaType = "x/y"
	for _, ref := range []string{"1.0", want.Digest.String()} {
		for _, header := range []bool{true, false} {
			if !header {
				s.on("HEAD manifest", 0, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) })
			}
			if got, err := r.Head(ctx, ref); err != nil || !cmp.Equal(got, want) {
				t.Errorf("%s: %+v, %v", ref, got, err)
			}
			s.fault = nil
		}
	}
	s.on("HEAD manifest", 0, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Docker-Content-Digest", descriptor(nil).Digest.String())
		w.Header().Set("Content-Length", "5")
	})
	if _, err := r.Head(ctx, want.Digest.String()); !errors.Is(err, ErrDigest) {
		t.Errorf("another digest: %v", err)
	}
}

func TestManifestIsChecked(t *testing.T) {
	doc := []byte(`{"schemaVersion":2}`)
	right := descriptor(doc).Digest.String()
	answer := func(body []byte, digest string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if digest != "" {
				w.Header().Set("Docker-Content-Digest", digest)
			}
			w.Header().Set("Content-Type", "x/y; charset=utf-8")
			_, _ = w.Write(body)
		}
	}
	for name, c := range map[string]struct {
		ref   string
		fault http.HandlerFunc
		want  error
	}{
		"by tag":              {"1.0", answer(doc, right), nil},
		"by digest":           {right, answer(doc, right), nil},
		"no header":           {"1.0", answer(doc, ""), nil},
		"other header":        {"1.0", answer(doc, descriptor(nil).Digest.String()), ErrDigest},
		"odd header":          {"1.0", answer(doc, "md5:1"), ErrDigest},
		"other content":       {right, answer([]byte("{}"), right), ErrDigest},
		"too large":           {"1.0", answer(make([]byte, MaxManifest+1), ""), ErrDigest},
		"wants a digest":      {"sha256:beef", answer(doc, ""), ErrDigest},
		"not there":           {"1.0", refuse(404, "MANIFEST_UNKNOWN"), ErrNotFound},
		"breaks off for ever": {"1.0", chunked(doc), ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			r := s.open(t, Options{})
			s.on("GET manifest", 0, c.fault)
			m, err := r.Manifest(context.Background(), c.ref)
			if !errors.Is(err, c.want) {
				t.Fatalf("err = %v, want %v", err, c.want)
			}
			if err == nil && (m.Digest.String() != right || m.MediaType != "x/y") {
				t.Errorf("%+v", m)
			}
		})
	}
}

func TestTags(t *testing.T) {
	s := newServer(t)
	r := s.open(t, Options{})
	ctx := context.Background()
	if tags, err := r.Tags(ctx); len(tags) != 0 || err != nil {
		t.Errorf("before: %v, %v", tags, err)
	}
	s.fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if r.URL.Query().Get("last") == "" {
			w.Header().Set("Link", `</v2/team/app/tags/list?last=b>; rel="next"`)
			fmt.Fprint(w, `{"tags":["a","b"]}`)
		} else {
			fmt.Fprint(w, `{"tags":["c"]}`)
		}
		return true
	}
	if tags, err := r.Tags(ctx); !cmp.Equal(tags, []string{"a", "b", "c"}) || err != nil {
		t.Errorf("two pages: %v, %v", tags, err)
	}
	for _, link := range []string{`</v2/team/app/tags/list>; rel="next"`, `<http://other.example/>; rel="next"`} {
		s.fault = func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			w.Header().Set("Link", link)
			fmt.Fprint(w, `{"tags":["a"]}`)
			return true
		}
		if _, err := r.Tags(ctx); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v", link, err)
		}
	}
}

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": -1, "soon": -1, "-5": -1, "0": 0, "7": 7 * time.Second, "999999": time.Hour,
		"Tue, 01 Jan 2030 12:00:09 GMT": 9 * time.Second, "Tue, 01 Jan 2030 11:00:00 GMT": 0,
	} {
		got, ok := parseRetryAfter(text, now)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestPatience(t *testing.T) {
	hangUp := &networkError{"host", "op", errors.New("reset")}
	timeout := &networkError{"host", "op", errStalled}
	for name, c := range map[string]struct {
		w     wait
		cause error
		again bool
	}{
		"soon":                        {wait{}, hangUp, true},
		"soon, time-out":              {wait{}, timeout, true},
		"late":                        {wait{start: time.Now().Add(-patience)}, hangUp, false},
		"late, but has waited":        {wait{start: time.Now().Add(-patience), spent: 10 * time.Second}, hangUp, true},
		"late in an upload":           {wait{start: time.Now().Add(-time.Hour), long: true}, hangUp, true},
		"late time-out in an upload":  {wait{start: time.Now().Add(-time.Hour), long: true}, timeout, false},
		"fourth attempt":              {wait{tries: 3}, hangUp, false},
		"has waited for long already": {wait{spent: maxWait}, hangUp, false},
		"nothing to wait for":         {wait{}, ErrProtocol, false},
	} {
		c.w.pause = func(context.Context, time.Duration) error { return nil }
		if c.w.start.IsZero() {
			c.w.start = time.Now()
		}
		if err := c.w.again(context.Background(), c.cause); (err == nil) != c.again {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnswerErrorIsOneOfFour(t *testing.T) {
	for status, want := range map[int]error{400: ErrProtocol, 401: ErrAuth, 403: ErrAuth, 404: ErrNotFound, 405: ErrProtocol, 429: ErrUnavailable, 500: ErrUnavailable, 501: ErrProtocol, 200: ErrProtocol} {
		for _, kind := range []error{ErrProtocol, ErrAuth, ErrNotFound, ErrUnavailable, ErrDigest} {
			if got := errors.Is(&AnswerError{Status: status}, kind); got != (kind == want) {
				t.Errorf("%d is %v: %v", status, kind, got)
			}
		}
	}
}
