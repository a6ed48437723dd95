package pypi

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"sync"
)

const (
	packFormat     = "distill metadata 1\n"
	metadataBucket = "metadata"
)

// packs holds the metadata that is known already. In the cache, all of a project
// stand together: a resolver that tries 3,000 versions of a project would spend
// its time opening files, and writing them.
type packs struct {
	mu sync.Mutex
	m  map[string]*pack // by project
}

// pack is the metadata of one project's files.
type pack struct {
	once  sync.Once
	mu    sync.Mutex
	m     map[string]Metadata // by metadataKey
	gone  []string            // keys of what turned out wrong
	dirty bool
}

// metadataKey names the content of a file, "" if nothing is sure about it.
func metadataKey(f File) string {
	if digest := f.Hashes["sha256"]; digest != "" {
		return digest
	}
	if _, local := localName(f.URL); local {
		return ""
	}
	return flightKey(f)
}

// packOf returns the project whose pack a file's metadata is in; for odd names
// of source archives it may be another string, but always the same.
func packOf(name string) string {
	i := strings.IndexByte(name, '-')
	if !isWheel(name) {
		i = strings.LastIndexByte(name, '-')
	}
	return strings.ToLower(strings.ReplaceAll(name[:max(i, 0)], "_", "-"))
}

// pack returns the pack of a file's project, reading it from the cache at first.
func (c *Client) pack(f File) *pack {
	k := &c.state.known
	name := packOf(f.Name)
	k.mu.Lock()
	if k.m == nil {
		k.m = map[string]*pack{}
	}
	p := k.m[name]
	if p == nil {
		p = &pack{}
		k.m[name] = p
	}
	k.mu.Unlock()
	p.once.Do(func() {
		b, _ := c.Cache.Get(metadataBucket, "pack "+name)
		p.m = decodePack(b)
	})
	return p
}

// known returns metadata that was found before.
func (c *Client) known(f File) (Metadata, bool) {
	key := metadataKey(f)
	if key == "" {
		return Metadata{}, false
	}
	p := c.pack(f)
	p.mu.Lock()
	defer p.mu.Unlock()
	m, ok := p.m[key]
	return m, ok
}

// remember keeps metadata; Flush writes it for the next time.
func (c *Client) remember(f File, m Metadata) {
	key := metadataKey(f)
	if key == "" {
		return
	}
	p := c.pack(f)
	p.mu.Lock()
	p.m[key], p.dirty = m, true
	p.mu.Unlock()
}

// forget drops metadata that turned out wrong.
func (c *Client) forget(f File) {
	key := metadataKey(f)
	p := c.pack(f)
	p.mu.Lock()
	delete(p.m, key)
	p.gone = append(p.gone, key)
	p.dirty = true
	p.mu.Unlock()
	c.Flush()
}

// Flush writes what was learned, beside what others wrote meanwhile. Call it when
// the client's work is done; without it nothing but time is lost.
func (c *Client) Flush() {
	c.flushAnswers()
	k := &c.state.known
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, p := range k.m {
		p.mu.Lock()
		if p.dirty {
			c.writePack(name, p)
			p.dirty = false
		}
		p.mu.Unlock()
	}
}

func (c *Client) writePack(name string, p *pack) {
	b, _ := c.Cache.Get(metadataBucket, "pack "+name)
	all := decodePack(b)
	maps.Copy(all, p.m)
	for _, key := range p.gone {
		delete(all, key)
	}
	if err := c.Cache.Put(metadataBucket, "pack "+name, encodePack(all)); err != nil {
		c.logf("%v", err)
	}
}

func encodePack(m map[string]Metadata) []byte {
	b := []byte(packFormat)
	for _, key := range slices.Sorted(maps.Keys(m)) {
		v := m[key]
		b = appendString(b, key)
		b = binary.AppendUvarint(b, map[bool]uint64{true: 1}[v.Guaranteed])
		b = appendString(b, v.Origin)
		b = binary.AppendUvarint(b, uint64(len(v.Core)))
		b = append(b, v.Core...)
	}
	return b
}

// decodePack never returns nil; what cannot be read is left out. It keeps b, which
// must not change any more.
func decodePack(b []byte) map[string]Metadata {
	d := flatDecoder{s: asString(b)}
	m := map[string]Metadata{}
	if d.bytes(len(packFormat)) != packFormat {
		return m
	}
	for d.s != "" {
		key := d.str()
		v := Metadata{Guaranteed: d.num() == 1, Origin: d.str()}
		n := d.count(1)
		at := len(b) - len(d.s)
		d.bytes(n)
		if d.short {
			break
		}
		v.Core = b[at : at+n : at+n]
		m[key] = v
	}
	return m
}
