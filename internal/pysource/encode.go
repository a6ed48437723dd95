package pysource

import (
	"encoding/binary"
	"errors"
)

// Flags of encoded facts and imports.
const (
	factDynamic = 1 << iota
	factNamespace
	factGrafts
	factStar
)

const (
	importOptional = 1 << iota
	importDeferred
	importFallback
	importFrom // has Names
)

// Encode returns a compact form of f for [Decode].
func (f *Facts) Encode() []byte {
	var flags byte
	if f.Dynamic {
		flags |= factDynamic
	}
	if f.Namespace {
		flags |= factNamespace
	}
	if f.Star {
		flags |= factStar
	}
	if f.Grafts {
		flags |= factGrafts
	}
	const usual = 512 // bytes
	p := append(make([]byte, 0, usual), flags)
	p = binary.AppendUvarint(p, uint64(len(f.Imports)))
	for _, i := range f.Imports {
		p = append(p, i.flags())
		p = binary.AppendUvarint(p, uint64(i.Try))
		p = appendString(p, i.Module)
		if i.Names != nil {
			p = appendStrings(p, i.Names)
		}
	}
	p = binary.AppendUvarint(p, uint64(len(f.Loads)))
	for _, l := range f.Loads {
		p = appendString(appendString(p, l.Call), l.Library)
	}
	return appendStrings(p, f.Binds)
}

func (i *Import) flags() byte {
	var b byte
	if i.Optional {
		b |= importOptional
	}
	if i.Deferred {
		b |= importDeferred
	}
	if i.Fallback {
		b |= importFallback
	}
	if i.Names != nil {
		b |= importFrom
	}
	return b
}

func appendString(p []byte, s string) []byte {
	return append(binary.AppendUvarint(p, uint64(len(s))), s...)
}

func appendStrings(p []byte, list []string) []byte {
	p = binary.AppendUvarint(p, uint64(len(list)))
	for _, s := range list {
		p = appendString(p, s)
	}
	return p
}

var errEncoding = errors.New("not the facts of a Python module")

// Decode reads what Encode wrote.
func Decode(b []byte) (*Facts, error) {
	d := decoder{rest: string(b)}
	flags := d.byte()
	f := &Facts{Dynamic: flags&factDynamic != 0, Namespace: flags&factNamespace != 0, Grafts: flags&factGrafts != 0, Star: flags&factStar != 0}
	if n := d.count(); n > 0 {
		f.Imports = make([]Import, 0, n)
		for range n {
			f.Imports = append(f.Imports, d.imported())
		}
	}
	if n := d.count(); n > 0 {
		f.Loads = make([]Load, 0, n)
		for range n {
			f.Loads = append(f.Loads, Load{Call: d.string(), Library: d.string()})
		}
	}
	f.Binds = d.strings()
	if len(f.Binds) == 0 {
		f.Binds = nil
	}
	if d.bad || len(d.rest) > 0 {
		return nil, errEncoding
	}
	return f, nil
}

// decoder takes values off the front of one string, which all results share; it sets
// bad instead of going out of bounds.
type decoder struct {
	rest string
	bad  bool
}

func (d *decoder) fail() {
	d.bad, d.rest = true, ""
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.fail()
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) uvarint() uint64 {
	var n uint64
	for i := 0; i < len(d.rest) && i < binary.MaxVarintLen64; i++ {
		c := d.rest[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.rest = d.rest[i+1:]
			return n
		}
	}
	d.fail()
	return 0
}

// count reads the length of a list or string, each element of which takes a byte at least.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) string() string {
	n := d.count()
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) strings() []string {
	n := d.count()
	out := make([]string, 0, n)
	for range n {
		out = append(out, d.string())
	}
	return out
}

func (d *decoder) imported() Import {
	flags := d.byte()
	i := Import{
		Optional: flags&importOptional != 0, Deferred: flags&importDeferred != 0, Fallback: flags&importFallback != 0,
		Try: int(min(d.uvarint(), maxTry)), Module: d.string(),
	}
	if flags&importFrom != 0 {
		i.Names = d.strings()
	}
	return i
}

// maxTry bounds the numbers of try statements; a file has at most as many as it has bytes.
const maxTry = 1 << 40
