package plan

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/bytecode"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// records rewrites the list of files of each package to what is really laid.
// A wheel's own list stays if nothing of the wheel stayed behind.
func (p *planner) records() error {
	for _, pk := range p.picks {
		list, err := p.willStrip(pk.files)
		if err != nil {
			return err
		}
		if pk.Wheel != nil && !pk.short && list == nil {
			continue
		}
		if list == nil {
			list = pk.files
		}
		i := slices.IndexFunc(pk.files, p.isRecord(pk))
		if i < 0 {
			continue
		}
		old := pk.files[i]
		content := recordText(list, old.Path)
		if baseOf(old.Path) == "installed-files.txt" {
			content = installedText(pk.files, old.Path)
		}
		pk.files[i] = withText(old, content)
		if l := p.laid[old.Path]; l != nil && l.by == pk {
			l.file = pk.files[i]
			p.stale = true
		}
	}
	return nil
}

// isRecord returns the function that knows the list of files of a package.
func (p *planner) isRecord(pk *pick) func(f *files.File) bool {
	return func(f *files.File) bool {
		dir := dirOf(f.Path)
		switch baseOf(f.Path) {
		case "RECORD":
			if pk.Installed != nil {
				return pk.Installed.Kind != inspect.EggInfo && baseOf(dir) == baseOf(pk.Installed.Info)
			}
			site := dirOf(dir)
			return strings.HasSuffix(dir, ".dist-info") && (site == p.in.Base.Python.Purelib || site == p.in.Base.Python.Platlib)
		case "installed-files.txt":
			return pk.Installed != nil && baseOf(dir) == baseOf(pk.Installed.Info)
		}
		return false
	}
}

// recordText is RECORD as installers write it (PEP 376, PEP 627): paths relative
// to the directory that the dist-info lies in, in order. Byte code is listed without
// a digest, as by pip, since who runs Python may make it anew; so are files whose content
// is made while it is written.
func recordText(list []*files.File, record string) []byte {
	site := dirOf(dirOf(record))
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := make([][]string, 0, len(list))
	for _, f := range list {
		row := []string{relative(site, f.Path), "", ""}
		if digest, err := hex.DecodeString(f.SHA256); err == nil && f.SHA256 != "" && f.Path != record && f.IsRegular() && baseOf(dirOf(f.Path)) != bytecode.Dir {
			row[1] = "sha256=" + base64.RawURLEncoding.EncodeToString(digest)
			row[2] = strconv.FormatInt(f.Size, 10)
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	if err := w.WriteAll(rows); err != nil {
		panic("csv into a buffer: " + err.Error())
	}
	return b.Bytes()
}

// installedText is installed-files.txt of setuptools: paths relative to the
// egg-info folder itself.
func installedText(list []*files.File, path string) []byte {
	var lines []string
	for _, f := range list {
		lines = append(lines, relative(dirOf(path), f.Path))
	}
	slices.Sort(lines)
	return []byte(strings.Join(lines, "\n") + "\n")
}

// relative returns the path that leads from the directory dir to target.
func relative(dir, target string) string {
	for up := ""; ; up += "../" {
		if dir == "" {
			return up + target
		}
		if rest, ok := strings.CutPrefix(target, dir+"/"); ok {
			return up + rest
		}
		dir = dirOf(dir)
	}
}
