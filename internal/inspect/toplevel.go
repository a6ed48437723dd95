package inspect

import (
	"slices"
	"strings"
)

// fromTopLevel takes the modules that top_level.txt names, or for a flat
// .egg-info file the module of the project's own name, as far as no other
// distribution lists them, and everything that goes with an egg-info folder.
func (s *scan) fromTopLevel(d *Distribution, claimed map[string]bool) {
	modules := s.modules(d, claimed)
	if len(modules) == 0 {
		d.Refused = "nothing lists its files (no RECORD, installed-files.txt, package record or top_level.txt)"
		return
	}
	if s.visited > maxVisited {
		d.Refused = "too many files belong to several distributions without lists"
		return
	}
	d.FilesFrom = "top_level.txt"
	d.Files = append(d.Files, modules...)
	if s.r.t.hasDir(d.Info) {
		d.Files = s.under(d.Files, d.Info, nil)
	} else {
		d.Files = append(d.Files, d.Info)
	}
	// The .pth of a namespace package of setuptools, named like the egg-info.
	base := strings.TrimSuffix(d.Info, ".egg-info")
	if p, ok := s.exists(base + "-nspkg.pth"); ok && !claimed[p] {
		d.Files = append(d.Files, p)
	}
	d.Files = append(d.Files, d.links...)
	d.Files = append(d.Files, s.scripts(d, s.small(d.Info+"/entry_points.txt"), claimed)...)
}

// maxModules bounds the top-level modules of one distribution; ansible has one,
// the longest lists some dozens.
const maxModules = 1000

// modules returns the files of the top-level modules of d.
func (s *scan) modules(d *Distribution, claimed map[string]bool) []string {
	names := strings.Fields(string(s.small(d.Info + "/top_level.txt")))
	names = names[:min(len(names), maxModules)]
	if len(names) == 0 {
		raw := d.Metadata.RawName
		names = []string{raw, strings.ToLower(raw), strings.ReplaceAll(raw, "-", "_"), strings.ReplaceAll(string(d.Name), "-", "_")}
	}
	slices.Sort(names)
	var out []string
	for _, n := range slices.Compact(names) {
		dir, ok := joinInside(d.Location, n)
		if !ok || !isBelow(dir, d.Location) || dir == d.Location {
			continue
		}
		if s.r.t.hasDir(dir) {
			out = s.under(out, dir, claimed)
		}
		if p, ok := s.exists(dir + ".py"); ok && !claimed[p] {
			out = append(out, p)
		}
		for _, suffix := range []string{s.i.ExtSuffix, ".abi3.so", ".so"} {
			if p, ok := s.exists(dir + suffix); ok && suffix != "" && !claimed[p] {
				out = append(out, p)
			}
		}
	}
	return out
}
