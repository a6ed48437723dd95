package image

import (
	"context"
	"errors"
	"io"
	"io/fs"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A store is where the blobs of an image are: a registry, a folder or an archive.
// Its methods may be called from several goroutines.
type store interface {
	// open streams a blob from its start. io.EOF means that digest and size were right.
	open(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error)
	// at opens a blob that is on this machine for reads at any place; the bytes
	// are not checked. ok is false if it would have to be fetched first.
	at(d v1.Descriptor) (b randomBlob, ok bool)
	// probe tells, without reading it, whether a blob is there in its size, as far
	// as that is known without asking anybody.
	probe(d v1.Descriptor) error
	// forget tells that a blob turned out to be damaged.
	forget(d v1.Descriptor)
	Close() error
}

// randomBlob is an open blob.
type randomBlob interface {
	io.ReaderAt
	io.Closer
}

// readDocument returns a manifest, index or configuration, checked.
func readDocument(ctx context.Context, s store, d v1.Descriptor) ([]byte, error) {
	r, err := s.open(ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data := make([]byte, 0, d.Size+1)
	for {
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return nil, blame(err)
		}
		if len(data) == cap(data) {
			return nil, damaged("blob %s has more than the %d bytes its descriptor says", d.Digest, d.Size)
		}
	}
}

// blameFile names a file of the user's that can't be opened or read.
func blameFile(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return missing("%s: %w", p.Path, p.Err)
	}
	return missing("%w", err)
}
