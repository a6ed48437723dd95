package inspect

import (
	"path"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/files"
)

// tree looks files of an image up for one Read: it remembers directories and
// what is known of ELF files. Not safe for several goroutines.
type tree struct {
	set  files.Set
	dirs map[string]string // directory as asked for -> real directory, "" if none
	elf  map[string]*elfdeps.Info
}

func newTree(set files.Set) *tree {
	return &tree{set: set, dirs: map[string]string{}, elf: map[string]*elfdeps.Info{}}
}

// dir returns the real path of a directory; the root is "".
func (t *tree) dir(name string) (string, bool) {
	if name == "" {
		return "", true
	}
	real, ok := t.dirs[name]
	if !ok {
		f, final, found := t.set.Lookup(name)
		if !found || !f.Mode.IsDir() {
			final = ""
		}
		t.dirs[name], real = final, final
	}
	return real, real != ""
}

// get returns the file at name, following links in all parts but the last.
func (t *tree) get(name string) (*files.File, bool) {
	name = strings.Trim(name, "/")
	if f, ok := t.set.Get(name); ok {
		return f, true
	}
	dir, base := "", name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		dir, base = name[:i], name[i+1:]
	}
	if base == ".." || base == "." || base == "" {
		return nil, false
	}
	real, ok := t.dir(dir)
	if !ok {
		return nil, false
	}
	if real == dir {
		return nil, false // looked up above
	}
	if real != "" {
		base = real + "/" + base
	}
	return t.set.Get(base)
}

// Place implements ospkg.Tree.
func (t *tree) Place(name string) (string, bool) {
	f, ok := t.get(name)
	if !ok || f.Mode.IsDir() {
		return "", false
	}
	return f.Path, true
}

// Real implements elfdeps.Tree.
func (t *tree) Real(name string) (string, bool) {
	f, ok := t.get(name)
	switch {
	case ok && !f.IsSymlink():
		return f.Path, true
	case !ok && !strings.Contains(name, ".."):
		real, isDir := t.dir(strings.Trim(name, "/")) // may be a directory that no entry names
		return real, isDir
	}
	_, final, ok := t.set.Lookup(name)
	return final, ok
}

// file returns the regular file at name, following all links.
func (t *tree) file(name string) (*files.File, bool) {
	f, ok := t.get(name)
	if !ok || f.IsSymlink() {
		f, _, ok = t.set.Lookup(name)
	}
	if !ok || !f.IsRegular() {
		return nil, false
	}
	return f, true
}

// ReadFile implements ospkg.Tree and elfdeps.Tree.
func (t *tree) ReadFile(name string, limit int64) ([]byte, bool) {
	f, ok := t.file(name)
	if !ok {
		return nil, false
	}
	b, err := f.ReadAll(limit)
	return b, err == nil
}

// List implements ospkg.Tree.
func (t *tree) List(name string) []string {
	dir, ok := t.dir(strings.Trim(name, "/"))
	if !ok {
		return nil
	}
	var out []string
	for f := range t.set.Children(dir) {
		out = append(out, path.Base(f.Path))
	}
	slices.Sort(out)
	return out
}

// ELF implements elfdeps.Tree.
func (t *tree) ELF(real string) *elfdeps.Info {
	i, ok := t.elf[real]
	if !ok {
		if f, found := t.set.Get(real); found {
			i = ELF(f)
		}
		t.elf[real] = i
	}
	return i
}

// ELF returns what was noted of an ELF file while the image was read with
// [Probe], nil if f is none.
func ELF(f *files.File) *elfdeps.Info {
	if len(f.Note) == 0 || f.Note[0] != noteELF {
		return nil
	}
	i, err := elfdeps.Decode(f.Note)
	if err != nil {
		return nil
	}
	return i
}

// isBelow tells whether p is dir or lies in it; every path lies in the root "".
func isBelow(p, dir string) bool {
	return dir == "" || p == dir || len(p) > len(dir) && p[len(dir)] == '/' && p[:len(dir)] == dir
}

// hasDir tells whether a directory is there, named or implied.
func (t *tree) hasDir(name string) bool {
	_, ok := t.dir(name)
	return ok && name != ""
}
