package image

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
)

// maxMembers bounds the files of an image archive: an image has a few hundred.
const maxMembers = 100_000

// member is a file inside an archive.
type member struct{ off, size int64 }

// archive is a tar file, of which only the table of contents is in memory.
type archive struct {
	name    string // for messages
	f       *os.File
	members map[string]member // by clean path
	links   map[string]string // symbolic and hard links of old docker archives
}

// openArchive reads the table of contents of a tar file. A compressed one is first
// decompressed to a file without a name in the cache.
func openArchive(name string, c *cache.Dir) (*archive, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, blameFile(err)
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, missing("%s is not a file: is oci: meant?", name)
	}
	return newArchive(name, f, c)
}

// newArchive is openArchive for an open file, which belongs to the archive then.
func newArchive(name string, f *os.File, c *cache.Dir) (*archive, error) {
	f, err := plainTar(f, c)
	if err != nil {
		return nil, err
	}
	a := &archive{name: name, f: f, members: map[string]member{}, links: map[string]string{}}
	if err := a.readContents(); err != nil {
		f.Close()
		return nil, err
	}
	return a, nil
}

// plainTar decompresses f if it is compressed.
func plainTar(f *os.File, c *cache.Dir) (*os.File, error) {
	head := make([]byte, 4)
	n, _ := f.ReadAt(head, 0)
	kind := sniff(head[:n])
	if kind == plain {
		return f, nil
	}
	defer f.Close()
	r, err := newDecompressor(bufio.NewReaderSize(f, chunkSize), kind, nil)
	if err != nil {
		return nil, blame(err)
	}
	defer r.Close()
	t, err := c.Temp()
	if err != nil {
		return nil, err
	}
	written, err := io.Copy(t, io.LimitReader(r, maxBytes+1))
	switch {
	case err != nil && isDiskError(err):
		err = spoolError(err)
	case err != nil:
		err = damaged("%s: %w", f.Name(), err)
	case written > maxBytes:
		err = damaged("%s has more than %d bytes when decompressed", f.Name(), int64(maxBytes))
	default:
		_, err = t.Seek(0, io.SeekStart)
	}
	if err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func (a *archive) readContents() error {
	tr := tar.NewReader(a.f)
	for n := 0; ; n++ {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return damaged("%s: not a tar archive of an image: %w", a.name, err)
		}
		if n == maxMembers {
			return damaged("%s has more than %d members", a.name, maxMembers)
		}
		name := files.Clean(h.Name)
		switch h.Typeflag {
		case tar.TypeReg:
			off, err := a.f.Seek(0, io.SeekCurrent)
			if err != nil {
				return blameFile(err)
			}
			if _, twice := a.members[name]; twice && (name == "index.json" || name == "manifest.json") {
				return damaged("%s has %q twice", a.name, name)
			}
			a.members[name] = member{off, h.Size}
		case tar.TypeSymlink:
			a.links[name] = files.Clean(path.Join(path.Dir(name), h.Linkname))
		case tar.TypeLink:
			a.links[name] = files.Clean(h.Linkname)
		}
	}
}

// find returns a member, following links.
func (a *archive) find(name string) (member, bool) {
	name = files.Clean(name)
	for range 10 {
		if m, ok := a.members[name]; ok {
			return m, true
		}
		to, ok := a.links[name]
		if !ok {
			return member{}, false
		}
		name = to
	}
	return member{}, false
}

func (a *archive) section(m member) *io.SectionReader {
	return io.NewSectionReader(a.f, m.off, m.size)
}

// read returns a small member.
func (a *archive) read(name string, limit int64) ([]byte, error) {
	m, ok := a.find(name)
	if !ok {
		return nil, errNoMember
	}
	if m.size > limit {
		return nil, damaged("%s: %q has %d bytes, more than the %d allowed", a.name, name, m.size, limit)
	}
	data := make([]byte, m.size)
	if _, err := io.ReadFull(a.section(m), data); err != nil {
		return nil, damaged("%s: %q: %w", a.name, name, err)
	}
	return data, nil
}

var errNoMember = errors.New("no such member")

// archiveStore takes blobs from an archive; where finds the member of a digest.
type archiveStore struct {
	*archive
	where func(v1.Hash) (member, bool)
	docs  map[v1.Hash][]byte // documents that are not in the archive
}

// openOCIArchive returns the store of a tar file with an OCI layout in it, and the
// content of its index.json.
func openOCIArchive(a *archive) (store, []byte, error) {
	data, err := a.read("index.json", maxManifest)
	if errors.Is(err, errNoMember) {
		return nil, nil, missing("%s has no index.json: it is no OCI archive (docker-archive: is for what docker save writes)", a.name)
	}
	if err != nil {
		return nil, nil, err
	}
	where := func(h v1.Hash) (member, bool) { return a.find("blobs/" + h.Algorithm + "/" + h.Hex) }
	return &archiveStore{archive: a, where: where}, data, nil
}

func (s *archiveStore) blob(d v1.Descriptor) (*io.SectionReader, error) {
	m, ok := s.where(d.Digest)
	if !ok {
		return nil, damaged("blob %s is missing in %s", d.Digest, s.name)
	}
	if m.size != d.Size {
		return nil, damaged("blob %s has %d bytes, its descriptor says %d", d.Digest, m.size, d.Size)
	}
	return s.section(m), nil
}

func (s *archiveStore) open(_ context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	if doc, ok := s.docs[d.Digest]; ok {
		return newChecked(newBytesReader(doc), nopCloser{}, d)
	}
	r, err := s.blob(d)
	if err != nil {
		return nil, err
	}
	return newChecked(r, nopCloser{}, d)
}

func (s *archiveStore) at(d v1.Descriptor) (randomBlob, bool) {
	r, err := s.blob(d)
	if err != nil {
		return nil, false
	}
	return struct {
		io.ReaderAt
		io.Closer
	}{r, nopCloser{}}, true
}

func (s *archiveStore) probe(d v1.Descriptor) error {
	_, err := s.blob(d)
	return err
}

// forget does nothing: the blob is the user's.
func (s *archiveStore) forget(v1.Descriptor) {}

func (s *archiveStore) Close() error { return s.f.Close() }

type nopCloser struct{}

func (nopCloser) Close() error { return nil }
