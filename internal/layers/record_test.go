package layers

import (
	"io"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/plan"
)

// made is an image with a record, on a base of two layers.
func made(t *testing.T, compression string) (v1.Image, *Record) {
	t.Helper()
	p := sample()
	p.Layers = append(p.Layers, plan.Layer{Name: "joined", Merged: true, Files: files.NewSet([]*files.File{file("etc/passwd", "old and more")})})
	user := "app"
	asked := ConfigChange{User: &user, Env: []string{"B=own"}, Labels: map[string]string{"kept": "yes"}}
	opts := Options{Epoch: epoch, Compression: compression, Version: "1.0", Config: asked, Record: &Record{Config: asked, InBase: []string{"six 1.16.0"}, App: []string{"app"}}}
	base := dockerBase(t, v1.ConfigFile{OS: "linux", Architecture: "arm64", Config: v1.Config{Env: []string{"A=old", "B=old"}, Labels: map[string]string{RecordLabel: "of the base"}}})
	img, err := Assemble(base, p, newMemory(), opts)
	if err != nil {
		t.Fatal(err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	r, err := ReadRecord(c)
	if err != nil {
		t.Fatal(err)
	}
	return img, r
}

func TestRecord(t *testing.T) {
	_, r := made(t, "gzip")
	if r.BaseLayers != 2 || r.OwnLayers != 4 || r.MergedLayers != 1 || *r.Config.User != "app" || !slices.Equal(r.InBase, []string{"six 1.16.0"}) || !slices.Equal(r.App, []string{"app"}) {
		t.Errorf("record %+v", r)
	}
}

// A record that does not fit the layers is not believed.
func TestRecordOfAnotherImage(t *testing.T) {
	img, _ := made(t, "gzip")
	more, err := mutate.AppendLayers(img, static.NewLayer([]byte("more"), types.OCILayer))
	if err != nil {
		t.Fatal(err)
	}
	c, _ := img.ConfigFile()
	with := func(edit func(c *v1.ConfigFile)) *v1.ConfigFile {
		d := c.DeepCopy()
		edit(d)
		return d
	}
	label := func(text string) *v1.ConfigFile {
		return with(func(c *v1.ConfigFile) { c.Config.Labels[RecordLabel] = text })
	}
	grown, _ := more.ConfigFile()
	for _, x := range []struct {
		name, want string
		config     *v1.ConfigFile
	}{
		{"none", "no label", with(func(c *v1.ConfigFile) { delete(c.Config.Labels, RecordLabel) })},
		{"more layers", "1 of its 7 layers were added later", grown},
		{"fewer layers", "not those that distill wrote", with(func(c *v1.ConfigFile) { c.RootFS.DiffIDs = c.RootFS.DiffIDs[:5] })},
		{"another layer", "not those that distill wrote", with(func(c *v1.ConfigFile) { c.RootFS.DiffIDs[0] = c.RootFS.DiffIDs[1] })},
		{"no JSON", "invalid character", label("x")},
		{"wrong type", "cannot unmarshal", label(`{"format":1,"baseLayers":"2"}`)},
		{"newer", "format 9", label(`{"format":9}`)},
		{"negative", "does not fit", label(`{"format":1,"baseLayers":-1,"ownLayers":7}`)},
		{"too many merged", "does not fit", label(`{"format":1,"baseLayers":2,"ownLayers":4,"mergedLayers":5}`)},
		{"huge", "more than", label(strings.Repeat(" ", maxRecord+1))},
	} {
		if r, err := ReadRecord(x.config); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %+v, %v, want %q", x.name, r, err, x.want)
		}
	}
}

// What distill wrote stands on the new base byte for byte, without being read.
func TestRestack(t *testing.T) {
	for _, compression := range []string{"gzip", "zstd"} {
		img, r := made(t, compression)
		base := dockerBase(t, v1.ConfigFile{OS: "linux", Architecture: "arm64", Config: v1.Config{Env: []string{"A=new", "B=new", "C=new"}, Cmd: []string{"new"}}})
		base, err := mutate.AppendLayers(base, static.NewLayer([]byte("patch"), types.DockerLayer))
		if err != nil {
			t.Fatal(err)
		}
		joined := []plan.Layer{{Name: "joined", Merged: true, Files: files.NewSet([]*files.File{file("etc/passwd", "new and more")})}}
		opts := Options{Epoch: epoch, Compression: compression, Config: r.Config}
		out, err := Restack(base, unread{img, t}, r, "linux/arm64", joined, newMemory(), opts)
		if err != nil {
			t.Fatal(err)
		}
		was, _ := img.Manifest()
		now, _ := out.Manifest()
		if len(now.Layers) != 7 {
			t.Fatalf("%d layers", len(now.Layers))
		}
		for i := range 3 {
			if was.Layers[2+i].Digest != now.Layers[3+i].Digest || was.Layers[2+i].MediaType != now.Layers[3+i].MediaType {
				t.Errorf("layer %d was %v and is %v", i, was.Layers[2+i], now.Layers[3+i])
			}
		}
		c, _ := out.ConfigFile()
		if got := strings.Join(c.Config.Env, " "); got != "A=new B=own C=new" {
			t.Errorf("environment %s", got)
		}
		if c.Config.User != "app" || c.Config.Labels["kept"] != "yes" || !slices.Equal(c.Config.Cmd, []string{"new"}) {
			t.Errorf("configuration %+v", c.Config)
		}
		again, err := ReadRecord(c)
		if err != nil || again.BaseLayers != 3 || again.OwnLayers != 4 || again.MergedLayers != 1 || again.Chain == r.Chain {
			t.Errorf("record %+v, %v", again, err)
		}
		if len(c.History) != 7 || c.History[4].CreatedBy != "distill 1.0: a 1.0" {
			t.Errorf("history %+v", c.History)
		}
	}
}

// unread is an image whose layers must not be opened.
type unread struct {
	v1.Image
	t *testing.T
}

func (u unread) Layers() ([]v1.Layer, error) {
	list, err := u.Image.Layers()
	for i := range list {
		list[i] = unreadLayer{list[i], u.t}
	}
	return list, err
}

type unreadLayer struct {
	v1.Layer
	t *testing.T
}

func (l unreadLayer) Compressed() (io.ReadCloser, error) {
	l.t.Error("a layer is read")
	return l.Layer.Compressed()
}

func FuzzReadRecord(f *testing.F) {
	f.Add(`{"format":1,"baseLayers":1,"ownLayers":1,"chain":"sha256:00"}`)
	f.Fuzz(func(t *testing.T, text string) {
		c := &v1.ConfigFile{RootFS: v1.RootFS{DiffIDs: []v1.Hash{{Algorithm: "sha256", Hex: "00"}, {Algorithm: "sha256", Hex: "01"}}}}
		c.Config.Labels = map[string]string{RecordLabel: text}
		r, err := ReadRecord(c)
		if err == nil && (r.BaseLayers+r.OwnLayers != 2 || r.MergedLayers < 0 || r.MergedLayers > r.OwnLayers || r.BaseLayers < 0) {
			t.Errorf("%q is believed: %+v", text, r)
		}
	})
}
