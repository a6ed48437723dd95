package distill

import (
	"strings"
	"testing"
)

func TestBuildingOptionsAreJudgedEarly(t *testing.T) {
	for _, c := range []struct {
		o    BuildingOptions
		want string // of the error, "" for none
	}{
		{BuildingOptions{}, ""},
		{BuildingOptions{Engine: "auto", WheelCache: "registry.example/team/wheels:py311", Memory: 1 << 30}, ""},
		{BuildingOptions{Engine: "podman"}, ""},
		{BuildingOptions{Engine: "tcp://builder.example:1234"}, ""},
		{BuildingOptions{Engine: "buildx://arm"}, ""},
		{BuildingOptions{Engine: "docker"}, `--build-engine: there is no engine "docker"`},
		{BuildingOptions{Engine: "tcp://a.example:1,ssh://b.example"}, ""},
		{BuildingOptions{Engine: "npipe://builder.example"}, `--build-engine: BuildKit address "npipe://builder.example": "npipe" is no kind`},
		{BuildingOptions{Engine: "kube-pod://"}, `--build-engine: BuildKit address "kube-pod://": names nothing`},
		{BuildingOptions{Memory: 1 << 20}, "--build-memory 1048576 is less than 64 MiB"},
		{BuildingOptions{WheelCache: "oci:wheels"}, `--wheel-cache "oci:wheels"`},
		{BuildingOptions{WheelCache: "user:word@registry.example/wheels"}, `the reference that ends in "registry.example/wheels" has a user name`},
	} {
		err := c.o.check(t.Context())
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%+v: %v", c.o, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || KindOf(err) != Usage):
			t.Errorf("%+v: got %v, want %s", c.o, err, c.want)
		}
	}
}

func TestBuildKitHostIsTheEngineIfNoneIsChosen(t *testing.T) {
	environ := func(value string) func(string) (string, bool) {
		return func(name string) (string, bool) { return value, name == "BUILDKIT_HOST" }
	}
	for _, c := range []struct{ engine, host, want string }{
		{"auto", "tcp://builder.example:1234", "tcp://builder.example:1234"},
		{"", "unix:///run/buildkit/buildkitd.sock", "unix:///run/buildkit/buildkitd.sock"},
		{"auto", "", "auto"},
		{"chroot", "tcp://builder.example:1234", "chroot"},
		{"chroot", "nonsense", "chroot"},
	} {
		o := BuildingOptions{Engine: c.engine}
		if err := BuildingFromEnviron(&o, environ(c.host)); err != nil || o.Engine != c.want {
			t.Errorf("%+v: %q, %v", c, o.Engine, err)
		}
	}
	o := BuildingOptions{Engine: "auto"}
	if err := BuildingFromEnviron(&o, environ("nonsense")); KindOf(err) != Usage || !strings.Contains(err.Error(), "BUILDKIT_HOST") {
		t.Errorf("a host that can't be meant gives %v", err)
	}
}

func TestHintListsAddressesThatThereAre(t *testing.T) {
	for _, a := range engineAddresses() {
		a = strings.ReplaceAll(a, ":PORT", ":1234")
		if err := checkEngine("", a, nil); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func TestOtherProgramsRunLocally(t *testing.T) {
	for engine, want := range map[string]string{"": "auto", "auto": "auto", "chroot": "chroot", "tcp://a": "auto", "buildx://a": "auto"} {
		o := BuildingOptions{Engine: engine}
		if got := o.localEngine(); got != want {
			t.Errorf("%q: %q", engine, got)
		}
	}
}
