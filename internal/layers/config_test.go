package layers

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// dockerBase is an image of Docker's schema with two layers.
func dockerBase(t *testing.T, config v1.ConfigFile) v1.Image {
	t.Helper()
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.DockerManifestSchema2), types.DockerConfigJSON)
	for _, text := range []string{"one", "two"} {
		var err error
		if img, err = mutate.AppendLayers(img, static.NewLayer([]byte(text), types.DockerLayer)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.RootFS = c.RootFS
	if img, err = mutate.ConfigFile(img, &config); err != nil {
		t.Fatal(err)
	}
	return img
}

func TestConfigurationIsCarriedOver(t *testing.T) {
	built := v1.Time{Time: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}
	base := dockerBase(t, v1.ConfigFile{
		OS: "linux", Architecture: "arm64", Container: "abc", DockerVersion: "20",
		Created: built,
		History: []v1.History{{Created: built, CreatedBy: "add base"}, {CreatedBy: "ENV", EmptyLayer: true}},
		Config: v1.Config{
			Env: []string{"PATH=/bin", "A=1"}, Cmd: []string{"python3"}, Hostname: "h", Image: "sha256:0",
			Labels: map[string]string{"x": "y"}, WorkingDir: "/", StopSignal: "SIGINT",
			Volumes: map[string]struct{}{"/data": {}},
		},
	})
	entrypoint, user, dir := []string{"gunicorn"}, "1000", "/app"
	opts := Options{
		Epoch: epoch, Version: "1.2.3", Annotations: map[string]string{"org.opencontainers.image.base.name": "example.org/base:1"},
		Config: ConfigChange{
			Entrypoint: &entrypoint, User: &user, Workdir: &dir,
			Env: []string{"A=2", "B=3"}, Labels: map[string]string{"z": "1"},
		},
	}
	img, err := Assemble(base, sample(), newMemory(), opts)
	if err != nil {
		t.Fatal(err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c.Architecture != "arm64" || c.Variant != "v8" || !c.Created.Equal(epoch) || c.Container != "" || c.DockerVersion != "" {
		t.Errorf("configuration %+v", c)
	}
	if got := strings.Join(c.Config.Env, " "); got != "PATH=/bin A=2 B=3" {
		t.Errorf("environment %s", got)
	}
	if c.Config.Cmd != nil || !slices.Equal(c.Config.Entrypoint, entrypoint) || c.Config.User != user || c.Config.WorkingDir != dir {
		t.Errorf("what is run: %+v", c.Config)
	}
	if c.Config.StopSignal != "SIGINT" || len(c.Config.Volumes) != 1 || c.Config.Labels["x"] != "y" || c.Config.Labels["z"] != "1" || c.Config.Hostname != "" {
		t.Errorf("the rest: %+v", c.Config)
	}
	var history []string
	for _, h := range c.History {
		if h.Created.IsZero() {
			t.Errorf("history entry without time: %+v", h)
		}
		if !h.EmptyLayer {
			history = append(history, h.CreatedBy+"|"+h.Comment)
		}
	}
	want := "add base| |layer of the base image distill 1.2.3: packages that are replaced| " +
		"distill 1.2.3: a 1.0|from the development image distill 1.2.3: small packages 1 of 8|"
	if got := strings.Join(history, " "); got != want {
		t.Errorf("history\n got %s\nwant %s", got, want)
	}
	checkManifest(t, base, img)
}

func checkManifest(t *testing.T, base, img v1.Image) {
	t.Helper()
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	c, _ := img.ConfigFile()
	if m.MediaType != types.OCIManifestSchema1 || m.Config.MediaType != types.OCIConfigJSON || len(m.Layers) != 5 || len(c.RootFS.DiffIDs) != 5 {
		t.Errorf("manifest %+v", m)
	}
	old, _ := base.Manifest()
	for i, l := range m.Layers {
		if l.MediaType != types.OCILayer {
			t.Errorf("layer %d has type %s", i, l.MediaType)
		}
		if i < 2 && l.Digest != old.Layers[i].Digest {
			t.Errorf("base layer %d has digest %s, not %s", i, l.Digest, old.Layers[i].Digest)
		}
	}
	digest, _ := base.Digest()
	if m.Annotations["org.opencontainers.image.base.digest"] != digest.String() || m.Annotations["org.opencontainers.image.base.name"] == "" {
		t.Errorf("annotations %v", m.Annotations)
	}
	list, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if d, err := list[0].DiffID(); err != nil || d != c.RootFS.DiffIDs[0] {
		t.Errorf("diffID of the base's layer %s, %v", d, err)
	}
	if r, err := list[1].Compressed(); err != nil {
		t.Error(err)
	} else {
		r.Close()
	}
}

func TestScratchGetsThePlatform(t *testing.T) {
	img := assemble(t, sample(), newMemory(), Options{})
	raw, err := img.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	var c struct{ OS, Architecture, Variant string }
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	if c.OS != "linux" || c.Architecture != "arm64" || c.Variant != "v8" {
		t.Errorf("platform %+v", c)
	}
	m, _ := img.Manifest()
	if len(m.Annotations) != 0 {
		t.Errorf("annotations %v", m.Annotations)
	}
}

func TestConfigurationErrors(t *testing.T) {
	dir := "relative"
	for _, c := range []struct {
		want   string
		config v1.ConfigFile
		change ConfigChange
	}{
		{"base image is for linux/amd64, not for linux/arm64", v1.ConfigFile{OS: "linux", Architecture: "amd64"}, ConfigChange{}},
		{`environment "A" is not of the form`, v1.ConfigFile{OS: "linux", Architecture: "arm64"}, ConfigChange{Env: []string{"A"}}},
		{"is not absolute", v1.ConfigFile{OS: "linux", Architecture: "arm64"}, ConfigChange{Workdir: &dir}},
	} {
		_, err := Assemble(dockerBase(t, c.config), sample(), newMemory(), Options{Epoch: epoch, Config: c.change})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}
