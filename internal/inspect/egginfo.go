package inspect

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// eggInfo reads an .egg-info folder, of setup.py install or develop.
func (s *scan) eggInfo(order int, location, info string, links []string) {
	meta, ok := s.headers(info + "/PKG-INFO")
	if !ok {
		s.r.warn("%s: no PKG-INFO in it", info)
		return
	}
	d := &Distribution{Kind: EggInfo, Info: info, Location: location, infoFile: info + "/PKG-INFO"}
	d.list = s.listFile(info+"/installed-files.txt", info)
	if len(links) > 0 {
		d.Kind, d.Editable, d.list = Develop, location, nil
	}
	d.Installer = strings.TrimSpace(string(s.small(info + "/INSTALLER")))
	if s.add(order, d, meta, d.infoFile) == nil {
		return
	}
	d.requires(s.small(info + "/requires.txt"))
	if d.Kind == Develop {
		// The link belongs to one project, several may lie in one folder.
		for _, l := range links {
			if name, err := python.ParseName(strings.TrimSuffix(path.Base(l), ".egg-link")); err == nil && name == d.Name {
				d.links = append(d.links, l)
			}
		}
	}
}

// requires takes the requirements of requires.txt where the metadata has none.
func (d *Distribution) requires(text []byte) {
	if len(text) == 0 || d.Metadata == nil || len(d.Metadata.RequiresDist) > 0 {
		return
	}
	reqs, extras, err := python.ParseRequiresTxt(text)
	if err != nil {
		if d.Refused == "" {
			d.Refused = "requires.txt: " + err.Error()
		}
		return
	}
	m := *d.Metadata
	m.RequiresDist = reqs
	if len(m.ProvidesExtra) == 0 {
		m.ProvidesExtra = extras
	}
	d.Metadata = &m
}

// readEggLinks finds the .egg-link files of the site directories.
func (s *scan) readEggLinks() {
	s.links = map[string][]string{}
	for _, site := range s.i.SiteDirs {
		for _, name := range s.r.t.List(site) {
			if !strings.HasSuffix(name, ".egg-link") {
				continue
			}
			first, _, _ := strings.Cut(string(s.small(site+"/"+name)), "\n")
			if real, ok := s.r.t.dir(strings.Trim(strings.TrimSpace(first), "/")); ok {
				s.links[real] = append(s.links[real], site+"/"+name)
			}
		}
	}
}

// eggFile reads a flat .egg-info file of distutils, which lists no files.
func (s *scan) eggFile(order int, location, info string) {
	meta, ok := s.headers(info)
	if !ok {
		return
	}
	s.add(order, &Distribution{Kind: EggFile, Info: info, Location: location, infoFile: info}, meta, info)
}

// egg reads an unzipped egg, a folder on sys.path with everything in it.
func (s *scan) egg(order int, dir string) {
	info := dir + "/EGG-INFO"
	meta, ok := s.headers(info + "/PKG-INFO")
	if !ok {
		s.r.warn("%s: no PKG-INFO in it", info)
		return
	}
	d := &Distribution{Kind: Egg, Info: info, Location: dir, infoFile: info + "/PKG-INFO"}
	if s.add(order, d, meta, d.infoFile) == nil {
		return
	}
	d.requires(s.small(info + "/requires.txt"))
	d.Files, d.FilesFrom = s.under(nil, dir, nil), "egg"
	d.Files = append(d.Files, s.scripts(d, s.small(info+"/entry_points.txt"), nil)...)
}

// eggNote is what is kept of a zipped egg: texts of EGG-INFO by name.
type eggNote map[string]string

// zippedEgg reads an egg that is one file.
func (s *scan) zippedEgg(order int, p string) {
	f, ok := s.r.t.file(p)
	if !ok || len(f.Note) == 0 || f.Note[0] != noteEgg {
		return
	}
	var n eggNote
	if json.Unmarshal(f.Note[1:], &n) != nil {
		return
	}
	d := &Distribution{Kind: Egg, Info: f.Path, Location: f.Path, infoFile: f.Path}
	if s.add(order, d, []byte(n["PKG-INFO"]), f.Path) == nil {
		return
	}
	d.requires([]byte(n["requires.txt"]))
	d.Files, d.FilesFrom = []string{f.Path}, "egg"
	d.Files = append(d.Files, s.scripts(d, []byte(n["entry_points.txt"]), nil)...)
}

// maxZipDirectory bounds what is read to find the entries of a zipped egg: some
// 100,000 entries with names.
const maxZipDirectory = 8 << 20

var errZipDirectory = errors.New("directory of the archive is too large")

// noteZippedEgg keeps the small texts of an egg's EGG-INFO; a damaged egg has no note.
func noteZippedEgg(r io.ReaderAt, size int64) ([]byte, error) {
	watch := &readErrors{r: r, left: maxZipDirectory}
	z, err := zip.NewReader(watch, size)
	if err != nil {
		return nil, watch.err
	}
	watch.left = maxEgg
	n := eggNote{}
	for _, f := range z.File {
		base, ok := strings.CutPrefix(f.Name, "EGG-INFO/")
		if !ok || f.UncompressedSize64 > maxSmall {
			continue
		}
		switch base {
		case "PKG-INFO", "requires.txt", "entry_points.txt", "top_level.txt":
			c, err := f.Open()
			if err != nil {
				return nil, watch.err
			}
			b, err := io.ReadAll(io.LimitReader(c, maxSmall))
			c.Close()
			if err != nil {
				return nil, watch.err
			}
			if base == "PKG-INFO" {
				b = headerBlock(b)
			}
			n[base] = string(b)
		}
	}
	text, err := json.Marshal(n)
	if err != nil {
		return nil, nil
	}
	return append([]byte{noteEgg}, text...), nil
}

// readErrors remembers an error of reading, which is not the same as a damaged
// archive, and reads no more than left bytes.
type readErrors struct {
	r    io.ReaderAt
	err  error
	left int64
}

func (w *readErrors) ReadAt(p []byte, off int64) (int, error) {
	if w.left -= int64(len(p)); w.left < 0 {
		return 0, errZipDirectory
	}
	n, err := w.r.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}
