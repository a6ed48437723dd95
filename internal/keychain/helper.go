package keychain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

const (
	// helperTimeout bounds a credential helper; those of clouds ask a server.
	helperTimeout = 30 * time.Second
	maxHelper     = 1 << 20 // bytes of its answer
)

// errNoHelper: the program is not on this machine.
var errNoHelper = errors.New("program not found in PATH")

// question is what a helper is asked.
type question struct{ helper, key string }

// answer is what it said.
type answer struct {
	login *authn.AuthConfig
	err   error
}

// ask runs a credential helper, once for each question. Nil means that it knows
// nothing.
func (k *keychain) ask(ctx context.Context, q question) (*authn.AuthConfig, error) {
	if a, ok := k.answers[q]; ok {
		return a.login, a.err
	}
	login, err := k.run(ctx, q)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	k.answers[q] = answer{login, err}
	return login, err
}

// run speaks the protocol of docker-credential-helpers: the key on stdin, JSON
// or a sentence on stdout. What the helper says is never repeated.
func (k *keychain) run(ctx context.Context, q question) (*authn.AuthConfig, error) {
	name := "docker-credential-" + q.helper
	path, err := k.find(name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	out := &bounded{limit: maxHelper}
	cmd := exec.CommandContext(ctx, path, "get")
	cmd.Stdin = strings.NewReader(q.key)
	cmd.Stdout = out
	cmd.WaitDelay = time.Second // also if a child of it keeps stdout open
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s did not answer within %s", name, k.timeout)
	case out.over:
		return nil, fmt.Errorf("%s answered more than %d bytes", name, maxHelper)
	case err != nil && unknown(out.String()):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var said struct{ Username, Secret string }
	if json.Unmarshal(out.Bytes(), &said) != nil {
		return nil, fmt.Errorf("%s: the answer is not the JSON of a credential helper", name)
	}
	if said.Secret == "" && said.Username == "" {
		return nil, nil
	}
	if said.Username == "<token>" {
		return &authn.AuthConfig{IdentityToken: said.Secret}, nil
	}
	return &authn.AuthConfig{Username: said.Username, Password: said.Secret}, nil
}

// unknown recognises the sentence of a helper that has no credentials.
func unknown(out string) bool {
	s := strings.TrimSpace(out)
	return s == "credentials not found in native keychain" || s == "no credentials server URL" || s == "no credentials username"
}

// find looks for a program in the absolute folders of PATH.
func (k *keychain) find(name string) (string, error) {
	if strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("._-", c)
	}) {
		return "", fmt.Errorf("%q is no name of a credential helper", name)
	}
	if runtime.GOOS == "windows" && !strings.HasSuffix(name, ".exe") {
		name += ".exe"
	}
	for _, dir := range filepath.SplitList(k.variable("PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode()&0o111 != 0) {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, errNoHelper)
}

// bounded keeps the first limit bytes; more of them stop the writer.
type bounded struct {
	bytes.Buffer
	limit int
	over  bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.limit {
		b.over = true
		return 0, errors.New("too much output")
	}
	return b.Buffer.Write(p)
}
