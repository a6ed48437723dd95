package keychain

import (
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// env makes an Environ of pairs.
func env(pairs ...string) Environ {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func auth(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// resolve returns what a keychain knows for a repository, as "user:password".
func resolve(k authn.Keychain, repo string) (string, error) {
	r, err := name.NewRepository(repo)
	if err != nil {
		return "", err
	}
	a, err := k.Resolve(r)
	if err != nil {
		return "", err
	}
	c, err := a.Authorization()
	if err != nil {
		return "", err
	}
	switch {
	case c.IdentityToken != "":
		return "identity " + c.IdentityToken, nil
	case c.RegistryToken != "":
		return "token " + c.RegistryToken, nil
	case *c == authn.AuthConfig{}:
		return "", nil
	}
	return c.Username + ":" + c.Password, nil
}

func TestKeys(t *testing.T) {
	k := New(env("REGISTRY_AUTH_FILE", write(t, filepath.Join(t.TempDir(), "auth.json"), `{"auths": {
		"example.org": {"auth": "`+auth("host", "1")+`"},
		"example.org/team": {"auth": "`+auth("team", "2")+`"},
		"example.org/team/app": {"auth": "`+auth("app", "3:with:colons")+`"},
		"example.org/empty": {},
		"https://old.example/v1/": {"username": "old", "password": "4"},
		"http://plain.example": {"auth": "`+auth("plain", "5")+`"},
		"with.port:5000": {"auth": "`+auth("port", "6")+`"},
		"identity.example": {"auth": "`+auth("me", "")+`", "identitytoken": "abc"},
		"bearer.example": {"registrytoken": "def"},
		"https://index.docker.io/v1/": {"auth": "`+auth("hub", "7")+`"},
		"docker.io/mine": {"auth": "`+auth("mine", "8")+`"},
		"broken.example": {"auth": "!!"},
		"unpadded.example": {"auth": "`+strings.TrimRight(auth("u", "12"), "=")+`"}
	}, "future": {"x": [1]}}`)))
	for repo, want := range map[string]string{
		"example.org/other":           "host:1",
		"example.org/team/other":      "team:2",
		"example.org/team/app":        "app:3:with:colons",
		"example.org/team/app/deeper": "app:3:with:colons",
		"example.org/teams":           "host:1",
		"example.org/empty/x":         "host:1",
		"example.org:5000/team":       "",
		"sub.example.org/team":        "",
		"old.example/a/b":             "old:4",
		"plain.example/a":             "plain:5",
		"with.port:5000/a":            "port:6",
		"with.port/a":                 "",
		"identity.example/a":          "identity abc",
		"bearer.example/a":            "token def",
		"alpine":                      "hub:7",
		"mine/app":                    "mine:8",
		"unpadded.example/a":          "u:12",
	} {
		if got, err := resolve(k, repo); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", repo, got, err, want)
		}
	}
	if _, err := resolve(k, "broken.example/a"); err == nil || !strings.Contains(err.Error(), "auth.json") || strings.Contains(err.Error(), "!!") {
		t.Errorf("broken entry: %v", err)
	}
}

func TestPlacesInOrder(t *testing.T) {
	dir := t.TempDir()
	file := func(path, user string) string {
		return write(t, filepath.Join(dir, path), `{"auths": {"`+user+`.example": {"auth": "`+auth(user, "x")+`"}, "all.example": {"auth": "`+auth(user, "x")+`"}}}`)
	}
	file("home/.docker/config.json", "docker")
	file("config/config.json", "dockerconfig")
	file("run/containers/auth.json", "run")
	file("home/.config/containers/auth.json", "homepodman")
	file("xdg/containers/auth.json", "xdg")
	named := file("named.json", "named")
	home := []string{"HOME", filepath.Join(dir, "home")}
	run := []string{"XDG_RUNTIME_DIR", filepath.Join(dir, "run")}
	for _, c := range []struct {
		env       []string
		all       string // who is found for all.example
		also, not string
	}{
		{home, "docker", "homepodman", "run"},
		{append(home, run...), "docker", "run", "xdg"},
		{append(home, "DOCKER_CONFIG", filepath.Join(dir, "config")), "dockerconfig", "homepodman", "docker"},
		{append(home, "XDG_CONFIG_HOME", filepath.Join(dir, "xdg")), "docker", "xdg", "homepodman"},
		{append(home, "REGISTRY_AUTH_FILE", named), "named", "named", "docker"},
		{run, "run", "run", "docker"},
		{nil, "", "", "docker"},
	} {
		k := New(env(c.env...))
		check := func(repo, user string) {
			want := user
			if user != "" {
				want += ":x"
			}
			if got, err := resolve(k, repo); got != want || err != nil {
				t.Errorf("%v: %s: %q, %v; want %q", c.env, repo, got, err, want)
			}
		}
		check("all.example/a", c.all)
		check(c.also+".example/a", c.also)
		check(c.not+".example/a", "")
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	const secret = "c2VjcmV0"
	for file, content := range map[string]string{
		"syntax.json":  `{"auths": {"example.org": {"auth": "` + secret + `"},,`,
		"type.json":    `{"auths": "` + secret + `"}`,
		"list.json":    `["` + secret + `"]`,
		"helpers.json": `{"credHelpers": {"example.org": "../` + secret + `"}}`,
		"big.json":     strings.Repeat(" ", maxConfig+1),
	} {
		path := write(t, filepath.Join(dir, file), content)
		_, err := resolve(New(env("REGISTRY_AUTH_FILE", path)), "example.org/a")
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", file, err)
		}
		if file != "helpers.json" && err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s leaks: %v", file, err)
		}
	}
	_, err := resolve(New(env("REGISTRY_AUTH_FILE", filepath.Join(dir, "none.json"))), "example.org/a")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("named file that is not there: %v", err)
	}
	empty := write(t, filepath.Join(dir, "empty.json"), "\n")
	if got, err := resolve(New(env("REGISTRY_AUTH_FILE", empty)), "example.org/a"); got != "" || err != nil {
		t.Errorf("empty file: %q, %v", got, err)
	}
}

// helper writes a credential helper that is a shell script.
func helper(t *testing.T, dir, name, script string) {
	t.Helper()
	path := write(t, filepath.Join(dir, "docker-credential-"+name), "#!/bin/sh\n"+script)
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestHelpers(t *testing.T) {
	dir := t.TempDir()
	helper(t, dir, "good", `read key; echo asked >> `+dir+`/log; echo "{\"ServerURL\":\"$key\",\"Username\":\"$1\",\"Secret\":\"$key\"}"`)
	helper(t, dir, "token", `echo '{"Username":"<token>","Secret":"abc"}'`)
	helper(t, dir, "none", `echo "credentials not found in native keychain"; exit 1`)
	helper(t, dir, "bad", `echo "secret s3cret"; echo "secret s3cret" >&2; exit 3`)
	helper(t, dir, "talks", `echo "secret s3cret"`)
	helper(t, dir, "floods", `exec yes s3cret`)
	helper(t, dir, "sleeps", `exec sleep 30`)
	config := write(t, filepath.Join(dir, "config.json"), `{"auths": {"nostore.example": {}, "none.example": {"auth": "`+auth("file", "x")+`"}},
		"credsStore": "good", "credHelpers": {"token.example": "token", "none.example": "none", "bad.example": "bad", "talks.example": "talks",
		"floods.example": "floods", "sleeps.example": "sleeps", "missing.example": "missing", "good.example/team": "good"}}`)
	k := New(env("REGISTRY_AUTH_FILE", config, "PATH", "relative:"+dir+":/bin:/usr/bin")).(*keychain)
	k.timeout = 5 * time.Second
	for repo, want := range map[string]string{
		"store.example/a":     "get:store.example",
		"good.example/team/x": "get:good.example/team",
		"alpine":              "get:" + hubKey,
		"token.example/a":     "identity abc",
		"none.example/a":      "",
	} {
		for range 2 {
			if got, err := resolve(k, repo); got != want || err != nil {
				t.Errorf("%s: %q, %v; want %q", repo, got, err, want)
			}
		}
	}
	if log, err := os.ReadFile(filepath.Join(dir, "log")); err != nil || string(log) != strings.Repeat("asked\n", 3) {
		t.Errorf("helper was asked more than once for a key: %q, %v", log, err)
	}
	k.timeout = 300 * time.Millisecond
	for _, bad := range []string{"bad", "talks", "floods", "sleeps", "missing"} {
		start := time.Now()
		_, err := resolve(k, bad+".example/a")
		if err == nil || !strings.Contains(err.Error(), config) || !strings.Contains(err.Error(), "docker-credential-"+bad) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", bad, err)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s took %s", bad, d)
		}
	}
}

func TestMissingStore(t *testing.T) {
	config := write(t, filepath.Join(t.TempDir(), "config.json"), `{"auths": {"mine.example": {}}, "credsStore": "elsewhere"}`)
	k := New(env("REGISTRY_AUTH_FILE", config, "PATH", "/bin"))
	if got, err := resolve(k, "other.example/a"); got != "" || err != nil {
		t.Errorf("other.example: %q, %v", got, err)
	}
	if _, err := resolve(k, "mine.example/a"); err == nil || !strings.Contains(err.Error(), "docker-credential-elsewhere") {
		t.Errorf("mine.example: %v", err)
	}
}

func TestHelperEndsWithContext(t *testing.T) {
	dir := t.TempDir()
	helper(t, dir, "sleeps", `exec sleep 30`)
	config := write(t, filepath.Join(dir, "config.json"), `{"credsStore": "sleeps"}`)
	k := New(env("REGISTRY_AUTH_FILE", config, "PATH", dir+":/bin"))
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err := authn.Resolve(ctx, k, name.MustParseReference("example.org/a").Context())
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v", err)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"auths": {"https://index.docker.io/v1/": {"auth": "dTpw"}}, "credHelpers": {"gcr.io": "gcr"}, "credsStore": "desktop"}`))
	f.Add([]byte(`{"auths": {"": {"auth": "Og=="}, "https://": {}}}`))
	f.Add([]byte("\n"))
	resource := name.MustParseReference("alpine").Context()
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConfig(data)
		if err != nil {
			return
		}
		login, err := c.entry(keysFor(resource))
		if err == nil && login != nil && *login == (authn.AuthConfig{}) {
			t.Error("an entry without anything was taken")
		}
	})
}
