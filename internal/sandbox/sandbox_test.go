package sandbox

import "testing"

func TestRunPrints(t *testing.T) {
	e := engineFor(t, "namespaces")
	root := rootFor(t, e, "amd64")
	out, err := run(t, e, root, Command{}, "print", "hello")
	if err != nil || out != "hello\n" {
		t.Errorf("%q, %v", out, err)
	}
	for _, a := range [][]string{{"who"}, {"env"}, {"status"}, {"files"}, {"processes"}, {"list", "/"}, {"list", "/dev"}, {"escape"}, {"loopback"}, {"dial", "tcp", "1.1.1.1:80"}, {"write", "/etc/name"}, {"exit", "7"}, {"crash"}} {
		out, err := run(t, e, root, Command{}, a...)
		t.Logf("%v: %v\n%s", a, err, out)
	}
}
