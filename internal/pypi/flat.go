package pypi

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// flatFormat names the layout below. Change it with the layout: what has another
// name is taken for absent.
const flatFormat = "distill page 2\n"

// flatPage is a page in the form in which the cache holds it: the releases in
// front, newest first, then their rows, which are read and decoded when somebody
// looks at them. Strings that repeat are numbers of a table. Head and rows have
// checksums of their own, so that most of a large page need not be read.
//
//	page    = format, uint32 bytes of the head, uint32 checksum of the head,
//	          head, rows
//	head    = index, status, reason, uvarint skipped,
//	          uvarint n, n * string, uvarint n, n * release
//	release = version, uvarint number of rows, uvarint bytes of its rows,
//	          uint32 checksum of its rows
//	string  = uvarint length, bytes
//	uint32  = 4 bytes, the lowest first
type flatPage struct {
	index, status, statusReason string
	skipped                     int
	table                       []string
	releases                    []Release
	sum                         uint32 // of the head, and so of all
	rows                        *flatRows
}

// typicalRow is what most rows need less than, in bytes.
const typicalRow = 160

// flatPrefix is what stands before the head.
const flatPrefix = len(flatFormat) + 8

// castagnoli is the polynomial that processors compute: the checksum is against
// damage, as whoever can write the cache can write that too.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is that of a text of the cache.
func checksum(s string) uint32 {
	return crc32.Checksum(unsafe.Slice(unsafe.StringData(s), len(s)), castagnoli)
}

// Bits of a row's first number: what follows, or is meant.
const (
	hasSHA256 = 1 << iota // 32 bytes
	hasHashes             // other hashes
	hasSize
	hasTime
	hasPython
	isYanked
	hasReason
	hasCore       // offered
	hasCoreSHA256 // 32 bytes
	hasCoreHashes // other hashes
	endsInName    // URL is folder + name
)

// encodePage returns the flat form of a page.
func encodePage(index string, p *rawPage, l listing) []byte {
	e := flatEncoder{numbers: map[string]uint64{}, rows: make([]byte, 0, len(p.rows)*typicalRow)}
	var heads []byte
	for _, r := range l.releases {
		before := len(e.rows)
		for i := range r.files {
			e.row(r.files[i])
		}
		heads = appendString(heads, r.version.String())
		heads = binary.AppendUvarint(heads, uint64(len(r.files)))
		heads = binary.AppendUvarint(heads, uint64(len(e.rows)-before))
		heads = binary.LittleEndian.AppendUint32(heads, crc32.Checksum(e.rows[before:], castagnoli))
	}
	b := make([]byte, 0, flatPrefix+len(heads)+len(e.rows)+4<<10)
	b = append(b, flatFormat...)
	b = append(b, make([]byte, flatPrefix-len(flatFormat))...)
	b = appendString(b, index)
	b = appendString(b, p.status)
	b = appendString(b, p.statusReason)
	b = binary.AppendUvarint(b, uint64(l.skipped))
	b = binary.AppendUvarint(b, uint64(len(e.table)))
	for _, s := range e.table {
		b = appendString(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(l.releases)))
	b = append(b, heads...)
	head := b[flatPrefix:]
	binary.LittleEndian.PutUint32(b[len(flatFormat):], uint32(len(head)))
	binary.LittleEndian.PutUint32(b[len(flatFormat)+4:], crc32.Checksum(head, castagnoli))
	return append(b, e.rows...)
}

type flatEncoder struct {
	rows    []byte
	table   []string
	numbers map[string]uint64
}

// ref appends the number of s in the table.
func (e *flatEncoder) ref(s string) {
	n, known := e.numbers[s]
	if !known {
		n = uint64(len(e.table))
		e.numbers[s] = n
		e.table = append(e.table, s)
	}
	e.rows = binary.AppendUvarint(e.rows, n)
}

func (e *flatEncoder) row(f *File) {
	host, folder := splitURL(f.URL)
	folder, ends := strings.CutSuffix(folder, "/"+f.Name)
	var bits uint64
	note := func(bit uint64, set bool) {
		if set {
			bits |= bit
		}
	}
	note(endsInName, ends)
	note(hasSHA256, f.Hashes["sha256"] != "")
	note(hasHashes, others(f.Hashes) > 0)
	note(hasSize, f.Size != 0)
	note(hasTime, !f.Uploaded.IsZero())
	note(hasPython, f.RequiresPython != "")
	note(isYanked, f.Yanked)
	note(hasReason, f.YankedReason != "")
	note(hasCore, f.CoreMetadata != nil)
	note(hasCoreSHA256, f.CoreMetadata["sha256"] != "")
	note(hasCoreHashes, others(f.CoreMetadata) > 0)
	e.rows = binary.AppendUvarint(e.rows, bits)
	e.rows = appendString(e.rows, f.Name)
	e.ref(host)
	e.rows = appendString(e.rows, folder)
	e.hashes(f.Hashes)
	if f.Size != 0 {
		e.rows = binary.AppendUvarint(e.rows, uint64(f.Size))
	}
	if !f.Uploaded.IsZero() {
		e.rows = binary.AppendVarint(e.rows, f.Uploaded.UnixMicro())
	}
	if f.RequiresPython != "" {
		e.ref(f.RequiresPython)
	}
	if f.YankedReason != "" {
		e.ref(f.YankedReason)
	}
	e.hashes(f.CoreMetadata)
}

func (e *flatEncoder) hashes(m map[string]string) {
	if sum, err := hex.DecodeString(m["sha256"]); err == nil { // none: no bytes
		e.rows = append(e.rows, sum...)
	}
	if others(m) == 0 {
		return
	}
	e.rows = binary.AppendUvarint(e.rows, uint64(others(m)))
	for _, algorithm := range slices.Sorted(maps.Keys(m)) {
		if algorithm != "sha256" {
			e.ref(algorithm)
			e.rows = appendString(e.rows, m[algorithm])
		}
	}
}

// others counts the hashes besides sha256.
func others(m map[string]string) int {
	if _, ok := m["sha256"]; ok {
		return len(m) - 1
	}
	return len(m)
}

// splitURL cuts behind the host, the part that the rows of a page share.
func splitURL(u string) (host, rest string) {
	i := strings.Index(u, "://")
	if i < 0 {
		return "", u
	}
	j := strings.IndexByte(u[i+3:], '/')
	if j < 0 {
		return u, ""
	}
	return u[:i+3+j], u[i+3+j:]
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodePage returns the page in b, or ok false if b is none. The page keeps b,
// which must not change any more.
func decodePage(b []byte) (p *flatPage, ok bool) {
	return openPage(&cache.Entry{First: b})
}

// openPage reads the head of a page in the cache, ok false if there is none. The
// page keeps the entry open if not all of it is read.
func openPage(e *cache.Entry) (p *flatPage, ok bool) {
	first := e.First
	if len(first) < flatPrefix || string(first[:len(flatFormat)]) != flatFormat {
		return nil, false
	}
	size := max(e.Size(), int64(len(first)))
	n := int64(binary.LittleEndian.Uint32(first[len(flatFormat):]))
	if n > size-int64(flatPrefix) {
		return nil, false
	}
	head := first[flatPrefix:min(int64(flatPrefix)+n, int64(len(first)))]
	if int64(len(head)) < n {
		head = make([]byte, n)
		if _, err := e.ReadAt(head, int64(flatPrefix)); err != nil {
			return nil, false
		}
	}
	sum := binary.LittleEndian.Uint32(first[len(flatFormat)+4:])
	if crc32.Checksum(head, castagnoli) != sum {
		return nil, false
	}
	at := int64(flatPrefix) + n
	rows := &flatRows{entry: e, at: at, size: size - at}
	if at <= int64(len(first)) {
		rows.window = asString(first[at:])
	}
	if p, ok = decodeHead(asString(head), rows.size); !ok {
		return nil, false
	}
	p.sum, p.rows = sum, rows
	return p, true
}

// asString is b as a string without a copy; b must not change any more. A copy of
// each page was a sixth of the time of a lock that needs no network.
func asString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// decodeHead reads a head whose rows take the given number of bytes.
func decodeHead(head string, rows int64) (p *flatPage, ok bool) {
	d := flatDecoder{s: head}
	p = &flatPage{index: d.str(), status: d.str(), statusReason: d.str(), skipped: int(d.num())}
	p.table = make([]string, d.count(1))
	for i := range p.table {
		p.table[i] = d.str()
	}
	n := d.count(7)
	p.releases = make([]Release, n)
	parts := make([]part, n)
	at := int64(0)
	for i := range p.releases {
		version, err := python.ParseVersion(d.str())
		if err != nil {
			return nil, false
		}
		number, size := d.num(), d.num()
		if size > uint64(rows-at) || number > size {
			return nil, false
		}
		parts[i] = part{page: p, number: int(number), at: at, size: int(size), sum: d.fixed()}
		at += int64(size)
		p.releases[i] = Release{Version: version, parts: parts[i : i+1 : i+1]}
	}
	return p, !d.short && d.s == "" && at == rows
}

// flatDecoder reads numbers and strings; what would go beyond the end gives zero
// values and sets short.
type flatDecoder struct {
	s      string
	short  bool
	digits []byte // of all digests, so that they are made at once
}

func (d *flatDecoder) bytes(n int) string {
	if n < 0 || n > len(d.s) {
		d.short, d.s = true, ""
		return ""
	}
	out := d.s[:n]
	d.s = d.s[n:]
	return out
}

func (d *flatDecoder) num() uint64 {
	var v uint64
	for i := 0; i < len(d.s) && i < binary.MaxVarintLen64; i++ {
		c := d.s[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.s = d.s[i+1:]
			return v
		}
	}
	d.short, d.s = true, ""
	return 0
}

// fixed reads a uint32.
func (d *flatDecoder) fixed() uint32 {
	s := d.bytes(4)
	if s == "" {
		return 0
	}
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func (d *flatDecoder) signed() int64 {
	u := d.num()
	return int64(u>>1) ^ -int64(u&1)
}

// count reads a number of things that take at least size bytes each.
func (d *flatDecoder) count(size int) int {
	n := d.num()
	if n > uint64(len(d.s)/size) {
		d.short, d.s = true, ""
		return 0
	}
	return int(n)
}

func (d *flatDecoder) str() string { return d.bytes(d.count(1)) }

// files decodes the rows; of damaged ones nothing is returned, and their page is
// told. Others are what encodePage wrote.
func (p *part) files() []File {
	rows, ok := p.page.rows.part(p.at, p.size)
	if !ok || checksum(rows) != p.sum {
		if p.page.rows.spoiled != nil {
			p.page.rows.spoiled()
		}
		return nil
	}
	d := flatDecoder{s: rows}
	out := make([]File, p.number)
	d.digits = make([]byte, 0, p.number*2*sha256.Size)
	for i := range out {
		d.row(&out[i], p.page)
	}
	return out
}

func (d *flatDecoder) row(f *File, p *flatPage) {
	bits := d.num()
	f.Index = p.index
	f.Name = d.str()
	f.URL = d.ref(p) + d.str()
	if bits&endsInName != 0 {
		f.URL += "/" + f.Name
	}
	f.Hashes = d.hashes(p, bits&hasSHA256 != 0, bits&hasHashes != 0)
	if bits&hasSize != 0 {
		f.Size = int64(d.num())
	}
	if bits&hasTime != 0 {
		f.Uploaded = time.UnixMicro(d.signed()).UTC()
	}
	if bits&hasPython != 0 {
		f.RequiresPython = d.ref(p)
	}
	f.Yanked = bits&isYanked != 0
	if bits&hasReason != 0 {
		f.YankedReason = d.ref(p)
	}
	if bits&hasCore != 0 {
		f.CoreMetadata = d.hashes(p, bits&hasCoreSHA256 != 0, bits&hasCoreHashes != 0)
	}
}

func (d *flatDecoder) ref(p *flatPage) string {
	if n := d.num(); n < uint64(len(p.table)) {
		return p.table[n]
	}
	return ""
}

func (d *flatDecoder) hashes(p *flatPage, strong, other bool) map[string]string {
	m := make(map[string]string, 1)
	if strong {
		var sum [sha256.Size]byte
		copy(sum[:], d.bytes(len(sum)))
		at := len(d.digits)
		d.digits = hex.AppendEncode(d.digits, sum[:])
		m["sha256"] = asString(d.digits[at:])
	}
	if other {
		for range d.count(2) {
			algorithm := d.ref(p)
			m[algorithm] = d.str()
		}
	}
	return m
}
