package pypi

import (
	"encoding/binary"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// answerFormat names the layout of the answers in the cache.
const answerFormat = "distill answers 3\n"

// forgetAnswers is the age at which an answer is dropped that nobody asked for
// again; its page is read anew then.
const forgetAnswers = 90 * 24 * time.Hour

// answerPack is what is known about the answers of one host. In the cache they
// stand together and apart from the pages: "not modified" rewrites no page, and a
// hundred of them write one file, at the end.
type answerPack struct {
	once  sync.Once
	mu    sync.Mutex
	m     map[string]answer // by the key of the page
	dirty map[string]bool   // what this client learned
}

// answerPacks are those that a client has read, by host.
type answerPacks struct {
	mu sync.Mutex
	m  map[string]*answerPack
}

func answersKey(host string) string { return "answers " + host }

// answers returns the pack of a URL's host, reading it from the cache at first.
func (c *Client) answers(at *url.URL) *answerPack {
	k := &c.state.answers
	host := at.Scheme + "://" + at.Host
	k.mu.Lock()
	if k.m == nil {
		k.m = map[string]*answerPack{}
	}
	p := k.m[host]
	if p == nil {
		p = &answerPack{dirty: map[string]bool{}}
		k.m[host] = p
	}
	k.mu.Unlock()
	p.once.Do(func() {
		b, _ := c.Cache.Get("index", answersKey(host))
		p.m = decodeAnswers(b)
	})
	return p
}

// readAnswer returns what is known about the last answer at a URL.
func (c *Client) readAnswer(at *url.URL, key string) (a answer, ok bool) {
	p := c.answers(at)
	p.mu.Lock()
	defer p.mu.Unlock()
	a, ok = p.m[key]
	return a, ok
}

// noteAnswer notes when an answer came and how long it holds, by its header, nil
// for one that is absent. It is false, and the page forgotten, if nothing of it
// may be kept. Flush writes it.
func (c *Client) noteAnswer(at *url.URL, key string, a answer, now time.Time, h http.Header) bool {
	a.fetched, a.fresh = now, absentFreshness
	stored := true
	if h != nil {
		if a.fresh, stored = freshness(h); !stored {
			c.Cache.Delete("index", key)
		}
		if v := validator(h, "ETag"); v != "" {
			a.etag = v
		}
		if v := validator(h, "Last-Modified"); v != "" {
			a.lastModified = v
		}
	}
	p := c.answers(at)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dirty[key] = true
	if stored {
		p.m[key] = a
	} else {
		delete(p.m, key)
	}
	return stored
}

// flushAnswers writes what was learned, beside what others wrote meanwhile.
func (c *Client) flushAnswers() {
	k := &c.state.answers
	k.mu.Lock()
	defer k.mu.Unlock()
	for host, p := range k.m {
		p.mu.Lock()
		if len(p.dirty) > 0 {
			b, _ := c.Cache.Get("index", answersKey(host))
			all := decodeAnswers(b)
			var latest time.Time
			for key := range p.dirty {
				if a, ok := p.m[key]; ok {
					all[key] = a
					latest = later(latest, a.fetched)
				} else {
					delete(all, key)
				}
			}
			maps.DeleteFunc(all, func(_ string, a answer) bool { return a.fetched.Before(latest.Add(-forgetAnswers)) })
			if err := c.Cache.Put("index", answersKey(host), encodeAnswers(all)); err != nil {
				c.logf("%v", err)
			}
			clear(p.dirty)
		}
		p.mu.Unlock()
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func encodeAnswers(m map[string]answer) []byte {
	b := []byte(answerFormat)
	for _, key := range slices.Sorted(maps.Keys(m)) {
		a := m[key]
		b = appendString(b, key)
		b = binary.AppendUvarint(b, uint64(max(0, a.fetched.Unix())))
		b = binary.AppendUvarint(b, uint64(a.fresh/time.Second))
		b = appendString(b, a.etag)
		b = appendString(b, a.lastModified)
		b = binary.AppendUvarint(b, map[bool]uint64{true: 1}[a.absent])
		b = binary.LittleEndian.AppendUint32(b, a.page)
	}
	return b
}

// decodeAnswers never returns nil; what cannot be read is left out.
func decodeAnswers(b []byte) map[string]answer {
	d := flatDecoder{s: asString(b)}
	m := map[string]answer{}
	if d.bytes(len(answerFormat)) != answerFormat {
		return m
	}
	for d.s != "" {
		key := d.str()
		a := answer{fetched: time.Unix(int64(d.num()), 0)}
		a.fresh = time.Duration(min(d.num(), 1<<31)) * time.Second
		a.etag, a.lastModified = d.str(), d.str()
		a.absent = d.num() == 1
		a.page = d.fixed()
		if d.short {
			break
		}
		m[key] = a
	}
	return m
}
