package inspect

import (
	"encoding/json"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// distInfo reads a .dist-info folder (PEP 376, 427, 610, 627). One without
// METADATA is the rest of an uninstalled package: Python does not see it.
func (s *scan) distInfo(order int, location, info string) {
	meta, ok := s.headers(info + "/METADATA")
	if !ok {
		s.r.warn("%s: no METADATA in it", info)
		return
	}
	d := &Distribution{Kind: DistInfo, Info: info, Location: location, infoFile: info + "/METADATA"}
	d.Installer = strings.TrimSpace(string(s.small(info + "/INSTALLER")))
	d.Binary = binaryPlatform(s.small(info + "/WHEEL"))
	d.list = s.listFile(info+"/RECORD", location)
	s.directURL(d, s.small(info+"/direct_url.json"))
	s.add(order, d, meta, d.infoFile)
}

// binaryPlatform is the first platform among the tags of a WHEEL file (PEP 427) by which
// wheels are published (PEP 513, 600, 656).
func binaryPlatform(text []byte) string {
	for line := range strings.Lines(string(text)) {
		tag, ok := strings.CutPrefix(strings.TrimSpace(line), "Tag:")
		if !ok {
			continue
		}
		platform := tag[strings.LastIndex(tag, "-")+1:]
		if strings.HasPrefix(platform, "manylinux") || strings.HasPrefix(platform, "musllinux") {
			return platform
		}
	}
	return ""
}

// listFile reads a list of files; its lines are relative to base.
func (s *scan) listFile(p, base string) *fileList {
	text, ok := s.r.t.ReadFile(p, maxRecord)
	if !ok {
		return nil
	}
	return &fileList{path: p, base: base, text: text}
}

// directURL reads direct_url.json of PEP 610; a damaged one says nothing.
func (s *scan) directURL(d *Distribution, b []byte) {
	var u struct {
		URL string `json:"url"`
		Dir struct {
			Editable bool `json:"editable"`
		} `json:"dir_info"`
	}
	if len(b) == 0 || json.Unmarshal(b, &u) != nil {
		return
	}
	d.DirectURL = python.ShowURL(u.URL)
	if u.Dir.Editable {
		d.Kind = Develop
		d.Editable = strings.Trim(strings.TrimPrefix(u.URL, "file://"), "/")
		if d.Editable == "" {
			d.Editable = d.Location
		}
	}
}
