package audit

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/modules"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// VerifyOptions say what is known of an image beside what is in it.
type VerifyOptions struct {
	// Inherited tells whether a path stands in the base image as it is here. What is
	// wrong with those is a warning: nobody broke it. nil: nothing is.
	Inherited func(path string) bool
	// Overridden are projects whose version was settled against what others require.
	Overridden []python.Name
	// Roots are directories that hold an application's own modules.
	Roots []string
}

// verifyRule is a rule that judges what is in an image.
type verifyRule struct {
	Rule
	verify func(*verifier) []Finding
}

// verifyRules returns all rules of Verify.
func verifyRules() []verifyRule {
	return []verifyRule{
		missingInterpreter, unresolvedImport, missingLibrary, symbolVersion, wrongMachine, brokenLink, recordMismatch, staleByteCode,
		entryPoint, unmetDependency, optionalImport,
	}
}

// VerifyRules returns all rules of [Verify], for documentation and SARIF.
func VerifyRules() []Rule {
	var out []Rule
	for _, r := range verifyRules() {
		out = append(out, r.Rule)
	}
	return out
}

// Verify judges whether what is installed in one platform of an image can run, without
// running anything. The environment's files must have been read with [inspect.Probe].
// Findings of severity High and above mean that something fails; Medium, that something
// may fail that is rarely used, or was like that in the base; Low is worth knowing.
func Verify(env *inspect.Environment, o VerifyOptions) []Finding {
	if o.Inherited == nil {
		o.Inherited = func(string) bool { return false }
	}
	v := newVerifier(env, o)
	var out []Finding
	for _, r := range verifyRules() {
		for _, x := range r.verify(v) {
			x.Code = r.Code
			if x.Severity == Unset {
				x.Severity = r.Severity
			}
			if x.Severity.AtLeast(High) && x.Place.File != "" && o.Inherited(x.Place.File) && !v.vital[x.Place.File] {
				x.Severity = Medium
			}
			if x.ID == "" {
				x.ID = r.Code + "/" + cmp.Or(string(x.Package), x.Place.File)
			}
			x.Platforms = []string{env.Platform}
			out = append(out, x)
		}
	}
	sortVerified(out)
	return slices.CompactFunc(out, func(a, b Finding) bool {
		return a.Code == b.Code && a.Place == b.Place && a.Message == b.Message && a.Package == b.Package
	})
}

// sortVerified is Sort by place where the package is the same.
func sortVerified(list []Finding) {
	slices.SortStableFunc(list, func(a, b Finding) int {
		return cmp.Or(b.Severity.weight()-a.Severity.weight(), strings.Compare(string(a.Package), string(b.Package)),
			strings.Compare(a.Code, b.Code), strings.Compare(a.Place.File, b.Place.File), strings.Compare(a.Message, b.Message))
	})
}

// MergePlatforms makes one finding of those that several platforms share.
func MergePlatforms(lists ...[]Finding) []Finding {
	type key struct {
		code, id, message string
		place             Place
		severity          Severity
		name              python.Name
	}
	at := map[key]int{}
	var out []Finding
	for _, list := range lists {
		for _, x := range list {
			k := key{x.Code, x.ID, x.Message, x.Place, x.Severity, x.Package}
			if n, ok := at[k]; ok {
				out[n].Platforms = append(out[n].Platforms, x.Platforms...)
				continue
			}
			at[k] = len(out)
			x.Platforms = slices.Clone(x.Platforms)
			out = append(out, x)
		}
	}
	sortVerified(out)
	return out
}

// verifier is what the rules of one Verify share.
type verifier struct {
	env     *inspect.Environment
	o       VerifyOptions
	owner   map[string]*inspect.Distribution // of each file
	tree    *modules.Tree                    // nil without Python
	roots   []string                         // modules that are imported from outside
	reached map[string]*modules.Module       // what those import, by file
	entries []string                         // modules that only console scripts import
	// scripted are the files of modules that a console script imports: one that can't
	// be started harms nobody who does not call it (jupyter-labhub without jupyterhub).
	scripted map[string]bool
	guarded  map[string]bool   // modules that are only imported where they may fail
	scope    []*modules.Module // all modules of distributions and applications
	closure  *elfdeps.Closure  // of scope's native code, nil without a loader
	elf      []string          // files that closure starts from
	needed   map[string]bool   // files of the closure that must load
	// vital are the files without which nothing runs: what is wrong with those is an
	// error whoever broke it.
	vital  map[string]bool
	loose  *elfdeps.Closure // of native code that none of these needs
	loader *elfdeps.Loader
}

func newVerifier(env *inspect.Environment, o VerifyOptions) *verifier {
	v := &verifier{env: env, o: o, owner: map[string]*inspect.Distribution{}, reached: map[string]*modules.Module{}, scripted: map[string]bool{}, vital: map[string]bool{}, guarded: map[string]bool{}}
	for _, d := range env.Distributions {
		for _, p := range d.Files {
			if v.owner[p] == nil {
				v.owner[p] = d
			}
		}
	}
	py := env.Python
	if py == nil {
		return v
	}
	v.vital[py.Path] = true
	minor := 0
	if r := py.Version.Release(); len(r) > 1 {
		minor = int(r[1])
	}
	v.tree = modules.New(env.Files, modules.Options{
		SysPath: append(slices.Clone(o.Roots), py.SysPath...), ExtSuffix: py.ExtSuffix, Builtins: py.Builtins, Minor: minor,
		Archives: env.ArchivedModules(), Source: inspect.Source, Stdlib: py.Stdlib,
	})
	v.findScope()
	v.findRoots()
	for _, m := range v.tree.Reach(v.roots) {
		if m.File != "" {
			v.reached[m.File] = m
		}
	}
	for _, m := range v.tree.Reach(v.entries) {
		v.scripted[m.File] = true
	}
	v.findGuarded()
	v.findNative()
	return v
}

// finding starts a finding about a file.
func (v *verifier) finding(file, message, fix string) Finding {
	x := Finding{Place: Place{File: file}, Message: message, Fix: fix}
	if d := v.owner[file]; d != nil {
		x.Package, x.Version = d.Name, d.Version.String()
	}
	return x
}

// about starts a finding about a distribution as a whole.
func (v *verifier) about(d *inspect.Distribution, message, fix string) Finding {
	return Finding{Package: d.Name, Version: d.Version.String(), Place: Place{File: recordPlace(d)}, Message: message, Fix: fix}
}

// recordPlace is where a distribution is recorded.
func recordPlace(d *inspect.Distribution) string {
	for _, f := range []string{"/METADATA", "/PKG-INFO"} {
		if i, ok := slices.BinarySearch(d.Files, d.Info+f); ok {
			return d.Files[i]
		}
	}
	return cmp.Or(d.Info, d.Location)
}

// file returns the regular file at a path, links followed.
func (v *verifier) file(p string) *files.File {
	f, _, ok := v.env.Files.Lookup(strings.TrimPrefix(p, "/"))
	if !ok || !f.IsRegular() {
		return nil
	}
	return f
}

// isSide tells tests, examples and the like: code that ships with a package and that no
// application runs.
func isSide(p string) bool {
	for part := range strings.SplitSeq(p, "/") {
		switch part {
		case "tests", "test", "_tests", "examples", "benchmarks", "conftest.py", "setup.py":
			return true
		}
		if strings.HasPrefix(part, "test_") || strings.HasSuffix(part, "_test.py") || strings.HasSuffix(part, "_tests.py") {
			return true
		}
	}
	return false
}

// moduleName is the dotted name of a file below a sys.path directory, "" if it is no
// module. pkg is set for an __init__.
func (v *verifier) moduleName(location, p string) (name string, pkg bool) {
	rel, ok := strings.CutPrefix(p, location+"/")
	if location == "" {
		rel, ok = p, true
	}
	if !ok {
		return "", false
	}
	base := path.Base(rel)
	stem := ""
	for _, suffix := range []string{v.env.Python.ExtSuffix, ".abi3.so", ".so", ".py"} {
		if s, ok := strings.CutSuffix(base, suffix); ok && suffix != "" && s != "" {
			stem = s
			break
		}
	}
	if stem == "" || strings.ContainsAny(stem, ".-") {
		return "", false
	}
	name = stem
	if dir := path.Dir(rel); dir != "." {
		if strings.ContainsAny(dir, ".-") {
			return "", false
		}
		name = strings.ReplaceAll(dir, "/", ".") + "." + stem
	}
	if rest, ok := strings.CutSuffix(name, ".__init__"); ok {
		return rest, true
	}
	return name, false
}
