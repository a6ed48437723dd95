package layers

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/files"
)

// blockSize is the unit of a tar archive (POSIX pax, ustar interchange format).
const blockSize = 512

// maxEpoch is the last second that eleven octal digits can say.
const maxEpoch = 1<<33 - 1

// write writes the members as a compressed tar archive and returns the digest
// of the archive. Every content is checked against its digest once more.
func write(w io.Writer, entries []entry, opts Options) (v1.Hash, error) {
	zw, err := encoderOf(opts.Compression).open(w)
	if err != nil {
		return v1.Hash{}, err
	}
	sum := sha256.New()
	if err := writeTar(io.MultiWriter(sum, zw), entries, opts.Epoch.Unix()); err != nil {
		return v1.Hash{}, err
	}
	if err := zw.Close(); err != nil {
		return v1.Hash{}, err
	}
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}, nil
}

func writeTar(w io.Writer, entries []entry, epoch int64) error {
	for i := range entries {
		e := &entries[i]
		if _, err := w.Write(header(e, epoch)); err != nil {
			return err
		}
		if e.kind != kindFile || e.size == 0 {
			continue
		}
		if err := copyChecked(w, e); err != nil {
			return err
		}
		if _, err := w.Write(zeros[:padding(e.size)]); err != nil {
			return err
		}
	}
	_, err := w.Write(zeros[:])
	return err
}

// copyChecked writes the content of e, checked against the digest that stands for it: its
// own, or that of what is rewritten.
func copyChecked(w io.Writer, e *entry) error {
	sum, want := sha256.New(), e.content
	if e.file.SHA256 == "" && e.content == e.file.Identity() {
		from := e.file.Original()
		c := *e
		c.file, want = e.file.Reread(summed{from.Content, sum}), from.SHA256
		e = &c
	} else {
		w = io.MultiWriter(w, sum)
	}
	if err := copyContent(w, e); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return fmt.Errorf("%s has sha256 %s, not %s", e.name, got, want)
	}
	return nil
}

// summed is content that is hashed while it is read, and what is left of it at the end.
type summed struct {
	files.Content
	sum hash.Hash
}

// Open implements [files.Content].
func (s summed) Open() (io.ReadCloser, error) {
	r, err := s.Content.Open()
	if err != nil {
		return nil, err
	}
	return &summedReader{r, s.sum}, nil
}

type summedReader struct {
	io.ReadCloser
	sum hash.Hash
}

func (r *summedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.sum.Write(p[:n])
	return n, err
}

func (r *summedReader) Close() error {
	_, err := io.Copy(r.sum, r.ReadCloser)
	return cmp.Or(r.ReadCloser.Close(), err)
}

// zeros is the end of an archive: two blocks.
var zeros [2 * blockSize]byte

func padding(size int64) int64 { return -size & (blockSize - 1) }

// header returns the blocks that come before the content of e: a ustar header, and
// before it pax records for what that can't say.
func header(e *entry, epoch int64) []byte {
	name := e.name
	if e.kind == kindDir {
		name += "/"
	}
	records := map[string]string{}
	for k, v := range e.xattrs {
		records["SCHILY.xattr."+k] = v
	}
	prefix, rest, ok := splitName(name)
	if !ok {
		records["path"] = name
		prefix, rest = "", substitute(name)
	}
	link := e.link
	if len(link) > 100 || !isASCII(link) {
		records["linkpath"] = link
		link = substitute(link)
	}
	number := func(key string, n int64, digits int) int64 {
		if n < 1<<(3*digits) {
			return n
		}
		records[key] = strconv.FormatInt(n, 10)
		return 0
	}
	uid := number("uid", int64(e.uid), 7)
	gid := number("gid", int64(e.gid), 7)
	size := number("size", e.size, 11)

	var out []byte
	if len(records) > 0 {
		body := paxRecords(records)
		out = append(out, ustar("", "././@PaxHeader", 'x', 0o644, 0, 0, int64(len(body)), epoch, "")...)
		out = append(out, body...)
		out = append(out, zeros[:padding(int64(len(body)))]...)
	}
	return append(out, ustar(prefix, rest, e.kind, e.mode, uid, gid, size, epoch, link)...)
}

// splitName splits a name for the two fields of a ustar header; ok is false if
// it does not fit or is not ASCII.
func splitName(name string) (prefix, rest string, ok bool) {
	if !isASCII(name) {
		return "", "", false
	}
	if len(name) <= 100 {
		return "", name, true
	}
	// The slash between the two is not written; rest must not be empty.
	at := strings.LastIndexByte(name[:min(156, len(name)-1)], '/')
	if at <= 0 || len(name)-at-1 > 100 {
		return "", "", false
	}
	return name[:at], name[at+1:], true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// substitute is what a reader without pax gets to see of a name: its ASCII
// bytes, cut to the field.
func substitute(name string) string {
	b := make([]byte, 0, 100)
	for i := 0; i < len(name) && len(b) < 100; i++ {
		if name[i] < 0x80 {
			b = append(b, name[i])
		}
	}
	return string(b)
}

// paxRecords returns the records in order of key.
func paxRecords(records map[string]string) []byte {
	var b bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(records)) {
		// The length counts its own digits.
		rest := len(k) + len(records[k]) + len(" =\n")
		n := rest + len(strconv.Itoa(rest))
		if rest+len(strconv.Itoa(n)) != n {
			n = rest + len(strconv.Itoa(n))
		}
		fmt.Fprintf(&b, "%d %s=%s\n", n, k, records[k])
	}
	return b.Bytes()
}

// ustar returns one header block. Owner and group have numbers only: names
// mean something else in every image.
func ustar(prefix, name string, kind byte, mode, uid, gid, size, epoch int64, link string) []byte {
	b := make([]byte, blockSize)
	copy(b[0:100], name)
	octal(b[100:108], mode)
	octal(b[108:116], uid)
	octal(b[116:124], gid)
	octal(b[124:136], size)
	octal(b[136:148], epoch)
	copy(b[148:156], "        ") // the checksum counts itself as spaces
	b[156] = kind
	copy(b[157:257], link)
	copy(b[257:265], "ustar\x0000")
	octal(b[329:337], 0) // device numbers
	octal(b[337:345], 0)
	copy(b[345:500], prefix)
	var sum int64
	for _, c := range b {
		sum += int64(c)
	}
	octal(b[148:155], sum)
	b[155] = ' '
	return b
}

// octal fills a field with digits and a NUL at its end.
func octal(field []byte, n int64) {
	for i := len(field) - 2; i >= 0; i-- {
		field[i] = byte('0' + n&7)
		n >>= 3
	}
	field[len(field)-1] = 0
}
