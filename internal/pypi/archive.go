package pypi

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// Limits of a source archive while it is searched for metadata. The largest known
// ones hold 100,000 files; what stands behind 2 GiB is not worth finding.
const (
	maxUnpacked     = 2 << 30
	maxSdistEntries = 1 << 19
)

// visitor is shown a regular file and may read it, up to a limit. It returns
// done to end the walk.
type visitor func(path string, size int64, read func(limit int64) ([]byte, error)) (done bool, err error)

// walkSdist shows the regular files of a source archive in the order in which
// they stand there. Nothing is unpacked; links are not followed.
func walkSdist(name string, r io.ReaderAt, size int64, visit visitor) error {
	packed := bufio.NewReaderSize(io.NewSectionReader(r, 0, size), 64<<10)
	switch {
	case strings.HasSuffix(name, ".zip"):
		return walkZip(r, size, visit)
	case strings.HasSuffix(name, ".gz"), strings.HasSuffix(name, ".tgz"):
		z, err := gzip.NewReader(packed)
		if err != nil {
			return err
		}
		defer z.Close()
		return walkTar(z, maxUnpacked, visit)
	case strings.HasSuffix(name, ".bz2"), strings.HasSuffix(name, ".tbz"):
		return walkTar(bzip2.NewReader(packed), maxUnpacked, visit)
	case strings.HasSuffix(name, ".tar"):
		return walkTar(packed, maxUnpacked, visit)
	}
	return nil // .tar.xz and .tar.Z: nothing is found, so only a build can tell
}

// walkTar reads at most limit bytes of r.
func walkTar(r io.Reader, limit int64, visit visitor) error {
	t := tar.NewReader(&boundedReader{r: r, left: limit})
	for n := 0; ; n++ {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n >= maxSdistEntries {
			return fmt.Errorf("more than %d entries", maxSdistEntries)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		done, err := visit(h.Name, h.Size, func(limit int64) ([]byte, error) { return readLimited(t, limit, h.Size) })
		if done || err != nil {
			return err
		}
	}
}

var errUnpacked = errors.New("too large when unpacked")

// boundedReader fails beyond a number of bytes.
type boundedReader struct {
	r    io.Reader
	left int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errUnpacked
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}

func walkZip(r io.ReaderAt, size int64, visit visitor) error {
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return err
	}
	if len(z.File) > maxSdistEntries {
		return fmt.Errorf("more than %d entries", maxSdistEntries)
	}
	for _, f := range z.File {
		if !f.Mode().IsRegular() {
			continue
		}
		if f.UncompressedSize64 > maxUnpacked {
			return fmt.Errorf("%q has more than %d GiB", f.Name, maxUnpacked>>30)
		}
		done, err := visit(f.Name, int64(f.UncompressedSize64), func(limit int64) ([]byte, error) { return readZipped(f, limit) })
		if done || err != nil {
			return err
		}
	}
	return nil
}

func readZipped(f *zip.File, limit int64) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return readLimited(r, limit, int64(f.UncompressedSize64))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
