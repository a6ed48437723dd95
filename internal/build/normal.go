package build

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/wheel"
)

// packLevel is flate's; what it makes is the same for one version of the module, whatever
// the machine.
const packLevel = 6

// maxContent bounds a wheel's files, in bytes: several times the largest that there is.
const maxContent = 16 << 30

// keep writes the wheel that a build has left into the cache, with the same files, but
// with everything in the archive that is not a file's name or content set to one value
// (docs/decisions/0073-builds.md).
func (r *Request) keep(f *os.File, name string, store *cache.Dir) (*Built, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > maxWheel {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrResult, name, int64(maxWheel))
	}
	w, err := wheel.Open(name, f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResult, err)
	}
	// Open has made sure that there is one way to read the archive.
	z, err := zip.NewReader(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResult, err)
	}
	out, err := store.CreateBlob()
	if err != nil {
		return nil, err
	}
	defer out.Abort()
	scratch, err := store.Temp()
	if err != nil {
		return nil, err
	}
	defer scratch.Close()
	pack, err := flate.NewWriter(nil, packLevel)
	if err != nil {
		return nil, err
	}
	n := &normalizer{out: zip.NewWriter(out), scratch: scratch, pack: pack, time: zipTime(r.Epoch), left: maxContent}
	if err := n.wheel(w.DistInfo, z.File); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrResult, name, err)
	}
	digest, size, err := out.Commit()
	if err != nil {
		return nil, err
	}
	return &Built{FileName: name, Digest: digest, Size: size}, checkKept(store, name, digest, size)
}

// checkKept opens the wheel as its users will.
func checkKept(store *cache.Dir, name, digest string, size int64) error {
	blob, err := store.OpenBlob(digest)
	if err != nil {
		return err
	}
	defer blob.Close()
	if _, err := wheel.Open(name, blob, size); err != nil {
		store.RemoveBlob(digest)
		return fmt.Errorf("%w: %w", ErrResult, err)
	}
	return nil
}

// zipTime is a time as a ZIP archive has it, never before 1980-01-02: that is a day after
// the first that it can tell, for readers who see it in another time zone.
func zipTime(epoch int64) (t [2]uint16) {
	u := time.Unix(max(epoch, time.Date(1980, 1, 2, 0, 0, 0, 0, time.UTC).Unix()), 0).UTC()
	date := uint16((u.Year()-1980)<<9 | int(u.Month())<<5 | u.Day())
	clock := uint16(u.Hour()<<11 | u.Minute()<<5 | u.Second()/2)
	return [2]uint16{date, clock}
}

// normalizer writes the entries of a wheel.
type normalizer struct {
	out     *zip.Writer
	scratch *os.File // one compressed entry
	pack    *flate.Writer
	time    [2]uint16
	left    int64
	lines   []recordLine
}

type recordLine struct {
	name string
	sum  [sha256.Size]byte
	size int64
}

// wheel writes all entries: first the packages, then dist-info, in it RECORD last (PEP
// 427), each in the order of names.
func (n *normalizer) wheel(distInfo string, list []*zip.File) error {
	record := distInfo + "/RECORD"
	var claims map[string]string
	files := make([]*zip.File, 0, len(list))
	for _, f := range list {
		switch {
		case f.Name == record:
			var err error
			if claims, err = readClaims(f); err != nil {
				return err
			}
		case !isDropped(f.Name, distInfo):
			files = append(files, f)
		}
	}
	isInfo := func(f *zip.File) int { return strings.Count(strings.SplitAfterN(f.Name, "/", 2)[0], distInfo+"/") }
	slices.SortFunc(files, func(a, b *zip.File) int {
		if d := isInfo(a) - isInfo(b); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	for _, f := range files {
		if err := n.entry(f, claims[f.Name]); err != nil {
			return fmt.Errorf("%q: %w", f.Name, err)
		}
	}
	text, err := n.record(record)
	if err != nil {
		return err
	}
	if _, err := n.write(record, 0o644, bytes.NewReader(text)); err != nil {
		return err
	}
	return n.out.Close()
}

// isDropped tells what of a wheel does not count: folders, which installers don't look at;
// byte code beside its source, which holds the time of building and is made anew when
// installed; and signatures of the RECORD that was.
func isDropped(name, distInfo string) bool {
	if strings.HasSuffix(name, "/") {
		return true
	}
	if path.Base(path.Dir(name)) == "__pycache__" && strings.HasSuffix(name, ".pyc") {
		return true
	}
	return name == distInfo+"/RECORD.jws" || name == distInfo+"/RECORD.p7s"
}

// readClaims returns the digests of RECORD ("sha256:hex") that entries are compared with.
func readClaims(f *zip.File) (map[string]string, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(r) // wheel.Open has looked at its size
	if err != nil {
		return nil, err
	}
	lines, err := python.ParseRecord(text)
	if err != nil {
		return nil, err
	}
	claims := make(map[string]string, len(lines))
	for _, l := range lines {
		claims[l.Path] = l.Algorithm + ":" + l.Digest
	}
	return claims, nil
}

// entry writes one file again.
func (n *normalizer) entry(f *zip.File, claim string) error {
	if n.left -= int64(min(f.UncompressedSize64, maxContent+1)); n.left < 0 {
		return fmt.Errorf("more than %d bytes when unpacked", int64(maxContent))
	}
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	mode := os.FileMode(0o644)
	if f.Mode()&0o111 != 0 {
		mode = 0o755
	}
	line, err := n.write(f.Name, mode, r)
	if err != nil {
		return err
	}
	if got := "sha256:" + hex.EncodeToString(line.sum[:]); strings.HasPrefix(claim, "sha256:") && got != claim {
		return fmt.Errorf("its digest is %s, but RECORD says %s", got, claim)
	}
	n.lines = append(n.lines, line)
	return nil
}

// write adds a file, the compressed content by way of scratch: sizes stand before it.
func (n *normalizer) write(name string, mode os.FileMode, r io.Reader) (recordLine, error) {
	line := recordLine{name: name}
	if _, err := n.scratch.Seek(0, io.SeekStart); err != nil {
		return line, err
	}
	sum, crc := sha256.New(), crc32.NewIEEE()
	packed := &counter{w: n.scratch}
	n.pack.Reset(packed)
	var err error
	if line.size, err = io.Copy(io.MultiWriter(n.pack, sum, crc), r); err != nil {
		return line, err
	}
	if err := n.pack.Close(); err != nil {
		return line, err
	}
	sum.Sum(line.sum[:0])
	const unix = 3 << 8 // the system by which external attributes are read
	h := &zip.FileHeader{
		Name: name, CreatorVersion: unix | 20, ReaderVersion: 20, Flags: 0x800, Method: zip.Deflate, CRC32: crc.Sum32(),
		CompressedSize64: uint64(packed.n), UncompressedSize64: uint64(line.size), ExternalAttrs: uint32(0o100000|mode) << 16,
	}
	h.ModifiedDate, h.ModifiedTime = n.time[0], n.time[1] //nolint:staticcheck // Modified would add an extra field
	w, err := n.out.CreateRaw(h)
	if err != nil {
		return line, err
	}
	_, err = io.Copy(w, io.NewSectionReader(n.scratch, 0, packed.n))
	return line, err
}

// counter counts what goes through it.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// record returns RECORD: the files as they stand in the archive, then itself.
func (n *normalizer) record(name string) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for _, l := range n.lines {
		if err := w.Write([]string{l.name, "sha256=" + base64.RawURLEncoding.EncodeToString(l.sum[:]), strconv.FormatInt(l.size, 10)}); err != nil {
			return nil, err
		}
	}
	if err := w.Write([]string{name, "", ""}); err != nil {
		return nil, err
	}
	w.Flush()
	return b.Bytes(), w.Error()
}
