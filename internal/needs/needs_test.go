package needs

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// tree makes a set of empty files; names that end in "*" are programs.
func tree(names ...string) files.Set {
	var list []*files.File
	for _, n := range names {
		f := &files.File{Path: n, Mode: 0o644}
		if p, link, ok := strings.Cut(n, " -> "); ok {
			f.Path, f.Link, f.Mode = p, link, fs.ModeSymlink|0o777
		} else if p, ok := strings.CutSuffix(n, "*"); ok {
			f.Path, f.Mode = p, 0o755
		}
		list = append(list, f)
	}
	return files.NewSet(list)
}

func version(t *testing.T, s string) python.Version {
	t.Helper()
	v, err := python.ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func debian(names ...string) Image {
	return Image{
		Files:  tree(append(names, "var/lib/dpkg/status")...),
		Prefix: "usr", Stdlib: "usr/lib/python3.11", Arch: "aarch64",
	}
}

func TestReportSaysWhereAndWhatToAdd(t *testing.T) {
	l := BuiltIn().For("h5py", version(t, "3.11"), Hints{})
	img := debian("usr/bin/cc*", "usr/bin/pkgconf*", "usr/include/python3.11/Python.h", "usr/include/hdf5/serial/hdf5.h")
	got := Check(l, img).Text()
	want := `building needs a C compiler (apk: build-base, apt: gcc libc6-dev, rpm: gcc): found /usr/bin/cc
building needs Python.h (apk: python3-dev, apt: python3-dev, rpm: python3-devel): found /usr/include/python3.11
building needs hdf5.h (apk: hdf5-dev, apt: libhdf5-dev, rpm: hdf5-devel): found /usr/include/hdf5/serial`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	r := Check(l, debian("usr/bin/cc*"))
	missing := r.Missing()
	if len(missing) != 2 || !strings.HasSuffix(missing[1].Text(r.Manager), "rpm: hdf5-devel): not in the image: add libhdf5-dev (apt)") {
		t.Errorf("%+v", missing)
	}
}
