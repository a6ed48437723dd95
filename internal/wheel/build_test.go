package wheel

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
)

// A zipWriter writes archives that may lie: what stands in the central directory
// and in the local headers is set apart.
type zipWriter struct {
	files          []zipFile
	prefix, suffix string
	beforeEnd      string
	comment        string
	zip64          bool
	count          int // added to the number of entries in the end record
}

type zipFile struct {
	name, data     string
	localName      string // "": the same
	mode           uint32 // 0: 0100644
	flags, method  uint16
	localFlags     uint16 // added to flags
	crc            uint32 // added to the right one
	size           uint32 // added to the right one, in both headers
	localSize      uint32 // added to the right one, in the local header
	noCentral      bool
	noLocal        bool
	offset         int // added to the right one
	extra, lextra  string
	behind, packed string // bytes behind the content; packed instead of data
	descriptor     int    // 0: none; 12, 16, 20, 24 bytes
	badDescriptor  bool
}

func (f *zipFile) compress() string {
	if f.packed != "" || f.method == methodStore {
		return f.packed + f.data[:len(f.data)*b2i(f.packed == "")]
	}
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 6)
	w.Write([]byte(f.data))
	w.Close()
	return b.String()
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (z *zipWriter) bytes() []byte {
	le := binary.LittleEndian
	body := bytes.Clone([]byte(z.prefix))
	var central []byte
	for _, f := range z.files {
		packed := f.compress()
		if f.mode == 0 {
			f.mode = 0o100644
		}
		if f.localName == "" {
			f.localName = f.name
		}
		if f.descriptor > 0 {
			f.flags |= flagDescriptor
		}
		crc := crc32.ChecksumIEEE([]byte(f.data)) + f.crc
		size := uint32(len(f.data)) + f.size
		at := uint32(len(body) + f.offset)
		sizes := le.AppendUint32(le.AppendUint32(le.AppendUint32(nil, crc), uint32(len(packed))), size)
		if !f.noLocal {
			local := slices.Clone(sizes)
			le.PutUint32(local[8:], size+f.localSize)
			if f.descriptor > 0 {
				clear(local)
			}
			h := le.AppendUint32(nil, sigLocal)
			h = le.AppendUint16(h, 20)
			h = le.AppendUint16(h, f.flags+f.localFlags)
			h = le.AppendUint16(h, f.method)
			h = append(le.AppendUint32(h, 0), local...)
			h = le.AppendUint16(h, uint16(len(f.localName)))
			h = le.AppendUint16(h, uint16(len(f.lextra)))
			body = append(append(append(append(body, h...), f.localName...), f.lextra...), packed...)
			body = append(append(body, descriptor(f, sizes)...), f.behind...)
		}
		if !f.noCentral {
			h := le.AppendUint32(nil, sigCentral)
			h = le.AppendUint16(le.AppendUint16(h, 0x031e), 20)
			h = le.AppendUint16(le.AppendUint16(h, f.flags), f.method)
			h = append(le.AppendUint32(h, 0), sizes...)
			h = le.AppendUint16(le.AppendUint16(h, uint16(len(f.name))), uint16(len(f.extra)))
			h = append(h, make([]byte, 6)...) // comment, volume, internal attributes
			h = le.AppendUint32(le.AppendUint32(h, f.mode<<16), at)
			central = append(append(append(central, h...), f.name...), f.extra...)
		}
	}
	return append(z.end(append(body, central...), len(body), len(central)), z.suffix...)
}

func descriptor(f zipFile, sizes []byte) []byte {
	le := binary.LittleEndian
	var d []byte
	if f.descriptor == 16 || f.descriptor == 24 {
		d = le.AppendUint32(d, sigDescriptor)
	}
	switch f.descriptor {
	case 12, 16:
		d = append(d, sizes...)
	case 20, 24:
		d = append(d, sizes[:4]...)
		d = le.AppendUint64(d, uint64(le.Uint32(sizes[4:])))
		d = le.AppendUint64(d, uint64(le.Uint32(sizes[8:])))
	}
	if f.badDescriptor {
		d[len(d)-1]++
	}
	return d
}

func (z *zipWriter) end(b []byte, offset, length int) []byte {
	le := binary.LittleEndian
	n := z.count
	for _, f := range z.files {
		n += b2i(!f.noCentral)
	}
	b = append(b, z.beforeEnd...)
	if z.zip64 {
		at := len(b)
		b = le.AppendUint32(b, sigEnd64)
		b = append(le.AppendUint64(b, lenEnd64-12), make([]byte, 12)...)
		b = le.AppendUint64(le.AppendUint64(b, uint64(n)), uint64(n))
		b = le.AppendUint64(le.AppendUint64(b, uint64(length)), uint64(offset))
		b = le.AppendUint32(le.AppendUint32(b, sigLocator64), 0)
		b = le.AppendUint32(le.AppendUint64(b, uint64(at)), 1)
		offset = 0xffffffff
	}
	b = append(le.AppendUint32(b, sigEnd), make([]byte, 4)...)
	b = le.AppendUint16(le.AppendUint16(b, uint16(n)), uint16(n))
	b = le.AppendUint32(le.AppendUint32(b, uint32(length)), uint32(offset))
	return append(le.AppendUint16(b, uint16(len(z.comment))), z.comment...)
}

const (
	demoName = "demo_pkg-1.0-py3-none-any.whl"
	demoInfo = "demo_pkg-1.0.dist-info/"
	wheelTxt = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
	metaTxt  = "Metadata-Version: 2.1\nName: Demo.Pkg\nVersion: 1.0\n\nA description.\n"
)

// demo returns the parts of a wheel with the given files (name, content, ...),
// and a RECORD that fits.
func demo(nameContent ...string) *zipWriter {
	z := &zipWriter{}
	has := func(name string) bool {
		return slices.ContainsFunc(z.files, func(f zipFile) bool { return f.name == name })
	}
	for i := 0; i < len(nameContent); i += 2 {
		z.files = append(z.files, zipFile{name: nameContent[i], data: nameContent[i+1], method: methodDeflate})
	}
	for _, f := range [][2]string{{"METADATA", metaTxt}, {"WHEEL", wheelTxt}} {
		if !has(demoInfo + f[0]) {
			z.files = append(z.files, zipFile{name: demoInfo + f[0], data: f[1]})
		}
	}
	if !has(demoInfo + "RECORD") {
		z.files = append(z.files, zipFile{name: demoInfo + "RECORD", data: recordOf(z.files)})
	}
	return z
}

func recordOf(list []zipFile) string {
	var b strings.Builder
	for _, f := range list {
		if strings.HasSuffix(f.name, "/") {
			continue
		}
		sum := sha256.Sum256([]byte(f.data))
		fmt.Fprintf(&b, "%s,sha256=%s,%d\n", appendField(nil, f.name), base64.RawURLEncoding.EncodeToString(sum[:]), len(f.data))
	}
	return b.String() + demoInfo + "RECORD,,\n"
}

// file returns the entry of that name, to be changed.
func (z *zipWriter) file(name string) *zipFile {
	for i := range z.files {
		if z.files[i].name == name {
			return &z.files[i]
		}
	}
	panic("no " + name)
}

func openDemo(t *testing.T, z *zipWriter) (*Wheel, error) {
	t.Helper()
	b := z.bytes()
	return Open(demoName, bytes.NewReader(b), int64(len(b)))
}

func mustOpen(t *testing.T, z *zipWriter) *Wheel {
	t.Helper()
	w, err := openDemo(t, z)
	if err != nil {
		t.Fatal(err)
	}
	return w
}
