package wheelhouse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/r-seed-1713b764/distill/internal/build"
	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/wheelcache"
)

// bucket is where the local cache keeps entries.
const bucket = "built"

// entry is what is known under a key: a wheel, or what the back end asks for beside
// pyproject.toml before it can make one.
type entry struct {
	Record json.RawMessage `json:"record"`
	Asked  []string        `json:"asked,omitempty"`
	File   string          `json:"file,omitempty"`
	Digest string          `json:"digest,omitempty"`
	Size   int64           `json:"size,omitempty"`
}

func (e *entry) isWheel() bool { return e.Digest != "" }

func (e *entry) wheel() *Wheel { return &Wheel{FileName: e.File, Digest: e.Digest, Size: e.Size} }

// recall asks the local cache, and then the shared one. What others built is judged as
// what was built here.
func (h *House) recall(ctx context.Context, r *Ready, target int, key string, text []byte) (*entry, error) {
	if e := h.recallLocal(key, text); e != nil {
		return e, nil
	}
	if h.o.Remote == nil {
		return nil, nil
	}
	got, err := h.o.Remote.Fetch(ctx, key, text, h.o.Cache)
	switch {
	case errors.Is(err, wheelcache.ErrAbsent):
		return nil, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, cache.ErrFolder):
		return nil, err
	case err != nil:
		h.warnOnce("the wheel cache is left out: " + err.Error())
		return nil, nil
	}
	e := &entry{Record: text, Asked: got.Asked, File: got.FileName, Digest: got.Digest, Size: got.Size}
	if e.isWheel() {
		if err := h.fits(r, target, e); err != nil {
			h.warnOnce(fmt.Sprintf("%s of the wheel cache is left out: %v", e.File, err))
			return nil, nil
		}
	}
	return e, h.putLocal(key, e)
}

// fits tells why a wheel from elsewhere can't be the one of an order.
func (h *House) fits(r *Ready, target int, e *entry) error {
	name, err := python.ParseWheelName(e.File)
	if err != nil {
		return err
	}
	if name.Name != r.Name || name.Version.Compare(r.Version) != 0 {
		return fmt.Errorf("it is no wheel of %s", r.title())
	}
	if _, ok := h.o.Platforms[target].Env.Python.Tags.Rank(name); !ok {
		return fmt.Errorf("it does not fit %s", h.o.Platforms[target].Name)
	}
	_, err = h.o.Examine(target, &build.Built{FileName: e.File, Digest: e.Digest, Size: e.Size}, false)
	return err
}

func (h *House) recallLocal(key string, text []byte) *entry {
	data, ok := h.o.Cache.Get(bucket, key)
	if !ok {
		return nil
	}
	var e entry
	if json.Unmarshal(data, &e) != nil || string(e.Record) != string(text) {
		return nil
	}
	if e.isWheel() {
		blob, err := h.o.Cache.OpenBlob(e.Digest) // which removes a damaged one
		if err != nil {
			return nil
		}
		blob.Close()
	}
	return &e
}

func (h *House) putLocal(key string, e *entry) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return h.o.Cache.Put(bucket, key, data)
}

// remember stores an entry in both caches.
func (h *House) remember(ctx context.Context, key string, e *entry, emulated bool) error {
	if err := h.putLocal(key, e); err != nil {
		return err
	}
	return h.share(ctx, key, e, emulated)
}

// share stores an entry in the shared cache. That others can't have it is no reason to
// fail.
func (h *House) share(ctx context.Context, key string, e *entry, emulated bool) error {
	if h.o.Remote == nil {
		return nil
	}
	err := h.o.Remote.Store(ctx, key, wheelcache.Entry{
		Record: e.Record, Asked: e.Asked, FileName: e.File, Digest: e.Digest, Size: e.Size, Emulated: emulated,
	}, h.o.Cache)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, cache.ErrFolder) {
		return err
	}
	if err != nil && (e.isWheel() || !errors.Is(err, wheelcache.ErrDiffers)) { // an answer may be shorter than the next
		h.warnOnce("built wheels are not shared: " + err.Error())
	}
	return nil
}
