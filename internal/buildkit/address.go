package buildkit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// TLS names the files of a TLS connection.
type TLS struct {
	CA, Cert, Key string // paths of PEM files
	// Dir holds them under the names that buildctl knows: ca.pem, cert.pem, key.pem, or
	// ca.crt, tls.crt, tls.key.
	Dir        string
	ServerName string // what the certificate has to be for; "" is the host
}

func (t TLS) isZero() bool { return t == TLS{} }

// address is one way to one node.
type address struct {
	text   string // as it was given
	target string // for the client, which reads the host's name from it
	dial   func(ctx context.Context) (net.Conn, error)
	secure bool   // by TLS
	remedy string // what to do if it does not answer
	// shared is one of several addresses for the same builder, whose nodes may be the same.
	shared bool
}

const defaultPort = "1234" // what buildkitd listens on by its documentation

// parseAddresses reads a list that commas separate.
func parseAddresses(text string, o Options) ([]*address, error) {
	var out []*address
	for one := range strings.SplitSeq(text, ",") {
		one = strings.TrimSpace(one)
		if one == "" {
			continue
		}
		list, err := parseAddress(one, o)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	if len(out) == 0 {
		return nil, &AddressError{Address: text, Text: "there is none"}
	}
	return out, nil
}

// parseAddress reads one, which stands for several if it is that of a builder.
func parseAddress(text string, o Options) ([]*address, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, &AddressError{Address: text, Text: "is no URL"}
	}
	bad := func(format string, a ...any) ([]*address, error) {
		return nil, &AddressError{Address: text, Text: fmt.Sprintf(format, a...)}
	}
	kind, ok := kinds[u.Scheme]
	if !ok {
		return bad("%q is no kind of it", u.Scheme)
	}
	if u.Fragment != "" || u.Opaque != "" {
		return bad("has more than an address")
	}
	if _, has := u.User.Password(); has {
		return nil, &AddressError{Address: u.Redacted(), Text: "may not hold a password"}
	}
	for name := range u.Query() {
		if !slices.Contains(kind.query, name) {
			return bad("%q is nothing that %s:// takes", name, u.Scheme)
		}
	}
	if kind.path != (u.Path != "" && u.Path != "/") && !(u.Scheme == "ssh") {
		if kind.path {
			return bad("has no path")
		}
		return bad("may not have the path %q", u.Path)
	}
	if u.User != nil && u.Scheme != "ssh" {
		return bad("may not have a user")
	}
	if kind.path == (u.Host != "") {
		if kind.path {
			return bad("may not have a host (three slashes)")
		}
		return bad("names nothing")
	}
	list, err := kind.make(u, o)
	if err != nil {
		return bad("%s", err)
	}
	for _, a := range list {
		a.text = text
	}
	return list, nil
}

// kind is what a scheme stands for.
type kind struct {
	path  bool // it is a path, else a host
	query []string
	make  func(u *url.URL, o Options) ([]*address, error)
}

var tcpQuery = []string{"ca", "cert", "key", "servername", "tlsdir"}

var kinds = map[string]kind{
	"tcp":               {query: tcpQuery, make: tcpAddress},
	"buildkit":          {query: tcpQuery, make: tcpAddress},
	"unix":              {path: true, make: unixAddress},
	"docker-container":  {query: []string{"context"}, make: dockerAddress},
	"podman-container":  {make: podmanAddress},
	"nerdctl-container": {query: []string{"namespace"}, make: nerdctlAddress},
	"kube-pod":          {query: []string{"context", "namespace", "container"}, make: kubeAddress},
	"ssh":               {make: sshAddress},
	"buildx":            {make: buildxAddress},
}

func tcpAddress(u *url.URL, o Options) ([]*address, error) {
	port := u.Port()
	if port == "" {
		if u.Scheme == "tcp" {
			return nil, errors.New("has no port")
		}
		port = defaultPort
	}
	host := net.JoinHostPort(u.Hostname(), port)
	q := u.Query()
	t := TLS{CA: q.Get("ca"), Cert: q.Get("cert"), Key: q.Get("key"), Dir: q.Get("tlsdir"), ServerName: q.Get("servername")}
	if t.isZero() {
		t = o.TLS
	}
	config, err := t.config(u.Hostname())
	if err != nil {
		return nil, err
	}
	a := &address{target: "tcp://" + host, secure: config != nil, remedy: "is buildkitd running there, listening on that port (buildkitd --addr tcp://0.0.0.0:" + port + "), and does it want TLS (?ca=FILE&cert=FILE&key=FILE)?"}
	if config != nil {
		a.remedy = "is buildkitd running there with --tlscert, --tlskey and --tlscacert, and do its certificates go with those given here?"
	}
	// Its own dialer, since the library's would go through the proxy of the environment.
	a.dial = func(ctx context.Context) (net.Conn, error) {
		if config == nil {
			return new(net.Dialer).DialContext(ctx, "tcp", host)
		}
		return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", host)
	}
	return []*address{a}, nil
}

// config reads the files; nil is no TLS.
func (t TLS) config(host string) (*tls.Config, error) {
	if t.isZero() {
		return nil, nil
	}
	if t.Dir != "" {
		if t.CA != "" || t.Cert != "" || t.Key != "" {
			return nil, errors.New("names files of TLS and a folder of them")
		}
		t.CA, t.Cert, t.Key = either(t.Dir, "ca.pem", "ca.crt"), either(t.Dir, "cert.pem", "tls.crt"), either(t.Dir, "key.pem", "tls.key")
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName, NextProtos: []string{"h2"}}
	if c.ServerName == "" {
		c.ServerName = host
	}
	if t.CA != "" {
		text, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate", t.CA)
		}
	}
	if (t.Cert == "") != (t.Key == "") {
		return nil, errors.New("a certificate and a key go together")
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// either is the second name in dir if it is there and the first is not.
func either(dir, a, b string) string {
	if _, err := os.Stat(filepath.Join(dir, a)); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, b)); err == nil {
			return filepath.Join(dir, b)
		}
	}
	return filepath.Join(dir, a)
}

func unixAddress(u *url.URL, _ Options) ([]*address, error) {
	path := u.Path
	return []*address{{
		target: "unix://" + path,
		remedy: "is buildkitd running, and may this user open its socket?",
		dial: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}, nil
}

// The addresses that are reached through a program, which talks to the daemon on its
// standard input and output.

func dockerAddress(u *url.URL, _ Options) ([]*address, error) {
	args := []string{"docker"}
	if c := u.Query().Get("context"); c != "" {
		args = append(args, "--context="+c)
	}
	return programAddress(u.Host, append(args, "exec", "-i", u.Host, "buildctl", "dial-stdio"))
}

func podmanAddress(u *url.URL, _ Options) ([]*address, error) {
	return programAddress(u.Host, []string{"podman", "exec", "-i", u.Host, "buildctl", "dial-stdio"})
}

func nerdctlAddress(u *url.URL, _ Options) ([]*address, error) {
	args := []string{"nerdctl"}
	if n := u.Query().Get("namespace"); n != "" {
		args = append(args, "--namespace="+n)
	}
	return programAddress(u.Host, append(args, "exec", "-i", u.Host, "buildctl", "dial-stdio"))
}

func kubeAddress(u *url.URL, _ Options) ([]*address, error) {
	args := []string{"kubectl"}
	q := u.Query()
	for _, name := range []string{"context", "namespace"} {
		if v := q.Get(name); v != "" {
			args = append(args, "--"+name+"="+v)
		}
	}
	args = append(args, "exec", "-i")
	if c := q.Get("container"); c != "" {
		args = append(args, "--container="+c)
	}
	return programAddress(u.Host, append(args, u.Host, "--", "buildctl", "dial-stdio"))
}

func sshAddress(u *url.URL, _ Options) ([]*address, error) {
	args := []string{"ssh"}
	if name := u.User.Username(); name != "" {
		args = append(args, "-l", name)
	}
	if u.Port() != "" {
		args = append(args, "-p", u.Port())
	}
	args = append(args, "--", u.Hostname(), "buildctl")
	if u.Path != "" && u.Path != "/" {
		// ssh gives what follows to a shell.
		if strings.ContainsFunc(u.Path, func(r rune) bool { return !strings.ContainsRune(plain, r) }) {
			return nil, fmt.Errorf("the path %q has other characters than letters, digits and _-./", u.Path)
		}
		args = append(args, "--addr", "unix://"+u.Path)
	}
	return programAddress(u.Hostname(), append(args, "dial-stdio"))
}

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./"

func buildxAddress(u *url.URL, o Options) ([]*address, error) {
	platforms := o.Platforms
	if len(platforms) == 0 {
		platforms = []string{"linux/amd64", "linux/arm64"}
	}
	var out []*address
	for _, p := range platforms {
		list, err := programAddress(u.Host, []string{"docker", "buildx", "dial-stdio", "--builder", u.Host, "--platform", p, "--progress", "quiet"})
		if err != nil {
			return nil, err
		}
		list[0].shared = true
		out = append(out, list...)
	}
	return out, nil
}

// programAddress is reached through a program. name, which comes from an address, is one
// of its arguments, so it may not look like an option.
func programAddress(name string, args []string) ([]*address, error) {
	if strings.HasPrefix(name, "-") {
		return nil, fmt.Errorf("%q is no name", name)
	}
	return []*address{{
		target: "tcp://" + args[0],
		remedy: "try: " + strings.Join(args, " ") + " </dev/null",
		dial:   func(ctx context.Context) (net.Conn, error) { return startProgram(ctx, args) },
	}}, nil
}
