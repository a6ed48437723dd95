package build

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/wheel"
)

// What the driver leaves.
const (
	resultAt   = "out/result.json"
	metadataAt = "out/METADATA"
)

// The bounds of what is taken out, in bytes; that of METADATA is SAFETY's.
const (
	maxResult   = 1 << 20
	maxMetadata = 16 << 20
	maxWheel    = 4 << 30
)

// answer is what the driver says came of a hook. It is as hostile as the source.
type answer struct {
	requires []string // in normal form, sorted
	wheel    string
	metadata bool
}

func readAnswer(root *os.Root) (*answer, error) {
	text, err := readBounded(root, resultAt, maxResult)
	if err != nil {
		return nil, err
	}
	var got struct {
		Requires []string `json:"requires"`
		Wheel    string   `json:"wheel"`
		Metadata bool     `json:"metadata"`
	}
	if err := json.Unmarshal(text, &got); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResult, err)
	}
	a := &answer{wheel: got.Wheel, metadata: got.Metadata}
	for _, text := range got.Requires {
		r, err := python.ParseRequirementLenient(text)
		if err != nil {
			return nil, fmt.Errorf("%w: its back end asks for what is no requirement: %w", ErrResult, err)
		}
		a.requires = append(a.requires, r.String())
	}
	slices.Sort(a.requires)
	a.requires = slices.Compact(a.requires)
	return a, nil
}

// takeMetadata reads the METADATA that the driver has left.
func (r *Request) takeMetadata(root *os.Root) ([]byte, error) {
	text, err := readBounded(root, metadataAt, maxMetadata)
	if err != nil {
		return nil, err
	}
	m, err := python.ParseMetadata(text)
	if err != nil {
		return nil, fmt.Errorf("%w: METADATA: %w", ErrResult, err)
	}
	return text, r.checkProject(m.Name, m.Version)
}

// checkProject tells whether a name and version are those of the source archive.
func (r *Request) checkProject(name python.Name, v python.Version) error {
	want, err := python.ParseSdistName(r.Source.FileName, name)
	if err != nil || want.Compare(v) != 0 {
		return fmt.Errorf("%w: it gives %s %s", ErrResult, name, v)
	}
	return nil
}

// takeWheel puts the wheel that the driver names into the cache.
func (r *Request) takeWheel(root *os.Root, a *answer, store *cache.Dir) (*Built, error) {
	if a.wheel == "" {
		return nil, fmt.Errorf("%w: its back end names none", ErrResult)
	}
	name, err := python.ParseWheelName(a.wheel)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResult, err)
	}
	if err := r.checkProject(name.Name, name.Version); err != nil {
		return nil, err
	}
	f, err := openRegular(root, "out/"+a.wheel)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return r.keep(f, a.wheel, store)
}

// metadataOf returns METADATA of a wheel in the cache.
func metadataOf(store *cache.Dir, b *Built) ([]byte, error) {
	blob, err := store.OpenBlob(b.Digest)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	return wheel.Metadata(b.FileName, blob, b.Size)
}

// openRegular opens a file and nothing that would wait or lead elsewhere.
func openRegular(root *os.Root, name string) (*os.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResult, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is no file", ErrResult, name)
	}
	// All processes of the build are gone; should one be left, its pipe makes nobody wait.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResult, err)
	}
	if now, err := f.Stat(); err != nil || !os.SameFile(info, now) {
		f.Close()
		return nil, fmt.Errorf("%w: %s has changed", ErrResult, name)
	}
	return f, nil
}

func readBounded(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := openRegular(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%w: %s has more than %d bytes", ErrResult, name, limit)
	}
	return text, err
}
