package elfdeps

// table is a part of the file that is read further as it is needed.
type table struct {
	p    *parser
	off  uint64
	b    []byte
	what string
}

// get returns n bytes at i, reading more of the file if necessary.
func (t *table) get(i, n uint64) ([]byte, error) {
	if i > maxVersions || n > maxVersions {
		return nil, damaged("%s reach beyond %d bytes", t.what, maxVersions)
	}
	if i+n > uint64(len(t.b)) {
		b, err := t.p.upTo(t.off, max(2*(i+n), 2048), t.what)
		if err != nil {
			return nil, err
		}
		if t.b = b; i+n > uint64(len(b)) {
			return nil, damaged("%s lie outside the file", t.what)
		}
	}
	return t.b[i : i+n], nil
}

func (p *parser) table(vaddr, count uint64, what string) (*table, error) {
	if vaddr == 0 || count == 0 {
		return nil, nil
	}
	off, ok := p.offset(vaddr)
	if !ok {
		return nil, damaged("%s at %#x", what, vaddr)
	}
	return &table{p: p, off: off, what: what}, nil
}

// verneed reads the needed symbol versions (gABI extension of Solaris and GNU:
// Elf_Verneed and Elf_Vernaux, 16 bytes each in both classes).
func (p *parser) verneed(vaddr, count uint64) error {
	t, err := p.table(vaddr, count, "needed versions")
	if t == nil {
		return err
	}
	steps := 0 // bounds lists that run in circles
	for at := uint64(0); count > 0; count-- {
		e, err := t.get(at, 16)
		if err != nil {
			return err
		}
		naux := p.order.Uint16(e[2:])
		file, aux, next := uint64(p.order.Uint32(e[4:])), uint64(p.order.Uint32(e[8:])), uint64(p.order.Uint32(e[12:]))
		need := VersionNeed{}
		if need.Lib, err = p.str(file); err != nil {
			return err
		}
		for a := at + aux; naux > 0; naux-- {
			if steps++; steps > maxVersions/16 {
				return damaged("needed versions run in circles")
			}
			x, err := t.get(a, 16)
			if err != nil {
				return err
			}
			weak := p.order.Uint16(x[4:])&2 != 0 // VER_FLG_WEAK: the loader does not insist
			name, step := uint64(p.order.Uint32(x[8:])), uint64(p.order.Uint32(x[12:]))
			v, err := p.str(name)
			if err != nil {
				return err
			}
			if !weak {
				need.Versions = append(need.Versions, v)
			}
			if step == 0 {
				break
			}
			a += step
		}
		p.info.VerNeed = append(p.info.VerNeed, need)
		if steps++; next == 0 || steps > maxVersions/16 {
			break
		}
		at += next
	}
	return nil
}

// verdef reads the defined symbol versions (Elf_Verdef, 20 bytes, and the first
// Elf_Verdaux of each, its name).
func (p *parser) verdef(vaddr, count uint64) error {
	t, err := p.table(vaddr, count, "defined versions")
	if t == nil {
		return err
	}
	for at, steps := uint64(0), 0; count > 0 && steps <= maxVersions/20; count, steps = count-1, steps+1 {
		e, err := t.get(at, 20)
		if err != nil {
			return err
		}
		flags := p.order.Uint16(e[2:])
		aux, next := uint64(p.order.Uint32(e[12:])), uint64(p.order.Uint32(e[16:]))
		if flags&1 == 0 { // VER_FLG_BASE is the name of the file itself
			x, err := t.get(at+aux, 8)
			if err != nil {
				return err
			}
			v, err := p.str(uint64(p.order.Uint32(x)))
			if err != nil {
				return err
			}
			p.info.VerDef = append(p.info.VerDef, v)
		}
		if next == 0 {
			break
		}
		at += next
	}
	return nil
}
