package distill

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/wheel"
)

// annotate fills in what the probe of an image would have written down about files:
// the native needs of ELF files, the imports of modules.
func (h *Host) annotate(set files.Set) (files.Set, error) {
	probe := inspect.Probe()
	return annotated(set, func(f *files.File) ([]byte, error) { return h.note(probe, f) })
}

// annotateWheel is annotate for a wheel, and remembers the notes by its digest.
func (h *Host) annotateWheel(set files.Set, digest string, s wheel.Scheme) (files.Set, error) {
	const bucket = "facts"
	probe := inspect.Probe()
	key := strings.Join([]string{"wheel", probe.Version(), digest, s.Purelib, s.Platlib, s.Scripts, s.Data, s.Headers}, "\x00")
	if text, ok := h.Cache.Get(bucket, key); ok {
		if known, ok := readNotes(text); ok {
			return annotated(set, func(f *files.File) ([]byte, error) { return known[f.Path], nil })
		}
	}
	var notes []byte
	set, err := annotated(set, func(f *files.File) ([]byte, error) {
		note, err := h.note(probe, f)
		if note != nil {
			notes = appendNote(notes, f.Path, note)
		}
		return note, err
	})
	if err != nil {
		return set, err
	}
	return set, h.Cache.Put(bucket, key, notes)
}

// annotated gives each regular file without a note the one that note returns.
func annotated(set files.Set, note func(*files.File) ([]byte, error)) (files.Set, error) {
	var list []*files.File
	for f := range set.All() {
		if f.IsRegular() && f.Note == nil {
			text, err := note(f)
			if err != nil {
				return files.Set{}, err
			}
			g := *f
			g.Note = text
			f = &g
		}
		list = append(list, f)
	}
	return files.NewSet(list), nil
}

// probeHead is how many first bytes a probe is shown (see [files.Probe]).
const probeHead = 64

// maxInMemory is the size up to which a file is held in memory for the probe.
const maxInMemory = 8 << 20

// note reads one file for the probe, nil if it says nothing about it.
func (h *Host) note(probe files.Probe, f *files.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	head := make([]byte, min(f.Size, probeHead))
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, fmt.Errorf("%q: %w", f.Path, err)
	}
	if probe.Wants(f.Path, f.Size, head)&files.WantNote == 0 {
		return nil, nil
	}
	if f.Size <= maxInMemory {
		all := make([]byte, f.Size)
		copy(all, head)
		if _, err := io.ReadFull(r, all[len(head):]); err != nil {
			return nil, fmt.Errorf("%q: %w", f.Path, err)
		}
		return probe.Note(f.Path, f.Size, bytes.NewReader(all))
	}
	tmp, err := h.Cache.Temp()
	if err != nil {
		return nil, err
	}
	defer tmp.Close()
	if _, err := tmp.Write(head); err != nil {
		return nil, err
	}
	if _, err := io.Copy(tmp, r); err != nil {
		return nil, fmt.Errorf("%q: %w", f.Path, err)
	}
	return probe.Note(f.Path, f.Size, tmp)
}

// appendNote writes a path and what was noted of it, each with its length before it.
func appendNote(b []byte, path string, note []byte) []byte {
	b = append(binary.AppendUvarint(b, uint64(len(path))), path...)
	return append(binary.AppendUvarint(b, uint64(len(note))), note...)
}

// readNotes reads what appendNote wrote; ok is false for anything else.
func readNotes(b []byte) (notes map[string][]byte, ok bool) {
	next := func() []byte {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			ok = false
			return nil
		}
		part := b[size : size+int(n)]
		b = b[size+int(n):]
		return part
	}
	notes, ok = map[string][]byte{}, true
	for len(b) > 0 && ok {
		path := next()
		if ok {
			notes[string(path)] = next()
		}
	}
	return notes, ok
}
