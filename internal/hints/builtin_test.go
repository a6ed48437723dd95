package hints

import (
	"path"
	"slices"
	"testing"
)

// config6 of Graphviz lists all plug-ins; a format of one that is not there fails.
func TestGraphvizBringsAllFormats(t *testing.T) {
	for _, dir := range []string{"/usr/lib/x86_64-linux-gnu/graphviz/", "/usr/lib/graphviz/"} {
		for name, want := range map[string]bool{
			"config6a": true, "libgvplugin_core.so.6": true, "libgvplugin_dot_layout.so.6.0.0": true, "libgvplugin_neato_layout.so.6": true,
			"libgvplugin_pango.so.6": true, "libgvplugin_gd.so.6": true, "libgvplugin_gdk.so.6": true, "libgvplugin_webp.so.6": true,
			"libgvplugin_visio.so.6": true, "libgvplugin_gtk.so.6": false, "libgvplugin_xlib.so.6": false, "libgvplugin_rsvg.so.6": false,
		} {
			for _, pkg := range []string{"graphviz", "pydot", "pygraphviz"} {
				h := one(t, pkg)
				got := slices.ContainsFunc(h.Files, func(glob string) bool {
					ok, err := path.Match(glob, dir+name)
					return ok && err == nil
				})
				if got != want {
					t.Errorf("%s: %s%s: %v, want %v", pkg, dir, name, got, want)
				}
			}
		}
	}
}

// What has its own copy of a library, or does without, is not warned about.
func TestSpareLibraries(t *testing.T) {
	for pkg, want := range map[string]bool{
		"psycopg": true, "soundfile": true, "oracledb": true, "python-magic": false, "pyzbar": false, "cairocffi": false,
	} {
		if h := one(t, pkg); h.Spare != want {
			t.Errorf("%s: spare %v, want %v", pkg, h.Spare, want)
		}
	}
}

func one(t *testing.T, pkg string) Hint {
	t.Helper()
	for _, h := range BuiltIn().list {
		if string(h.Package) == pkg {
			return h
		}
	}
	t.Fatalf("no hint about %s", pkg)
	return Hint{}
}
