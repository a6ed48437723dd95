package image

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/cache"
)

const (
	factsBucket = "facts"
	// factsVersion changes whenever the facts of a layer would be others, or
	// are stored in another way.
	factsVersion = "1"
	// maxFacts bounds what is decompressed from the cache.
	maxFacts = 1 << 30
)

// layer is a layer of an image whose content can be read again.
type layer struct {
	desc   v1.Descriptor
	diffID v1.Hash
	source *Source
	budget *budget
	facts  *facts
}

// named puts the layer before an error that is about its content.
func (l *layer) named(err error) error {
	if err == nil || errors.Is(err, cache.ErrFolder) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("layer %s: %w", l.desc.Digest, err)
}

// load reads one platform.
func (s *Source) load(ctx context.Context, v variant) (*Image, error) {
	doc, err := loadDocument(ctx, s.store, v.desc)
	if err != nil {
		return nil, err
	}
	if doc.manifest == nil {
		return nil, damaged("document %s is an index where a manifest is expected", v.desc.Digest)
	}
	config, err := loadConfig(ctx, s.store, doc.manifest)
	if err != nil {
		return nil, err
	}
	if p := NormalPlatform(*config.Platform()); p.OS != v.platform.OS || p.Architecture != v.platform.Architecture {
		return nil, damaged("manifest %s is listed for %s, but its configuration is for %s", v.desc.Digest, platformName(v.platform), platformName(p))
	}
	img := &Image{Platform: v.platform, Digest: v.desc.Digest, Config: config, Manifest: doc.manifest, source: s}
	var spent budget
	for i, d := range doc.manifest.Layers {
		if err := checkLayerType(d); err != nil {
			return nil, err
		}
		img.layers = append(img.layers, &layer{desc: d, diffID: config.RootFS.DiffIDs[i], source: s, budget: &spent})
	}
	if img.V1, err = s.newV1(ctx, v.desc, img); err != nil {
		return nil, err
	}
	if err := s.loadLayers(ctx, img); err != nil {
		return nil, err
	}
	var tree overlay
	for _, l := range img.layers {
		if err := tree.add(l, l.facts); err != nil {
			return nil, l.named(err)
		}
		l.facts, l.budget = nil, new(budget) // the tree has what is left of them
	}
	img.Files = tree.set()
	return img, nil
}

// loadLayers gets the facts of all layers, large ones first, so that no large one is left
// alone at the end.
func (s *Source) loadLayers(ctx context.Context, img *Image) error {
	var total int64
	for _, l := range img.layers {
		total += l.desc.Size
	}
	var done atomic.Int64
	progress := func(n int64) {
		if now := done.Add(n); s.opts.Progress != nil {
			s.opts.Progress(platformName(img.Platform), now, total)
		}
	}
	order := slices.Clone(img.layers)
	slices.SortStableFunc(order, func(a, b *layer) int { return cmp.Compare(b.desc.Size, a.desc.Size) })
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(cap(s.slots))
	for _, l := range order {
		g.Go(func() error {
			return l.named(s.loadLayer(ctx, l, progress))
		})
	}
	return g.Wait()
}

// loadLayer gets the facts of one layer, from the cache if it has them. Two images that
// have a layer in common read it once.
func (s *Source) loadLayer(ctx context.Context, l *layer, progress func(int64)) error {
	if err := s.store.probe(l.desc); err != nil {
		return err
	}
	key := s.factsKey(l)
	defer s.opts.Cache.Lock(factsBucket + key)()
	if l.facts = s.cached(key); l.facts != nil {
		progress(l.desc.Size)
		return l.budget.addAll(l.facts)
	}
	s.slots <- struct{}{}
	defer func() { <-s.slots }()
	hold := s.hold.Get().(*[]byte)
	defer s.hold.Put(hold)
	record := newRecorder()
	st, err := l.openStream(ctx, progress, record)
	if err != nil {
		return err
	}
	defer st.close()
	if l.facts, err = walk(st, s.opts.Probe, s.opts.Cache, hold); err != nil {
		return blame(st.cause(err))
	}
	s.keep(key, l.facts)
	if points := record.bytes(); points != nil {
		_ = s.opts.Cache.Put(factsBucket, pointsKey(l.desc, l.diffID), points)
	}
	return nil
}

func (s *Source) factsKey(l *layer) string {
	probe := ""
	if s.opts.Probe != nil {
		probe = s.opts.Probe.Version()
	}
	return strings.Join([]string{factsVersion, l.desc.Digest.String(), l.diffID.String(), probe}, " ")
}

// cached returns facts that this run or an earlier one has found, or nil.
func (s *Source) cached(key string) *facts {
	s.mu.Lock()
	f := s.loaded[key]
	s.mu.Unlock()
	if f != nil {
		return f
	}
	data, ok := s.opts.Cache.Get(factsBucket, key)
	if !ok {
		return nil
	}
	text, err := expand(data)
	if err != nil {
		return nil
	}
	if f, err = decodeFacts(text); err != nil {
		return nil
	}
	s.remember(key, f)
	return f
}

func (s *Source) remember(key string, f *facts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded[key] = f
}

// keep stores facts for later runs. A cache that takes nothing more costs time then, and
// is no reason to stop now.
func (s *Source) keep(key string, f *facts) {
	s.remember(key, f)
	if data, err := shrink(f.storedSize(), f.writeTo); err == nil {
		_ = s.opts.Cache.Put(factsBucket, key, data)
	}
}

// shrink compresses the size bytes that write writes, for the cache.
func shrink(size int64, write func(io.Writer) error) ([]byte, error) {
	var out bytes.Buffer
	out.Write(binary.AppendUvarint(nil, uint64(size)))
	w, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(write(w), w.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// expand is the reverse of shrink. The text takes no more memory than it has bytes.
func expand(data []byte) (string, error) {
	size, n := binary.Uvarint(data)
	if n <= 0 || size > maxFacts {
		return "", errFacts
	}
	r, err := zstd.NewReader(bytes.NewReader(data[n:]), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxFacts))
	if err != nil {
		return "", err
	}
	defer r.Close()
	var text strings.Builder
	text.Grow(int(size))
	if _, err := io.Copy(&text, io.LimitReader(r, int64(size)+1)); err != nil {
		return "", err
	}
	if text.Len() != int(size) {
		return "", errFacts
	}
	return text.String(), nil
}
