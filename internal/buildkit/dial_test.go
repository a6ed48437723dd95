package buildkit

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"
)

// TestMain lets the test program stand for docker: it connects its input and output with
// the socket that a variable names.
func TestMain(m *testing.M) {
	if to := os.Getenv("DISTILL_TEST_DIAL"); to != "" {
		os.Exit(dialStdio(to))
	}
	quiet() // before the daemons of this process start
	os.Exit(m.Run())
}

func dialStdio(to string) int {
	args := strings.Join(os.Args[1:], " ")
	if strings.Contains(args, "s390x") || strings.Contains(args, "absent") {
		fmt.Fprintln(os.Stderr, "Error response from daemon:\nNo such container: absent")
		return 1
	}
	c, err := net.Dial("unix", to)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		io.Copy(c, os.Stdin)
		c.Close()
	}()
	io.Copy(os.Stdout, c)
	return 0
}

// asProgram puts the test program into PATH under a name.
func asProgram(t *testing.T, name, socket string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv("DISTILL_TEST_DIAL", socket)
}

func TestThroughProgram(t *testing.T) {
	d := startFake(t, []string{"linux/arm64"}, func(*fakeRun) error { return nil })
	asProgram(t, "docker", strings.TrimPrefix(d.address, "unix://"))
	p := open(t, "docker-container://node")
	for range 2 {
		if err := p.Run(t.Context(), testJob(t, nil), func(*os.Root) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// The nodes of a builder are asked for by platform, and counted once.
func TestBuilder(t *testing.T) {
	d := startFake(t, []string{"linux/amd64", "linux/arm64"}, func(*fakeRun) error { return nil })
	asProgram(t, "docker", strings.TrimPrefix(d.address, "unix://"))
	p, err := Open(t.Context(), "buildx://builder", Options{Platforms: []string{"linux/amd64", "linux/arm64", "linux/s390x"}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if len(p.nodes) != 1 {
		t.Errorf("%d nodes", len(p.nodes))
	}
	if err := p.Run(t.Context(), testJob(t, nil), func(*os.Root) error { return nil }); err != nil {
		t.Error(err)
	}
}

// A node that can't be reached is named, with the reason and what to do.
func TestOpenFails(t *testing.T) {
	none := func(*fakeRun) error { return nil }
	c := writeCertificates(t)
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	secure := listen()
	serveFake(t, secure, "tcp://"+secure.Addr().String(), []string{"linux/amd64"}, none, tlsOption(credentials.NewTLS(c.server)))
	plainly := listen()
	serveFake(t, plainly, "tcp://"+plainly.Addr().String(), []string{"linux/amd64"}, none)
	silent := listen()
	t.Cleanup(func() { silent.Close() })
	closed := listen()
	closed.Close()
	empty := startFake(t, nil, none)
	asProgram(t, "docker", "/nowhere")
	files := "?ca=" + c.ca + "&cert=" + c.cert + "&key=" + c.key
	cases := []struct{ address, want string }{
		{"unix:///nowhere/s.sock", "does not answer: dial unix /nowhere/s.sock: connect: no such file or directory"},
		{"tcp://" + closed.Addr().String(), "connect: connection refused"},
		{"tcp://" + silent.Addr().String(), "does not answer"},
		{"tcp://" + secure.Addr().String(), "does not answer"}, // without TLS
		{"tcp://" + secure.Addr().String() + "?ca=" + c.ca, "certificate required"},
		{"tcp://" + secure.Addr().String() + "?ca=" + c.other, "certificate signed by unknown authority"},
		{"tcp://" + secure.Addr().String() + files + "&servername=else.example.org", "certificate is valid for node.example.org, not else.example.org"},
		{"tcp://" + plainly.Addr().String() + files, "does not answer"},
		{"docker-container://absent", "does not answer: docker: Error response from daemon: No such container: absent"},
		{"kube-pod://pod", `does not answer: exec: "kubectl": executable file not found in $PATH`},
		{"buildx://absent", "does not answer: docker: Error response from daemon: No such container: absent"},
		{empty.address, "its worker names no platform"},
	}
	for _, x := range cases {
		begin := time.Now()
		p, err := Open(t.Context(), x.address, Options{Timeout: time.Second})
		if p != nil {
			t.Errorf("%s: is open", x.address)
		}
		var node *NodeError
		if !errors.As(err, &node) || node.Node != x.address || !strings.Contains(err.Error(), x.want) || len(node.Hints()) != 1 {
			t.Errorf("%s: %v, want %s", x.address, err, x.want)
		}
		if strings.Contains(fmt.Sprint(err), "rpc error") || time.Since(begin) > 5*time.Second {
			t.Errorf("%s: %v after %s", x.address, err, time.Since(begin))
		}
	}
	good := open(t, "tcp://"+secure.Addr().String()+files+"&servername=node.example.org")
	j := testJob(t, nil)
	j.Platform = "linux/amd64"
	if err := good.Run(t.Context(), j, func(*os.Root) error { return nil }); err != nil {
		t.Error(err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(canceled, "tcp://"+silent.Addr().String(), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled Open: %v", err)
	}
}

// certificates are those of a node that wants one of its clients.
type certificates struct {
	ca, cert, key, other string
	server               *tls.Config
}

func writeCertificates(t *testing.T) certificates {
	t.Helper()
	dir := t.TempDir()
	ca, caKey := certify(t, dir, "ca", nil, nil)
	certify(t, dir, "other", nil, nil)
	certify(t, dir, "cert", ca, caKey)
	certify(t, dir, "server", ca, caKey)
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	if err := os.Rename(filepath.Join(dir, "cert.key"), filepath.Join(dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	return certificates{
		ca: filepath.Join(dir, "ca.pem"), cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), other: filepath.Join(dir, "other.pem"),
		server: &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12},
	}
}

// certify writes NAME.pem and NAME.key, signed by parent or by itself.
func certify(t *testing.T, dir, name string, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"node.example.org"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: parent == nil, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if parent == nil {
		parent, parentKey = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, b := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made, key
}
