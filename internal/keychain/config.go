package keychain

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// maxConfig bounds a file of credentials. Real ones have a few KiB.
const maxConfig = 4 << 20

// hubKey is the key under which docker keeps the login to Docker Hub.
const hubKey = authn.DefaultAuthKey

// hubHosts are the names of Docker Hub in keys.
var hubHosts = []string{"docker.io", name.DefaultRegistry, "registry-1.docker.io"}

// config is what matters of a config.json or auth.json.
type config struct {
	Auths       map[string]entry  `json:"auths"`
	CredHelpers map[string]string `json:"credHelpers"`
	CredsStore  string            `json:"credsStore"`
}

// entry is a login.
type entry struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

func readConfig(path string) (*config, error) {
	data, err := readFile(path, maxConfig)
	if err != nil {
		return nil, err
	}
	c, err := parseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// parseConfig reads a file's content. Its errors repeat nothing of it.
func parseConfig(data []byte) (*config, error) {
	var c config
	if len(strings.TrimSpace(string(data))) == 0 {
		return &c, nil // docker takes an empty file for no file
	}
	err := json.Unmarshal(data, &c)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("is not JSON (byte %d)", syntax.Offset)
	case errors.As(err, &kind):
		return nil, fmt.Errorf("is not a configuration of docker or podman: wrong type (byte %d)", kind.Offset)
	case err != nil:
		return nil, errors.New("is not a configuration of docker or podman")
	}
	// Keys as docker wrote them over time are brought to the form host or
	// host/path; what is in that form already wins.
	c.Auths = plainKeys(c.Auths)
	c.CredHelpers = plainKeys(c.CredHelpers)
	return &c, nil
}

// plainKeys adds for each key that is a URL the host of it: "https://host/v1/".
// The key itself stays, since helpers want to be asked with it.
func plainKeys[V any](m map[string]V) map[string]V {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		rest, ok := strings.CutPrefix(k, "https://")
		if !ok {
			rest, ok = strings.CutPrefix(k, "http://")
		}
		host, _, _ := strings.Cut(rest, "/")
		if !ok || host == "" {
			continue
		}
		if _, there := m[host]; !there {
			m[host] = m[k]
		}
	}
	return m
}

// keysFor lists the keys under which the credentials for a repository may
// stand, the most specific first: host/a/b, host/a, host.
func keysFor(target authn.Resource) []string {
	host := target.RegistryStr()
	hosts := []string{host}
	if slices.Contains(hubHosts, host) {
		hosts = hubHosts
	}
	path := strings.Trim(strings.TrimPrefix(target.String(), host), "/")
	var keys []string
	for path != "" {
		for _, h := range hosts {
			keys = append(keys, h+"/"+path)
		}
		cut := strings.LastIndexByte(path, '/')
		path = path[:max(cut, 0)]
	}
	if len(hosts) > 1 {
		keys = append(keys, hubKey)
	}
	return append(keys, hosts...)
}

// storeKey is the key with which docker asks a store for a whole registry.
func storeKey(keys []string) string {
	if slices.Contains(keys, hubKey) {
		return hubKey
	}
	return keys[len(keys)-1]
}

// mentions tells whether somebody has logged in under one of the keys.
func (c *config) mentions(keys []string) bool {
	return slices.ContainsFunc(keys, func(k string) bool { _, ok := c.Auths[k]; return ok })
}

// entry returns the credentials under the first of the keys that has some.
func (c *config) entry(keys []string) (*authn.AuthConfig, error) {
	for _, key := range keys {
		e, ok := c.Auths[key]
		if !ok || e == (entry{}) {
			continue
		}
		login := &authn.AuthConfig{
			Username: e.Username, Password: e.Password,
			IdentityToken: e.IdentityToken, RegistryToken: e.RegistryToken,
		}
		if e.Auth != "" {
			user, password, err := decodeAuth(e.Auth)
			if err != nil {
				return nil, fmt.Errorf("auths[%q]: %w", key, err)
			}
			login.Username, login.Password = user, password
		}
		return login, nil
	}
	return nil, nil
}

// decodeAuth reads base64(user:password).
func decodeAuth(s string) (user, password string, err error) {
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(s), "="))
	if err != nil {
		return "", "", errors.New("auth is not base64")
	}
	user, password, ok := strings.Cut(string(data), ":")
	if !ok || user == "" {
		return "", "", errors.New("auth is not user:password in base64")
	}
	// Old versions of docker padded passwords.
	return user, strings.Trim(password, "\x00"), nil
}

func readFull(r io.Reader, p []byte) (int, error) {
	n, err := io.ReadFull(r, p)
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		err = nil // became shorter meanwhile
	}
	return n, err
}
