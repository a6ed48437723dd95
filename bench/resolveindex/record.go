package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/pypi"
)

// recorder serves what it keeps of the default index, and asks that for what it
// has not yet. A run that is measured comes after one that is not.
type recorder struct {
	folder string
	self   string
	age    int
	up     *upstream
	client *pypi.Client // gets METADATA out of wheels

	mu    sync.Mutex
	pages map[string]*page
	metas map[string][]byte
}

func newRecorder(folder, self string, age int) (*recorder, error) {
	dir, err := cache.Open(filepath.Join(folder, "cache"))
	if err != nil {
		return nil, err
	}
	return &recorder{
		folder: folder, self: self, age: age, up: newUpstream("SELF"), client: &pypi.Client{Cache: dir},
		pages: map[string]*page{}, metas: map[string][]byte{},
	}, nil
}

func (c *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if name, ok := project(r); ok {
		p, status, err := c.page(r, name)
		if p == nil {
			fail(w, status, err)
			return
		}
		p.serve(w, r, c.age)
		return
	}
	at, ok := target(r)
	if !ok {
		http.NotFound(w, r)
		return
	}
	wheel, isMeta := strings.CutSuffix(at, ".metadata")
	if !isMeta {
		c.up.ServeHTTP(w, r)
		return
	}
	b, err := c.metadata(r, wheel)
	if err != nil {
		fail(w, 0, err)
		return
	}
	w.Header().Set("Cache-Control", "max-age=31536000, immutable")
	send(w, b)
}

// page returns a page from memory, from the folder or from the index.
func (c *recorder) page(r *http.Request, name string) (*page, int, error) {
	c.mu.Lock()
	p := c.pages[name]
	c.mu.Unlock()
	if p != nil {
		return p, 0, nil
	}
	b, err := c.kept("page "+name, func() ([]byte, error) {
		status, b, err := c.up.page(r, name)
		if status == http.StatusNotFound {
			return nil, os.ErrNotExist
		}
		if err == nil {
			b, err = withMetadata(b)
		}
		return b, err
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil, http.StatusNotFound, nil
	}
	if err != nil {
		return nil, 0, err
	}
	p = newPage([]byte(strings.ReplaceAll(string(b), "SELF/files/", c.self+"/files/")))
	c.mu.Lock()
	c.pages[name] = p
	c.mu.Unlock()
	return p, 0, nil
}

// withMetadata makes a page offer the metadata of all wheels.
func withMetadata(b []byte) ([]byte, error) {
	var page map[string]any
	if err := json.Unmarshal(b, &page); err != nil {
		return nil, err
	}
	files, _ := page["files"].([]any)
	for _, one := range files {
		f, _ := one.(map[string]any)
		if name, _ := f["filename"].(string); strings.HasSuffix(name, ".whl") {
			f["core-metadata"] = true
		}
	}
	return json.Marshal(page)
}

// metadata returns the header lines of a wheel's METADATA that decide about
// dependencies.
func (c *recorder) metadata(r *http.Request, wheel string) ([]byte, error) {
	c.mu.Lock()
	b, ok := c.metas[wheel]
	c.mu.Unlock()
	if ok {
		return b, nil
	}
	b, err := c.kept("metadata "+wheel, func() ([]byte, error) {
		// Kept even if the caller has gone: a tool that leaves with questions open
		// would otherwise wait for the real index in every run.
		m, err := c.client.Metadata(context.WithoutCancel(r.Context()), pypi.File{Name: wheel[strings.LastIndexByte(wheel, '/')+1:], URL: wheel})
		return m.Core, err
	})
	if err == nil {
		c.mu.Lock()
		c.metas[wheel] = b
		c.mu.Unlock()
	}
	return b, err
}

// kept returns what is kept under a key, getting it first if there is nothing.
func (c *recorder) kept(key string, get func() ([]byte, error)) ([]byte, error) {
	sum := sha256.Sum256([]byte(key))
	file := filepath.Join(c.folder, hex.EncodeToString(sum[:16]))
	b, err := os.ReadFile(file)
	if !errors.Is(err, os.ErrNotExist) {
		return b, err
	}
	if b, err = get(); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if err := os.WriteFile(file+".part", b, 0o644); err != nil {
		return nil, err
	}
	return b, os.Rename(file+".part", file)
}
