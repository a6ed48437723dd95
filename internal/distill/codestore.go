package distill

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"

	"github.com/r-seed-1713b764/distill/internal/bytecode"
	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
)

const codeBucket = "bytecode"

// codeEntry is the byte code of one package in the cache: for each module a length of four
// bytes, 0 for one that can't be compiled, and the SHA256; then all the code.
type codeEntry struct {
	entry   *cache.Entry
	modules []codePart
}

type codePart struct {
	at, size int64
	sum      [sha256.Size]byte
}

const codeHead = 4 + sha256.Size

// openCode returns what is kept of a job, nil if there is nothing, or it is damaged.
func (h *Host) openCode(j job) *codeEntry {
	e, ok := h.Cache.OpenEntry(codeBucket, j.key)
	if !ok {
		return nil
	}
	c := &codeEntry{entry: e}
	if !c.read(len(j.modules)) {
		e.Close()
		h.Cache.Delete(codeBucket, j.key)
		return nil
	}
	return c
}

// read fills in the modules; it is false if not all of it is as it was written.
func (c *codeEntry) read(n int) bool {
	at := int64(n) * codeHead
	if at > c.entry.Size() {
		return false
	}
	head := make([]byte, at)
	if m, err := c.entry.ReadAt(head, 0); m < len(head) || err != nil && err != io.EOF {
		return false
	}
	for i := range n {
		p := codePart{at: at, size: int64(binary.LittleEndian.Uint32(head[i*codeHead:]))}
		copy(p.sum[:], head[i*codeHead+4:])
		if at += p.size; at > c.entry.Size() {
			return false
		}
		sum := sha256.New()
		if m, err := io.Copy(sum, c.section(p)); err != nil || m != p.size || !bytes.Equal(sum.Sum(nil), p.sum[:]) {
			return false
		}
		c.modules = append(c.modules, p)
	}
	return at == c.entry.Size()
}

func (c *codeEntry) section(p codePart) *io.SectionReader {
	return io.NewSectionReader(c.entry, p.at, p.size)
}

// Close ends reading of the files.
func (c *codeEntry) Close() error {
	c.entry.Close()
	return nil
}

// files are the code of a job where the plan wants it.
func (c *codeEntry) files(j job) []*files.File {
	var out []*files.File
	for i, p := range c.modules {
		if p.size == 0 {
			continue
		}
		out = append(out, &files.File{
			Path: j.modules[i].Path, Mode: 0o644, Size: p.size, SHA256: hex.EncodeToString(p.sum[:]),
			Content: codeContent{c, p},
		})
	}
	return out
}

type codeContent struct {
	from *codeEntry
	part codePart
}

// Open implements [files.Content].
func (c codeContent) Open() (io.ReadCloser, error) {
	return io.NopCloser(c.from.section(c.part)), nil
}

// putCode keeps what came of a job.
func (h *Host) putCode(j job, code []bytecode.Code) (*codeEntry, error) {
	var head, all []byte
	for _, c := range code {
		sum := sha256.Sum256(c.Data)
		head = binary.LittleEndian.AppendUint32(head, uint32(len(c.Data)))
		head = append(head, sum[:]...)
		all = append(all, c.Data...)
	}
	if err := h.Cache.Put(codeBucket, j.key, append(head, all...)); err != nil {
		return nil, err
	}
	if c := h.openCode(j); c != nil {
		return c, nil
	}
	return nil, unsupportedf("", "byte code of %s can't be read back from the cache", j.owner)
}
