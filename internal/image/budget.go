package image

import "sync/atomic"

const (
	// maxBytes is the most that a layer, the decompressed layers of an image, and
	// its files may have.
	maxBytes = 64 << 30
	// maxEntries is the most entries that the layers of an image may have.
	maxEntries = 2_000_000
	// maxFactsBytes is the most that is remembered of an image: 80 bytes for each
	// of the most entries. Images with 80,000 files need 30 MB.
	maxFactsBytes = 160 << 20
	// maxKept is the most content that a layer, and four times that an image, may have
	// kept in memory; what is beyond is read again when it is opened.
	maxKept = 32 << 20
)

// budget is what all layers of an image may use together. It is shared by the
// goroutines that read them.
type budget struct {
	entries, files, stream, facts, kept atomic.Int64
}

func (b *budget) addEntries(n int64) error {
	if b.entries.Add(n) > maxEntries {
		return damaged("image has more than %d entries", maxEntries)
	}
	return nil
}

func (b *budget) addFile(size int64) error {
	if size > maxBytes || b.files.Add(size) > maxBytes {
		return damaged("image has files of more than %d bytes", int64(maxBytes))
	}
	return nil
}

func (b *budget) addStream(n int64) error {
	if b.stream.Add(n) > maxBytes {
		return damaged("image has more than %d bytes when decompressed", int64(maxBytes))
	}
	return nil
}

func (b *budget) addFacts(n int64) error {
	if b.facts.Add(n) > maxFactsBytes {
		return damaged("image has names, links and attributes of more than %d bytes", maxFactsBytes)
	}
	return nil
}

// keep tells whether n more bytes may be kept.
func (b *budget) keep(n int64) bool {
	if b.kept.Add(n) <= 4*maxKept {
		return true
	}
	b.kept.Add(-n)
	return false
}

// addAll spends what a layer costs that is known already.
func (b *budget) addAll(f *facts) error {
	for _, err := range []error{b.addEntries(int64(f.entries)), b.addFile(f.bytes), b.addStream(f.extent), b.addFacts(f.size())} {
		if err != nil {
			return err
		}
	}
	return nil
}
