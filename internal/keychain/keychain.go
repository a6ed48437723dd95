// Package keychain finds the user name and password for a registry, where docker
// and podman keep them, and for an index, in netrc.
package keychain

import "github.com/google/go-containerregistry/pkg/authn"

// New returns a keychain over REGISTRY_AUTH_FILE, DOCKER_CONFIG, podman's
// auth.json with its namespace-prefix keys, and credential helpers.
func New(environ func(string) (string, bool)) authn.Keychain { panic("contract") }
