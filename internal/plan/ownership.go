package plan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/ospkg"
)

// ownership writes, for each package of the operating system and of conda of which files
// came along, a record by which scanners see it, and brings its licence. The kind of
// record is that of the package's own database: see docs/decisions/0052-records.md.
func (p *planner) ownership() error {
	if p.in.Dev == nil {
		return nil
	}
	o := &ownership{planner: p, os: map[*ospkg.Package]*owned{}, conda: map[*inspect.CondaPackage]*owned{}}
	o.gather()
	if len(o.os) == 0 && len(o.conda) == 0 {
		return nil
	}
	if err := o.dpkg(); err != nil {
		return err
	}
	if err := o.apk(); err != nil {
		return err
	}
	if err := o.condaMeta(); err != nil {
		return err
	}
	if err := o.licences(); err != nil {
		return err
	}
	return o.release()
}

type ownership struct {
	*planner
	os    map[*ospkg.Package]*owned
	conda map[*inspect.CondaPackage]*owned
}

// owned are the files of one package that came along.
type owned struct {
	label  string
	files  map[string]bool // by path in the development image
	by     *pick           // whose files they all are, nil if nobody's or several's
	native bool            // they go to the layer of native libraries
}

// gather finds the packages of what is laid.
func (o *ownership) gather() {
	byConda := map[string]*inspect.CondaPackage{}
	for _, c := range o.in.Dev.Conda {
		for _, f := range c.Files {
			if byConda[f] == nil {
				byConda[f] = c
			}
		}
	}
	for f := range o.laidSet().All() {
		l := o.laid[f.Path]
		if l.present || l.app || l.merged || l.by != nil && l.by.Wheel != nil {
			continue
		}
		at := cmp.Or(l.from, f.Path)
		if c := byConda[at]; c != nil {
			note(o.conda, c, c.Name+" "+c.Version, at, l)
		} else if p := o.in.Dev.OS.Owner(at); p != nil && !o.inBase(p) {
			note(o.os, p, p.Name+" "+p.Version, at, l)
		}
	}
}

func note[P comparable](all map[P]*owned, p P, label, path string, l *laid) {
	w := all[p]
	if w == nil {
		w = &owned{label: label, files: map[string]bool{}, by: l.by, native: l.native}
		all[p] = w
	}
	w.files[path] = true
	if w.by != l.by || w.native != l.native {
		w.by, w.native = nil, true
	}
}

// inBase tells whether the base has the same package in the same version.
func (o *ownership) inBase(p *ospkg.Package) bool {
	if o.in.Base.OS == nil {
		return false
	}
	return slices.ContainsFunc(o.in.Base.OS.Packages, func(q *ospkg.Package) bool {
		return q.Name == p.Name && q.Version == p.Version && q.Arch == p.Arch
	})
}

// sorted returns packages in order of label.
func sorted[P comparable](all map[P]*owned) []P {
	return slices.SortedFunc(maps.Keys(all), func(a, b P) int { return strings.Compare(all[a].label, all[b].label) })
}

// write lays a record beside the files that it is about.
func (o *ownership) write(w *owned, path string, content []byte) error {
	path, err := o.settle(path, w.label)
	if err != nil || o.excluded(path) || o.laid[path] != nil {
		return err
	}
	l := w.place()
	l.file, l.reason = newText(path, 0o644, content), Reason{Owner: w.label, Why: recordWhy}
	return o.join(l)
}

const (
	recordWhy  = "record of the package"
	licenceWhy = "licence of the package"
)

// place is the beginning of what is laid for a package: in the layer that all its files
// are in, else in that of native libraries.
func (w *owned) place() *laid { return &laid{by: w.by, native: w.native} }

// join lays a file, as one more of the pick that it belongs to if there is one.
func (o *ownership) join(l *laid) error {
	if err := o.meetBase(l); err != nil {
		return err
	}
	o.lay(l.file.Path, l)
	if l.by != nil && !l.present {
		l.by.files = append(l.by.files, l.file)
	}
	return nil
}

// dpkg writes files of their own, which need no database beside them.
func (o *ownership) dpkg() error {
	for _, p := range sorted(o.os) {
		if p.Format == ospkg.Apk {
			continue
		}
		w := o.os[p]
		name := p.RecordName(false)
		if _, _, ok := o.base.Lookup(ospkg.StatusDir + "/" + name); ok {
			name = p.RecordName(true)
		}
		if err := o.write(w, ospkg.StatusDir+"/"+name, p.Record()); err != nil {
			return err
		}
		sums, err := o.sums(p, w)
		if err != nil || len(sums) == 0 {
			return err
		}
		if err := o.write(w, ospkg.StatusDir+"/"+name+".md5sums", sums); err != nil {
			return err
		}
	}
	return nil
}

// maxSums bounds a list of digests; the largest of Debian has 2 MB.
const maxSums = 16 << 20

// sums returns the digests of the files that came along.
func (o *ownership) sums(p *ospkg.Package, w *owned) ([]byte, error) {
	for _, path := range p.SumsPath() {
		f, _, ok := o.dev.Lookup(path)
		if !ok || !f.IsRegular() {
			continue
		}
		list, err := f.ReadAll(maxSums)
		if err != nil {
			return nil, fmt.Errorf("digests of %s: %w", w.label, err)
		}
		return ospkg.Sums(list, o.keeps(w)), nil
	}
	return nil, nil
}

// keeps tells of a path as a database lists it whether it came along.
func (o *ownership) keeps(w *owned) func(path string) bool {
	return func(path string) bool {
		at, ok := o.dev.ResolveParent(path)
		return ok && w.files[at]
	}
}

// apk adds records to the one file that apk has for all.
func (o *ownership) apk() error {
	var records [][]byte
	where := ""
	for _, p := range sorted(o.os) {
		if p.Format == ospkg.Apk {
			records = append(records, p.Reduced(o.keeps(o.os[p])))
		}
	}
	if len(records) == 0 {
		return nil
	}
	var old []byte
	for _, path := range []string{"lib/apk/db/installed", "usr/lib/apk/db/installed"} {
		f, _, ok := o.base.Lookup(path)
		if ok && f.IsRegular() {
			text, err := f.ReadAll(maxApk)
			if err != nil {
				return fmt.Errorf("packages of the base: %w", err)
			}
			old, where = text, path
			break
		}
		if _, _, ok := o.dev.Lookup(path); ok && where == "" {
			where = path
		}
	}
	path, err := o.settle(where, "apk")
	if err != nil || o.excluded(path) {
		return err
	}
	f := newText(path, 0o644, ospkg.AppendApk(old, records...))
	return o.join(&laid{file: f, merged: true, reason: Reason{Owner: mergedName, Why: "records of packages"}})
}

// maxApk bounds a database of apk as ospkg does.
const maxApk = 64 << 20

// condaMeta writes the records of conda, less the files that stayed behind.
func (o *ownership) condaMeta() error {
	for _, c := range sorted(o.conda) {
		w := o.conda[c]
		if f, _, ok := o.base.Lookup(c.Record); ok && f.IsRegular() {
			continue
		}
		f, err := o.devFile(c.Record)
		if err != nil {
			return err
		}
		text, err := f.ReadAll(maxSums)
		if err != nil {
			return fmt.Errorf("record of %s: %w", w.label, err)
		}
		if text, err = condaReduced(text, func(path string) bool { return w.files[join(c.Prefix, path)] }); err != nil {
			return failf("", "record of %s: %v", w.label, err)
		}
		if err := o.write(w, c.Record, text); err != nil {
			return err
		}
	}
	return nil
}

// condaReduced returns a record of conda with those of its files only that keep takes.
func condaReduced(text []byte, keep func(path string) bool) ([]byte, error) {
	var rec map[string]json.RawMessage
	if err := json.Unmarshal(text, &rec); err != nil {
		return nil, err
	}
	var list []string
	if err := json.Unmarshal(rec["files"], &list); err == nil {
		list = slices.DeleteFunc(list, func(p string) bool { return !keep(p) })
		rec["files"] = mustJSON(append([]string{}, list...))
	}
	var data struct {
		Paths   []json.RawMessage `json:"paths"`
		Version int               `json:"paths_version"`
	}
	if err := json.Unmarshal(rec["paths_data"], &data); err == nil {
		data.Paths = slices.DeleteFunc(data.Paths, func(raw json.RawMessage) bool {
			var one struct {
				Path string `json:"_path"`
			}
			return json.Unmarshal(raw, &one) != nil || !keep(one.Path)
		})
		rec["paths_data"] = mustJSON(data)
	}
	out, err := json.MarshalIndent(rec, "", "  ")
	return append(out, '\n'), err
}

func mustJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("JSON of strings: " + err.Error())
	}
	return b
}

// licences brings what a package has to come with.
func (o *ownership) licences() error {
	for _, p := range sorted(o.os) {
		list := slices.Clone(p.LicenseFiles)
		if p.Format != ospkg.Apk && len(list) > 0 {
			// Through the package's own name: its folder may be a link to another's.
			list = []string{"usr/share/doc/" + p.Name + "/copyright"}
		}
		if err := o.licence(o.os[p], list); err != nil {
			return err
		}
	}
	for _, c := range sorted(o.conda) {
		var list []string
		for _, f := range c.Files {
			if isLicenceFile(baseOf(f)) && !strings.Contains(f, "-packages/") {
				list = append(list, f)
			}
		}
		if err := o.licence(o.conda[c], list); err != nil {
			return err
		}
	}
	return nil
}

func isLicenceFile(name string) bool {
	name = strings.ToLower(name)
	return name == "copyright" || strings.HasPrefix(name, "license") || strings.HasPrefix(name, "licence") || strings.HasPrefix(name, "copying")
}

func (o *ownership) licence(w *owned, paths []string) error {
	for _, path := range paths {
		hops, ok := trace(o.dev, path)
		if !ok || o.excluded(path) {
			continue
		}
		for _, f := range hops {
			at, err := o.settle(f.Path, w.label)
			if _, there := o.base.Get(at); err != nil || there || f.Mode.IsDir() || o.laid[at] != nil {
				continue
			}
			if err := admit(f, w.label); err != nil {
				return err
			}
			l := w.place()
			l.file, l.from, l.reason = moved(f, at), f.Path, Reason{Owner: w.label, Why: licenceWhy}
			if err := o.join(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// releaseFiles say which distribution the records are of. Without them scanners pass the
// records over.
var releaseFiles = []string{"etc/os-release", "usr/lib/os-release", "etc/debian_version", "etc/alpine-release"}

// release brings them if the base says nothing.
func (o *ownership) release() error {
	if len(o.os) == 0 {
		return nil
	}
	tree := o.tree()
	for _, path := range releaseFiles {
		if _, _, ok := tree.Lookup(path); ok {
			return nil
		}
	}
	for _, path := range releaseFiles {
		if _, ok := trace(o.dev, path); !ok || o.excluded(path) {
			continue
		}
		if err := o.bringChain(path, Reason{Why: "which distribution the packages are of"}); err != nil {
			return err
		}
	}
	return nil
}
