package build

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// Source is a source archive whose digest has been checked.
type Source struct {
	FileName string
	Content  io.ReaderAt
	Size     int64
}

// Open implements files.Content.
func (s Source) Open() (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(s.Content, 0, s.Size)), nil
}

// The limits of an archive while it is searched, those of the metadata reader.
const (
	maxUnpacked = 2 << 30
	maxEntries  = 1 << 19
)

// errEnough is what the function given to walk returns when it has seen what it wants.
var errEnough = errors.New("enough")

// walk calls see for each regular file of the archive, in its order, with the name as it
// stands there; r need not be read. An error of see ends the walk and is returned, but for
// errEnough. Nothing is unpacked.
func (s Source) walk(see func(name string, r io.Reader) error) error {
	packed := bufio.NewReaderSize(io.NewSectionReader(s.Content, 0, s.Size), 64<<10)
	var err error
	switch name := s.FileName; {
	case strings.HasSuffix(name, ".zip"):
		err = s.walkZip(see)
	case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"):
		z, openErr := gzip.NewReader(packed)
		if openErr != nil {
			return openErr
		}
		defer z.Close()
		err = walkTar(z, see)
	case strings.HasSuffix(name, ".tar.bz2"):
		err = walkTar(bzip2.NewReader(packed), see)
	case strings.HasSuffix(name, ".tar"):
		err = walkTar(packed, see)
	default:
		err = fmt.Errorf("%q is compressed in a way that distill does not read", name)
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func walkTar(r io.Reader, see func(string, io.Reader) error) error {
	bounded := &io.LimitedReader{R: r, N: maxUnpacked}
	t := tar.NewReader(bounded)
	for range maxEntries {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			if bounded.N <= 0 {
				err = fmt.Errorf("more than %d GiB when unpacked", maxUnpacked>>30)
			}
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := see(h.Name, t); err != nil {
			return err
		}
	}
	return fmt.Errorf("more than %d entries", maxEntries)
}

func (s Source) walkZip(see func(string, io.Reader) error) error {
	z, err := zip.NewReader(s.Content, s.Size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return err
	}
	for _, f := range z.File[:min(len(z.File), maxEntries)] {
		if !f.Mode().IsRegular() {
			continue
		}
		r := &lazyEntry{file: f}
		err := see(f.Name, r)
		r.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// lazyEntry opens a file of a zip when it is first read.
type lazyEntry struct {
	file *zip.File
	r    io.ReadCloser
}

// Read implements [io.Reader].
func (e *lazyEntry) Read(p []byte) (int, error) {
	if e.r == nil {
		r, err := e.file.Open()
		if err != nil {
			return 0, err
		}
		e.r = r
	}
	return e.r.Read(p)
}

func (e *lazyEntry) close() {
	if e.r != nil {
		e.r.Close()
	}
}

// belowTop returns the path below the archive's one top folder, "" for what is not there.
func belowTop(name string) string {
	top, rest, ok := strings.Cut(strings.TrimPrefix(name, "./"), "/")
	if !ok || top == "" {
		return ""
	}
	return rest
}
