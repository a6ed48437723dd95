package image

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// layoutStore is a folder as the OCI image layout describes it.
type layoutStore struct{ dir string }

// openLayout returns the store of a folder and the content of its index.json.
func openLayout(dir string) (store, []byte, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, nil, blameFile(err)
	}
	if !info.IsDir() {
		return nil, nil, missing("%s is a file, not an OCI layout folder: is oci-archive: or docker-archive: meant?", dir)
	}
	f, err := os.Open(filepath.Join(dir, "index.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, missing("%s has no index.json: it is not an OCI layout folder", dir)
	}
	if err != nil {
		return nil, nil, blameFile(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return nil, nil, blameFile(err)
	}
	return &layoutStore{dir}, data, nil
}

func (s *layoutStore) file(d v1.Descriptor) (*os.File, error) {
	// The descriptor's digest was parsed: algorithm and hex can't leave the folder.
	f, err := os.Open(filepath.Join(s.dir, "blobs", d.Digest.Algorithm, d.Digest.Hex))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, damaged("blob %s is missing in %s", d.Digest, s.dir)
	}
	if err != nil {
		return nil, blameFile(err)
	}
	if err := checkFile(f, d); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func checkFile(f *os.File, d v1.Descriptor) error {
	info, err := f.Stat()
	if err != nil {
		return blameFile(err)
	}
	if !info.Mode().IsRegular() {
		return damaged("blob %s is not a file", d.Digest)
	}
	if info.Size() != d.Size {
		return damaged("blob %s has %d bytes, its descriptor says %d", d.Digest, info.Size(), d.Size)
	}
	return nil
}

func (s *layoutStore) open(_ context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	f, err := s.file(d)
	if err != nil {
		return nil, err
	}
	return newChecked(f, f, d)
}

func (s *layoutStore) at(d v1.Descriptor) (randomBlob, bool) {
	f, err := s.file(d)
	if err != nil {
		return nil, false
	}
	return f, true
}

func (s *layoutStore) probe(d v1.Descriptor) error {
	f, err := s.file(d)
	if err != nil {
		return err
	}
	return f.Close()
}

// forget does nothing: the blob is the user's.
func (s *layoutStore) forget(v1.Descriptor) {}

func (s *layoutStore) Close() error { return nil }
