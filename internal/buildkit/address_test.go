package buildkit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseAddresses(t *testing.T) {
	tcp := func(a *address) bool { return !a.secure && !a.shared }
	tls := func(a *address) bool { return a.secure && !a.shared }
	ca := writeCertificates(t).ca
	cases := []struct {
		text    string
		targets string // what the client is told, or "error: " and the text
		is      func(*address) bool
	}{
		{"tcp://node.example.org:1234", "tcp://node.example.org:1234", tcp},
		{"tcp://[2001:db8::1]:99", "tcp://[2001:db8::1]:99", tcp},
		{"buildkit://node.example.org", "tcp://node.example.org:1234", tcp},
		{"buildkit://node.example.org:99", "tcp://node.example.org:99", tcp},
		{"buildkit://[2001:db8::1]", "tcp://[2001:db8::1]:1234", tcp},
		{"tcp://node.example.org:1234?ca=" + ca, "tcp://node.example.org:1234", tls},
		{"tcp://192.0.2.1:1234?ca=" + ca + "&servername=n", "tcp://192.0.2.1:1234", tls},
		{"tcp://node.example.org:1234?tlsdir=" + filepath.Dir(ca), "tcp://node.example.org:1234", tls},
		{"unix:///run/buildkit/buildkitd.sock", "unix:///run/buildkit/buildkitd.sock", tcp},
		{"unix:///run/a, tcp://b.example.org:2 ,", "unix:///run/a tcp://b.example.org:2", tcp},
		{"docker-container://node?context=far", "tcp://docker", tries("docker --context=far exec -i node buildctl dial-stdio")},
		{"docker-container://buildx_buildkit_x0", "tcp://docker", tries("docker exec -i buildx_buildkit_x0 buildctl dial-stdio")},
		{"podman-container://node", "tcp://podman", tries("podman exec -i node buildctl dial-stdio")},
		{"nerdctl-container://node?namespace=n", "tcp://nerdctl", tries("nerdctl --namespace=n exec -i node buildctl dial-stdio")},
		{"kube-pod://pod-0", "tcp://kubectl", tries("kubectl exec -i pod-0 -- buildctl dial-stdio")},
		{"kube-pod://pod-0?namespace=n&context=c&container=d", "tcp://kubectl", tries("kubectl --context=c --namespace=n exec -i --container=d pod-0 -- buildctl dial-stdio")},
		{"ssh://me@node.example.org:22", "tcp://ssh", tries("ssh -l me -p 22 -- node.example.org buildctl dial-stdio")},
		{"ssh://node.example.org/run/b.sock", "tcp://ssh", tries("ssh -- node.example.org buildctl --addr unix:///run/b.sock dial-stdio")},
		{"buildx://builder", "tcp://docker tcp://docker", func(a *address) bool { return a.shared }},

		{"", "error: there is none", nil},
		{" , ", "error: there is none", nil},
		{"node.example.org:1234", `error: "node.example.org" is no kind of it`, nil},
		{"node", `error: "" is no kind of it`, nil},
		{"http://node", `error: "http" is no kind of it`, nil},
		{"tcp://node.example.org", "error: has no port", nil},
		{"tcp://", "error: names nothing", nil},
		{"tcp://a:1/path", `error: may not have the path "/path"`, nil},
		{"tcp://a:1?tls=no", `error: "tls" is nothing that tcp:// takes`, nil},
		{"tcp://a:1#x", "error: has more than an address", nil},
		{"tcp://me@a:1", "error: may not have a user", nil},
		{"tcp://a:1?cert=" + ca, "error: a certificate and a key go together", nil},
		{"tcp://a:1?tlsdir=/x&ca=/y", "error: names files of TLS and a folder of them", nil},
		{"tcp://a:1?ca=/nowhere/ca.pem", "error: open /nowhere/ca.pem: no such file or directory", nil},
		{"tcp://a:1?ca=" + os.Args[0], "error: " + os.Args[0] + " holds no certificate", nil},
		{"unix://run/a", "error: may not have a host (three slashes)", nil},
		{"unix://", "error: has no path", nil},
		{"ssh://me:secret@node", "error: may not hold a password", nil},
		{"ssh://node/run/a;reboot", `error: the path "/run/a;reboot" has other characters than letters, digits and _-./`, nil},
		{"docker-container://-v", `error: "-v" is no name`, nil},
		{"kube-pod://a?user=b", `error: "user" is nothing that kube-pod:// takes`, nil},
		{"tcp://a b:1", "error: is no URL", nil},
		{"unix:///a,x://b", `error: "x" is no kind of it`, nil},
	}
	for _, c := range cases {
		list, err := parseAddresses(c.text, Options{})
		var got []string
		for _, a := range list {
			got = append(got, a.target)
			if !c.is(a) {
				t.Errorf("%s: %+v", c.text, a)
			}
		}
		if err != nil {
			var bad *AddressError
			if !errors.As(err, &bad) || len(bad.Hints()) != 1 || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v", c.text, err)
			} else {
				got = []string{"error: " + bad.Text}
			}
		}
		if strings.Join(got, " ") != c.targets {
			t.Errorf("%s: %s, want %s", c.text, strings.Join(got, " "), c.targets)
		}
	}
}

func tries(command string) func(*address) bool {
	return func(a *address) bool { return a.remedy == "try: "+command+" </dev/null" }
}

func FuzzParseAddresses(f *testing.F) {
	for _, s := range []string{"tcp://a:1,unix:///x", "kube-pod://a?namespace=b", "ssh://u@h:1/s", "buildx://b", "://", "%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Contains(s, "ca=") || strings.Contains(s, "tlsdir") || strings.Contains(s, "cert=") {
			t.Skip("reads files")
		}
		list, err := parseAddresses(s, Options{})
		if (err == nil) != (len(list) > 0) {
			t.Fatalf("%d addresses, %v", len(list), err)
		}
		for _, a := range list {
			if a.dial == nil || a.text == "" || a.remedy == "" || a.target == "" {
				t.Fatalf("%+v", a)
			}
		}
	})
}
