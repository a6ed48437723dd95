// Package keychain finds the user name and password for a registry, where docker
// and podman keep them, and for an index, in netrc.
package keychain

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// Environ looks up an environment variable.
type Environ = func(name string) (value string, ok bool)

// New returns a keychain over REGISTRY_AUTH_FILE, or else the files of docker
// (DOCKER_CONFIG, ~/.docker/config.json) and podman (in XDG_RUNTIME_DIR and
// XDG_CONFIG_HOME), in this order, and the credential helpers that they name.
// The first file with credentials for a repository decides; the most specific
// key of a file does. A file that cannot be understood is an error that names
// it and shows nothing of it.
//
// The keychain implements authn.ContextKeychain and may be used by several
// goroutines. Each file is read once.
func New(environ Environ) authn.Keychain {
	return &keychain{environ: environ, timeout: helperTimeout, read: make(map[string]*config), answers: make(map[question]answer)}
}

// keychain is what New returns.
type keychain struct {
	environ Environ
	timeout time.Duration // of a helper

	mu      sync.Mutex
	read    map[string]*config // by path; nil: not there
	answers map[question]answer
}

// Resolve implements authn.Keychain.
func (k *keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), target)
}

// ResolveContext implements authn.ContextKeychain.
func (k *keychain) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, place := range k.places() {
		c, err := k.config(place)
		if err != nil {
			return nil, err
		}
		if c == nil {
			continue
		}
		found, err := k.lookup(ctx, c, keysFor(target))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", place.path, err)
		}
		if found != nil {
			return authn.FromConfig(*found), nil
		}
	}
	return authn.Anonymous, nil
}

// place is where a file may be.
type place struct {
	path  string
	named bool // by the user: it has to be there
}

// places lists the files to look into.
func (k *keychain) places() []place {
	if path := k.variable("REGISTRY_AUTH_FILE"); path != "" {
		return []place{{path, true}}
	}
	var all []place
	home := k.variable("HOME")
	if home == "" {
		home = k.variable("USERPROFILE")
	}
	if dir := k.variable("DOCKER_CONFIG"); dir != "" {
		all = append(all, place{path: filepath.Join(dir, "config.json")})
	} else if home != "" {
		all = append(all, place{path: filepath.Join(home, ".docker", "config.json")})
	}
	if dir := k.variable("XDG_RUNTIME_DIR"); dir != "" {
		all = append(all, place{path: filepath.Join(dir, "containers", "auth.json")})
	}
	if dir := k.variable("XDG_CONFIG_HOME"); dir != "" {
		all = append(all, place{path: filepath.Join(dir, "containers", "auth.json")})
	} else if home != "" {
		all = append(all, place{path: filepath.Join(home, ".config", "containers", "auth.json")})
	}
	return all
}

func (k *keychain) variable(name string) string {
	v, _ := k.environ(name)
	return v
}

// config reads a file, nil if it is not there.
func (k *keychain) config(p place) (*config, error) {
	if c, ok := k.read[p.path]; ok {
		return c, nil
	}
	c, err := readConfig(p.path)
	if err != nil {
		// A file in a usual place that is not ours to read is none.
		if p.named || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return nil, err
		}
		c = nil
	}
	k.read[p.path] = c
	return c, nil
}

// lookup finds the credentials in one file, nil if there are none.
func (k *keychain) lookup(ctx context.Context, c *config, keys []string) (*authn.AuthConfig, error) {
	for _, key := range keys {
		if helper := c.CredHelpers[key]; helper != "" {
			return k.ask(ctx, question{helper, key})
		}
	}
	entry, err := c.entry(keys)
	if err != nil || entry != nil {
		return entry, err
	}
	if c.CredsStore == "" {
		return nil, nil
	}
	found, err := k.ask(ctx, question{c.CredsStore, storeKey(keys)})
	if errors.Is(err, errNoHelper) && !c.mentions(keys) {
		// A configuration copied from another machine names a program that is
		// not here, and nobody has ever logged in to this registry with it.
		return nil, nil
	}
	return found, err
}

// readFile reads a file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is not a file", path)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s: has %d bytes, the limit is %d", path, info.Size(), limit)
	}
	data := make([]byte, info.Size())
	n, err := readFull(f, data)
	return data[:n], err
}
