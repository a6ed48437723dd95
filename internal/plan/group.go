package plan

import (
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
)

// The layers, bottom up: what vanishes from the base, native libraries, files of
// --include, then packages, each large one alone in order of name, and the
// small ones in buckets, the application, and what is joined with files of the
// base. Why so, and how the numbers were found: docs/decisions/0020-layers.md.
const (
	defaultMaxLayers = 40
	// aloneSize is from how many bytes on a package has a layer of its own, if
	// there are layers enough; else it is doubled until there are.
	aloneSize = 256 << 10
	// buckets is into how many layers small packages are distributed.
	buckets = 8
	// reserved layers are those beside packages, whether they are there or not:
	// what vanishes, native libraries, included files, the application, what is
	// joined with the base's. So one of them more does not distribute the
	// packages anew.
	reserved = 5
)

// finish turns what is decided into layers.
func (p *planner) finish() (*Plan, error) {
	out := &Plan{Platform: p.in.Platform, Packages: p.packages(), Trimmed: p.trimmed, Uncompiled: p.uncompiled, Warnings: p.warnings, Notes: p.notes}
	p.bare = p.withoutRuntime()
	out.Layers = p.runtimeLayer()
	if len(p.whiteouts) > 0 {
		out.Layers = append(out.Layers, Layer{
			Name:      "packages that are replaced",
			Comment:   fmt.Sprintf("%d paths of the base vanish", len(p.whiteouts)),
			Whiteouts: p.whiteouts,
		})
	}
	native, included := p.newLayer("native libraries"), p.newLayer("included files")
	for f := range p.laidSet().All() {
		switch l := p.laid[f.Path]; {
		case l.runtime || l.present || l.by != nil || l.app || l.merged:
		case l.native:
			native.add(l.file, l.reason)
		default:
			included.add(l.file, l.reason)
		}
	}
	for _, b := range []*builder{native, included} {
		if len(b.files) > 0 {
			b.comment = b.owners()
			out.Layers = append(out.Layers, b.layer())
		}
	}
	last := p.lastLayers()
	out.Layers = append(out.Layers, p.packageLayers(len(out.Layers)+len(last))...)
	out.Layers = append(out.Layers, last...)
	return out, nil
}

// packages is the table of all picks.
func (p *planner) packages() []Package {
	var out []Package
	for _, pk := range p.picks {
		k := Package{Name: pk.Name, Version: pk.Version}
		list := pk.files
		switch {
		case pk.InBase != nil:
			k.From, k.Detail = "base", pk.InBase.Info
			for _, path := range pk.InBase.Files {
				if f, _, ok := p.in.Base.Files.Lookup(path); ok {
					list = append(list, f)
				}
			}
		case pk.Installed != nil:
			k.From, k.Detail = "image", pk.Installed.Info
		case pk.Wheel.Built:
			k.From, k.Detail = "build", pk.Wheel.FileName
		default:
			k.From, k.Detail = "wheel", pk.Wheel.FileName
		}
		k.Files = len(list)
		for _, f := range list {
			k.Size += f.Size
		}
		out = append(out, k)
	}
	return out
}

// packageLayers distributes the picks, below being the new layers beneath them.
// Where a package goes depends on its own name and size, and on the others only
// when there are too many for the limit.
func (p *planner) packageLayers(below int) []Layer {
	limit := p.in.Options.MaxLayers
	if limit == 0 {
		limit = defaultMaxLayers
	}
	free := limit - p.in.Options.BaseLayers - reserved
	if free < buckets { // then every layer counts
		free = max(1, limit-p.in.Options.BaseLayers-below)
	}
	count := min(buckets, max(1, free/4))
	size := int64(aloneSize)
	for p.countFrom(size) > free-count && size < 1<<60 {
		size += size / 4
	}
	var out []Layer
	small := make([]*builder, count)
	for _, pk := range p.picks {
		list := p.toWrite(pk)
		if len(list) == 0 {
			continue
		}
		b := p.newLayer(pk.label)
		if sizeOf(pk) < size {
			i := bucketOf(string(pk.Name), count)
			if small[i] == nil {
				small[i] = p.newLayer(fmt.Sprintf("small packages %d of %d", i+1, count))
			}
			b = small[i]
		}
		for _, f := range list {
			b.add(f, Reason{Owner: pk.label, Why: pk.Why})
		}
		if sizeOf(pk) >= size {
			b.comment = comment(pk)
			out = append(out, b.layer())
		}
	}
	for _, b := range small {
		if b != nil {
			b.comment = b.owners()
			out = append(out, b.layer())
		}
	}
	return out
}

// countFrom returns how many packages have at least size bytes.
func (p *planner) countFrom(size int64) int {
	n := 0
	for _, pk := range p.picks {
		if pk.InBase == nil && sizeOf(pk) >= size {
			n++
		}
	}
	return n
}

func sizeOf(pk *pick) int64 {
	var n int64
	for _, f := range pk.files {
		n += f.Size
	}
	return n
}

// bucketOf depends on the name alone, so that one more package changes one
// bucket.
func bucketOf(name string, count int) int {
	h := fnv.New32a()
	h.Write([]byte(name))
	return int(h.Sum32() % uint32(count))
}

// toWrite returns the files of a pick that the base does not have already.
func (p *planner) toWrite(pk *pick) []*files.File {
	var out []*files.File
	for _, f := range pk.files {
		if l := p.laid[f.Path]; !l.present {
			out = append(out, f)
		}
	}
	return out
}

func comment(pk *pick) string {
	switch {
	case pk.Installed != nil:
		return "from the development image"
	case pk.Wheel.Built:
		return "built as " + pk.Wheel.FileName
	}
	return "from " + pk.Wheel.FileName
}

// builder collects one layer.
type builder struct {
	p       *planner
	name    string
	comment string
	files   []*files.File
	reasons map[string]Reason
	dirs    map[string]bool
	plain   bool // directories are root's, whatever they are in the development image
}

func (p *planner) newLayer(name string) *builder {
	return &builder{p: p, name: name, reasons: map[string]Reason{}, dirs: map[string]bool{}}
}

func (b *builder) add(f *files.File, why Reason) {
	b.files = append(b.files, f)
	b.reasons[f.Path] = why
	b.addDir(dirOf(f.Path))
}

// newDir is a directory that the base lacks, as the development image has it.
// Each layer has all that it needs, so that it does not depend on those below.
func (p *planner) newDir(path string) *files.File {
	d := &files.File{Path: path, Mode: fs.ModeDir | 0o755}
	if f, ok := p.dev.Get(path); ok && f.Mode.IsDir() {
		d.Mode, d.UID, d.GID, d.Xattrs = f.Mode, f.UID, f.GID, f.Xattrs
	}
	return d
}

// owners lists whose files the layer holds.
func (b *builder) owners() string {
	set := map[string]bool{}
	for _, r := range b.reasons {
		if r.Owner != "" {
			set[r.Owner] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(set)), ", ")
}

func (b *builder) layer() Layer {
	links := map[uint64]int{}
	for _, f := range b.files {
		if f.Inode != 0 {
			links[f.Inode]++
		}
	}
	list := make([]*files.File, len(b.files))
	for i, f := range b.files {
		list[i] = f
		if f.Inode != 0 && links[f.Inode] == 1 { // its other names are elsewhere
			c := *f
			c.Inode = 0
			list[i] = &c
		}
	}
	return Layer{Name: b.name, Comment: b.comment, Files: files.NewSet(list), Reasons: b.reasons}
}
