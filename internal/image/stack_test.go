package image_test

import (
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/image"
)

func TestStack(t *testing.T) {
	k := newKit(t)
	made := k.image("linux/amd64", []layerOf{
		{tar: tarOf(t, "dir usr", "file usr/a old a", "file usr/b old b", "dir usr/full", "file usr/full/x x")},
		{tar: tarOf(t, "file usr/.wh.b", "file usr/full/.wh..wh..opq", "file usr/full/y y", "dir app", "file app/main main", "hard app/again -> app/main")},
		{tar: tarOf(t, "file usr/a joined a")},
	}, nil)
	old := mustLoad(t, k.finish(on(made, "linux/amd64")), image.Options{})
	k = newKit(t)
	base := k.image("linux/amd64", []layerOf{{tar: tarOf(t, "sym usr -> u", "dir u", "file u/a new a", "file u/b new b")}, {tar: tarOf(t, "file etc/patch patch")}}, nil)
	other := mustLoad(t, k.finish(on(base, "linux/amd64")), image.Options{})

	for _, c := range []struct {
		name  string
		parts []image.Part
		want  []string
	}{
		{"nothing", nil, nil},
		{"the base alone", []image.Part{{Image: old, To: 1}},
			[]string{"dir usr", "file usr/a old a", "file usr/b old b", "dir usr/full", "file usr/full/x x"}},
		{"what stands on it", []image.Part{{Image: old, From: 1, To: 2}},
			[]string{"dir app", "file app/again main #1", "file app/main main #1", "file usr/full/y y"}},
		{"all of it", []image.Part{{Image: old, To: 1}, {Image: old, From: 1, To: 3}},
			[]string{"dir app", "file app/again main #1", "file app/main main #1", "dir usr", "file usr/a joined a", "dir usr/full", "file usr/full/y y"}},
		{"on another base, through its links", []image.Part{{Image: other, To: 2}, {Image: old, From: 1, To: 2}},
			[]string{"dir app", "file app/again main #1", "file app/main main #1", "file etc/patch patch", "dir u", "file u/a new a", "file u/full/y y", "sym usr -> u"}},
		{"on scratch", []image.Part{{Image: image.Scratch(v1.Platform{OS: "linux", Architecture: "amd64"})}, {Image: old, From: 2, To: 3}},
			[]string{"file usr/a joined a"}},
	} {
		set, err := image.Stack(c.parts...)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := strings.TrimRight(describe(t, set), "\n"); got != strings.Join(c.want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, strings.Join(c.want, "\n"))
		}
	}
	gone, err := image.Part{Image: old, To: 3}.Whiteouts()
	if want := []string{"usr/b", "usr/full/"}; err != nil || !slices.Equal(gone, want) {
		t.Errorf("whiteouts %q, %v, want %q", gone, err, want)
	}
	for _, p := range []image.Part{{Image: old, To: 4}, {Image: old, From: 2, To: 1}, {Image: old, From: -1}} {
		if _, err := image.Stack(p); err == nil {
			t.Errorf("layers %d to %d are there", p.From, p.To)
		}
	}
}
