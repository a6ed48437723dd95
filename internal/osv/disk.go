package osv

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// Disk is a database on disk: the export of the service for PyPI (all.zip), or a
// folder that holds it or its unpacked records (*.json). It is not safe for
// several goroutines.
type Disk struct {
	Path string
	warnings
	known    map[python.Name][]*audit.Advisory // also those without any
	readable atomic.Int64                      // records that could be read, or could be skipped as such
}

// Find returns the advisories that affect each package, by ID. Records are read
// once for each set of new names.
func (d *Disk) Find(ctx context.Context, list []Package) ([][]*audit.Advisory, error) {
	wanted := map[python.Name]bool{}
	for _, p := range list {
		if _, ok := d.known[p.Name]; !ok {
			wanted[p.Name] = true
		}
	}
	if len(wanted) > 0 {
		if err := d.load(ctx, wanted); err != nil {
			return nil, err
		}
	}
	out := make([][]*audit.Advisory, len(list))
	for i, p := range list {
		for _, a := range d.known[p.Name] {
			if !a.Withdrawn && a.Affects(p.Name, p.Version) {
				out[i] = append(out[i], a)
			}
		}
	}
	return out, nil
}

// load reads the records that name a wanted project.
func (d *Disk) load(ctx context.Context, wanted map[python.Name]bool) error {
	files, closer, err := d.files()
	if err != nil {
		return err
	}
	defer closer.Close()
	var total atomic.Int64
	var mu sync.Mutex
	var found []*audit.Advisory
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	const run = 64 // records for one goroutine
	for part := range slices.Chunk(files, run) {
		g.Go(func() error {
			var buf bytes.Buffer
			for _, f := range part {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := f.read(&buf); err != nil {
					return fmt.Errorf("%s: %s: %w", d.Path, f.name, err)
				}
				if total.Add(int64(buf.Len())) > maxTotal {
					return fmt.Errorf("%s: its records have more than %d bytes: %w", d.Path, int64(maxTotal), ErrDamaged)
				}
				if a := d.parse(f.name, buf.Bytes(), wanted); a != nil {
					mu.Lock()
					found = append(found, a)
					mu.Unlock()
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if d.readable.Load() == 0 { // nothing known would look like nothing wrong
		return fmt.Errorf("%s: there is no OSV record in it: %w", d.Path, ErrDamaged)
	}
	d.keep(distinct(found), wanted)
	return nil
}

// keep files advisories under the wanted names.
func (d *Disk) keep(found []*audit.Advisory, wanted map[python.Name]bool) {
	if d.known == nil {
		d.known = map[python.Name][]*audit.Advisory{}
	}
	for name := range wanted {
		d.known[name] = nil
	}
	for _, a := range found {
		var names []python.Name
		for _, x := range a.Affected {
			if wanted[x.Name] && !slices.Contains(names, x.Name) {
				names = append(names, x.Name)
				d.known[x.Name] = append(d.known[x.Name], a)
			}
		}
	}
}

// parse reads a record if it names a wanted project. What is no record is noted
// and left out.
func (d *Disk) parse(name string, b []byte, wanted map[python.Name]bool) *audit.Advisory {
	if !mentions(b, wanted) {
		switch {
		case !json.Valid(b):
			d.add("%s: %s: this is no JSON", d.Path, name)
		case !bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) || !bytes.Contains(b, []byte(`"id"`)):
			d.add("%s: %s: this is no OSV record", d.Path, name)
		default:
			d.readable.Add(1)
		}
		return nil
	}
	a, notes, err := ParseRecord(b)
	if err != nil {
		d.add("%s: %s: %v", d.Path, name, err)
		return nil
	}
	for _, n := range notes {
		d.add("%s: %s", d.Path, n)
	}
	d.readable.Add(1)
	return a
}

// mentions tells whether a record may name one of the projects, without decoding
// it: nine in ten records of an export are about none of them.
func mentions(b []byte, wanted map[python.Name]bool) bool {
	// the key "name" written with escapes, which only somebody with intentions does
	if bytes.Contains(b, []byte(`\u006`)) {
		return true
	}
	key := []byte(`"name"`)
	for {
		i := bytes.Index(b, key)
		if i < 0 {
			return false
		}
		b = bytes.TrimLeft(b[i+len(key):], " \t\r\n")
		rest, ok := bytes.CutPrefix(b, []byte(":"))
		if !ok {
			continue
		}
		rest, ok = bytes.CutPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte(`"`))
		if !ok {
			continue
		}
		end := bytes.IndexByte(rest, '"')
		if end < 0 {
			return true
		}
		if text := rest[:end]; bytes.IndexByte(text, '\\') >= 0 || wanted[python.NormalizeName(string(text))] {
			return true
		}
	}
}

// source is one file of a database.
type source struct {
	name string
	open func() (io.ReadCloser, error)
}

// read puts the content into buf, which it empties before.
func (s *source) read(buf *bytes.Buffer) error {
	buf.Reset()
	r, err := s.open()
	if err != nil {
		return zipError(err)
	}
	defer r.Close()
	n, err := buf.ReadFrom(io.LimitReader(r, maxRecord+1))
	if err != nil {
		return zipError(err)
	}
	if n > maxRecord {
		return fmt.Errorf("more than %d bytes: %w", maxRecord, ErrDamaged)
	}
	return nil
}

func zipError(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return fmt.Errorf("%w: %w", err, ErrDamaged)
}

// files lists the records, in a fixed order.
func (d *Disk) files() ([]source, io.Closer, error) {
	info, err := os.Stat(d.Path)
	if err != nil {
		return nil, nil, err
	}
	if !info.IsDir() {
		return zipFiles(d.Path)
	}
	for _, name := range []string{"all.zip", filepath.Join("PyPI", "all.zip")} {
		if p := filepath.Join(d.Path, name); isFile(p) {
			return zipFiles(p)
		}
	}
	var out []source
	err = filepath.WalkDir(d.Path, func(p string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || !strings.HasSuffix(p, ".json") {
			return err
		}
		if len(out) == maxRecords {
			return fmt.Errorf("%s: more than %d records: %w", d.Path, maxRecords, ErrDamaged)
		}
		rel, err := filepath.Rel(d.Path, p)
		out = append(out, source{filepath.ToSlash(rel), func() (io.ReadCloser, error) { return os.Open(p) }})
		return err
	})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("%s: it holds neither all.zip nor a *.json file: %w", d.Path, ErrDamaged)
	}
	return out, io.NopCloser(nil), err
}

func isFile(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.Mode().IsRegular()
}

// zipFiles lists the records of a zip.
func zipFiles(path string) ([]source, io.Closer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	out, err := zipSources(f)
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, f, nil
}

func zipSources(f *os.File) ([]source, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > maxZip {
		return nil, fmt.Errorf("it has %d bytes, more than %d: %w", info.Size(), int64(maxZip), ErrDamaged)
	}
	z, err := zip.NewReader(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrDamaged)
	}
	if len(z.File) > maxRecords {
		return nil, fmt.Errorf("it has %d entries, more than %d: %w", len(z.File), maxRecords, ErrDamaged)
	}
	var out []source
	for _, e := range z.File {
		if strings.HasSuffix(e.Name, ".json") {
			out = append(out, source{e.Name, e.Open})
		}
	}
	return out, nil
}
