package inspect

import (
	"path"
	"strings"
)

// readScheme tells how the interpreter lays packages out, and where an installer
// would put new ones.
func (i *Interpreter) readScheme(t *tree) {
	py := i.pythonDir()
	lib := join(i.Prefix, "lib/"+py)
	switch {
	case i.venv != "":
		i.Scheme, i.Prefix = "venv", i.venv
	case t.hasDir(join(i.Prefix, "conda-meta")):
		i.Scheme = "conda"
	case isDebianSite(t, i.Stdlib) && i.Prefix != "usr/local":
		i.Scheme = "debian"
	default:
		i.Scheme = "prefix"
	}
	switch i.Scheme {
	case "debian":
		// Scheme posix_local: pip stays out of what dpkg owns, but for headers.
		local := join(i.Prefix, "local")
		i.Purelib = local + "/lib/" + py + "/dist-packages"
		i.Platlib = i.Purelib
		i.Scripts, i.Data, i.Headers = local+"/bin", local, join(i.Prefix, "include/"+py)
	case "venv":
		i.Purelib = join(i.Prefix, "lib/"+py+"/site-packages")
		i.Platlib = i.Purelib
		i.Scripts, i.Data, i.Headers = join(i.Prefix, "bin"), i.Prefix, join(i.Prefix, "include/site/"+py)
	default:
		i.Purelib = lib + "/site-packages"
		i.Platlib = i.Purelib
		if l := path.Base(path.Dir(i.Stdlib)); l == "lib64" {
			i.Platlib = join(i.Prefix, "lib64/"+py+"/site-packages")
		}
		i.Scripts, i.Data, i.Headers = join(i.Prefix, "bin"), i.Prefix, join(i.Prefix, "include/"+py)
	}
	for _, d := range []string{i.Stdlib, lib} {
		if f, ok := t.file(d + "/EXTERNALLY-MANAGED"); ok {
			i.ExternallyManaged = f.Path
		}
	}
}

// finishVenv takes what a virtual environment has of the interpreter that it was
// made from, which pyvenv.cfg names.
func (r *reader) finishVenv(v *Interpreter, list []*Interpreter) {
	cfg := r.pyvenv(v.venv)
	home := strings.Trim(cfg["home"], "/")
	for _, i := range list {
		if i.Path == v.Path {
			v.base = i
		}
	}
	for _, i := range list {
		if real, ok := r.t.Real(home + "/python3"); ok && i.Path == real {
			v.base = i
		}
	}
	if b := v.base; b != nil {
		v.Stdlib = b.Stdlib
		if !strings.EqualFold(cfg["include-system-site-packages"], "true") {
			v.base = nil
		}
	}
}

// pyvenv reads pyvenv.cfg: "key = value" lines, keys in lower case.
func (r *reader) pyvenv(root string) map[string]string {
	out := map[string]string{}
	b, _ := r.t.ReadFile(root+"/pyvenv.cfg", maxSmall)
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, "="); ok {
			out[strings.ToLower(strings.TrimSpace(k))] = strings.TrimSpace(v)
		}
	}
	return out
}
