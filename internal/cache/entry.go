package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	// entryMagic starts the file of a small entry; the digit is the format.
	entryMagic = "distill1"
	// maxEntry bounds a small entry: the largest are the facts of an image
	// layer, a few megabytes.
	maxEntry = 512 << 20
)

// Get returns a small entry stored under bucket ("metadata", "index", "facts")
// and key (any string); it is checked against a checksum kept with it. ok is
// false for an absent or damaged one.
func (d *Dir) Get(bucket, key string) (value []byte, ok bool) {
	name, err := d.entryName(bucket, key)
	if err != nil {
		return nil, false
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxEntry {
		return nil, false
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, false
	}
	value, ok = decodeEntry(key, data)
	if !ok {
		os.Remove(name)
		return nil, false
	}
	touch(name, info)
	return value, true
}

// Put stores a small entry, replacing what was there. The error wraps
// [ErrFolder]; a caller who can do without the entry may ignore it.
func (d *Dir) Put(bucket, key string, value []byte) error {
	name, err := d.entryName(bucket, key)
	if err != nil {
		return err
	}
	f, err := d.createTemp()
	if err != nil {
		return err
	}
	_, err = f.Write(entryHeader(key, value))
	if err == nil {
		_, err = f.Write(value)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(f.Name())
		return d.fail(err)
	}
	if err := d.place(f.Name(), name); err != nil {
		os.Remove(f.Name())
		return err
	}
	return nil
}

// Delete removes a small entry; an absent one is no error.
func (d *Dir) Delete(bucket, key string) {
	if name, err := d.entryName(bucket, key); err == nil {
		os.Remove(name)
	}
}

// entryHeader returns what precedes the value: magic, sha256 of the rest,
// length of the key, key.
func entryHeader(key string, value []byte) []byte {
	k := append(binary.AppendUvarint(nil, uint64(len(key))), key...)
	h := sha256.New()
	h.Write(k)
	h.Write(value)
	out := h.Sum([]byte(entryMagic))
	return append(out, k...)
}

// decodeEntry returns the value in the file of an entry if it belongs to key and
// is undamaged.
func decodeEntry(key string, data []byte) (value []byte, ok bool) {
	rest, ok := bytes.CutPrefix(data, []byte(entryMagic))
	if !ok || len(rest) < sha256.Size {
		return nil, false
	}
	want, rest := rest[:sha256.Size], rest[sha256.Size:]
	if got := sha256.Sum256(rest); !bytes.Equal(got[:], want) {
		return nil, false
	}
	n, w := binary.Uvarint(rest)
	if w <= 0 || n > uint64(len(rest)-w) || string(rest[w:w+int(n)]) != key {
		return nil, false
	}
	return rest[w+int(n):], true
}

func (d *Dir) entryName(bucket, key string) (string, error) {
	switch bucket {
	case "", blobFolder, tempFolder, rootFolder, logFolder, lockFolder:
		return "", fmt.Errorf("%q is not the name of a cache bucket", bucket)
	}
	if strings.Trim(bucket, "abcdefghijklmnopqrstuvwxyz-") != "" {
		return "", fmt.Errorf("%q is not the name of a cache bucket", bucket)
	}
	name := keyName(key)
	return filepath.Join(d.path, bucket, name[:2], name), nil
}

// keyName turns any key into something that can be the name of a file.
func keyName(key string) string {
	h := sha256.Sum256([]byte(key))
	return hex.EncodeToString(h[:])
}
