// Command resolveindex is the package index that bench/resolve.py measures against. It
// listens on loopback only, counts requests, and behaves in one of three ways:
//
//	mirror  hands every request on to the real index, so that it is as slow and as
//	        frugal with headers as that one is
//	record  keeps the pages and metadata of the real index, and serves them as an
//	        index should: ETag, max-age, 304, gzip, .metadata of all wheels (PEP 658)
//	world   makes packages up (world.go)
//
// It prints its URL. GET /-/counts tells how many requests came since the last time.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

func main() {
	mode := flag.String("mode", "record", "mirror, record or world")
	store := flag.String("store", "", "folder of what was recorded")
	spec := flag.String("world", "", "FAMILY:SIZE of the made-up packages")
	age := flag.Int("max-age", 600, "seconds that pages stay fresh")
	delay := flag.Duration("delay", 0, "how long each answer is held back")
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	self := "http://" + listener.Addr().String()
	var h http.Handler
	switch *mode {
	case "mirror":
		h = newUpstream(self)
	case "record":
		h, err = newRecorder(*store, self, *age)
	case "world":
		h, err = newWorld(*spec, *age)
	default:
		err = fmt.Errorf("mode %q is unknown", *mode)
	}
	if err != nil {
		log.Fatal(err)
	}
	if _, err := fmt.Fprintln(os.Stdout, self+"/simple/"); err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, &counter{next: h, delay: *delay, counts: map[string]int{}})) //nolint:gosec // loopback
}

// counter counts what comes in, by kind, and holds answers back.
type counter struct {
	next  http.Handler
	delay time.Duration

	mu     sync.Mutex
	counts map[string]int
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/-/counts" {
		c.mu.Lock()
		defer c.mu.Unlock()
		if err := json.NewEncoder(w).Encode(c.counts); err != nil {
			log.Print(err)
		}
		clear(c.counts)
		return
	}
	c.count(kind(r))
	time.Sleep(c.delay)
	c.next.ServeHTTP(&noting{w, c}, r)
}

func (c *counter) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[what]++
}

// kind sorts requests: pages, metadata files, looks at a file's head, parts of
// files, files.
func kind(r *http.Request) string {
	switch {
	case strings.HasPrefix(r.URL.Path, "/simple/"):
		return "page"
	case strings.HasSuffix(r.URL.Path, ".metadata"):
		return "metadata"
	case r.Method == http.MethodHead:
		return "head"
	case r.Header.Get("Range") != "":
		return "range"
	}
	return "file"
}

// noting counts answers 304 beside the requests.
type noting struct {
	http.ResponseWriter
	c *counter
}

func (n *noting) WriteHeader(status int) {
	if status == http.StatusNotModified {
		n.c.count("304")
	}
	n.ResponseWriter.WriteHeader(status)
}
