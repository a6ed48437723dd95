package elfdeps

import (
	"encoding/binary"
	"errors"
)

// encodingVersion is the first byte of the compact form.
const encodingVersion = 1

var errEncoding = errors.New("not the compact form of ELF facts")

// Encode returns a compact form of i for [Decode]: numbers as uvarints, strings
// with their length before them.
func (i *Info) Encode() []byte {
	e := encoder{b: make([]byte, 0, 256)}
	e.b = append(e.b, encodingVersion)
	e.num(uint64(i.Class))
	e.num(uint64(i.Machine))
	e.num(uint64(i.Type))
	var flags uint64
	for n, f := range i.flags() {
		if *f {
			flags |= 1 << n
		}
	}
	if i.Loader != nil {
		flags |= 1 << 16
	}
	if i.Python != nil {
		flags |= 1 << 17
	}
	e.num(flags)
	e.str(i.Interp)
	e.str(i.Soname)
	e.str(i.Version)
	e.list(i.Needed)
	e.list(i.RPath)
	e.list(i.RunPath)
	e.num(uint64(len(i.VerNeed)))
	for _, v := range i.VerNeed {
		e.str(v.Lib)
		e.list(v.Versions)
	}
	e.list(i.VerDef)
	e.list(i.DlopenNotes)
	e.list(i.LibNames)
	e.str(string(i.Strip))
	if l := i.Loader; l != nil {
		e.str(l.Family)
		e.list(l.SystemDirs)
		e.str(l.Cache)
		e.str(l.PathFile)
	}
	if p := i.Python; p != nil {
		e.str(p.Version)
		e.str(p.CacheTag)
		e.str(p.ExtSuffix)
		e.list(p.Builtins)
	}
	return e.b
}

// flags lists the booleans in the order of their bits.
func (i *Info) flags() []*bool {
	return []*bool{&i.BigEndian, &i.Dynamic, &i.PIE, &i.NoDefault, &i.Relr, &i.Dlopen, &i.HasRunPath, &i.TextRel, &i.ExecStack}
}

// Decode reads what Encode wrote.
func Decode(b []byte) (*Info, error) {
	if len(b) == 0 || b[0] != encodingVersion {
		return nil, errEncoding
	}
	d := decoder{s: string(b[1:])}
	i := &Info{Class: int(d.num()), Machine: uint16(d.num()), Type: uint16(d.num())}
	flags := d.num()
	for n, f := range i.flags() {
		*f = flags&(1<<n) != 0
	}
	i.Interp, i.Soname, i.Version = d.str(), d.str(), d.str()
	i.Needed, i.RPath, i.RunPath = d.list(), d.list(), d.list()
	for n := d.count(); n > 0 && !d.bad; n-- {
		i.VerNeed = append(i.VerNeed, VersionNeed{Lib: d.str(), Versions: d.list()})
	}
	i.VerDef, i.DlopenNotes, i.LibNames = d.list(), d.list(), d.list()
	if s := d.str(); s != "" {
		i.Strip = []byte(s)
	}
	if flags&(1<<16) != 0 {
		i.Loader = &LoaderFacts{Family: d.str(), SystemDirs: d.list(), Cache: d.str(), PathFile: d.str()}
	}
	if flags&(1<<17) != 0 {
		i.Python = &PythonFacts{Version: d.str(), CacheTag: d.str(), ExtSuffix: d.str(), Builtins: d.list()}
	}
	if d.bad || d.s != "" {
		return nil, errEncoding
	}
	return i, nil
}

type encoder struct{ b []byte }

func (e *encoder) num(n uint64) { e.b = binary.AppendUvarint(e.b, n) }

func (e *encoder) str(s string) {
	e.num(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) list(l []string) {
	e.num(uint64(len(l)))
	for _, s := range l {
		e.str(s)
	}
}

// decoder takes values off the front of one string, which all results share.
type decoder struct {
	s   string
	bad bool
}

func (d *decoder) num() uint64 {
	var n uint64
	for i := 0; i < len(d.s) && i < binary.MaxVarintLen64; i++ {
		c := d.s[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.s = d.s[i+1:]
			return n
		}
	}
	d.bad, d.s = true, ""
	return 0
}

// count is a number of things that take at least a byte each.
func (d *decoder) count() int {
	n := d.num()
	if n > uint64(len(d.s)) {
		d.bad, d.s = true, ""
		return 0
	}
	return int(n)
}

func (d *decoder) str() string {
	n := d.count()
	s := d.s[:n]
	d.s = d.s[n:]
	return s
}

func (d *decoder) list() []string {
	n := d.count()
	if n == 0 {
		return nil
	}
	l := make([]string, 0, n)
	for ; n > 0 && !d.bad; n-- {
		l = append(l, d.str())
	}
	return l
}
