package pypi

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/transport"
)

// fileAt returns a row for data served at path.
func fileAt(ix *testIndex, path string, data []byte) File {
	return File{Name: "demo-1.0.zip", URL: ix.URL + path, Index: ix.simple(), Size: int64(len(data)), Hashes: map[string]string{"sha256": sha256Hex(data)}}
}

func download(t *testing.T, c *Client, f File) ([]byte, error) {
	t.Helper()
	r, size, digest, err := c.Download(t.Context(), f)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.NewSectionReader(r, 0, size))
	if err != nil || sha256Hex(b) != digest {
		t.Errorf("digest %s, content %s, %v", digest, sha256Hex(b), err)
	}
	return b, nil
}

// cutting serves data, but breaks the connection after n bytes of each answer.
func cutting(data []byte, n int, ranges bool) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		rest := data
		var lo int
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &lo); err == nil && ranges {
			rest = data[lo:]
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", lo, len(data)-1, len(data)))
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(rest)))
		if len(rest) < len(data) {
			w.WriteHeader(http.StatusPartialContent)
		}
		w.Write(rest[:min(n, len(rest))])
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*i>>7 ^ i)
	}
	return b
}

func TestDownloadResumes(t *testing.T) {
	data := noise(7 << 20)
	ix := newIndex(t)
	ix.pages["/resumes"] = cutting(data, 3<<20, true)
	ix.pages["/restarts"] = cutting(data, 8<<20, false)
	c := testClient(t, ix.simple())
	if got, err := download(t, c, fileAt(ix, "/resumes", data)); err != nil || !bytes.Equal(got, data) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	want := []string{"/resumes", "/resumes bytes=3145728-", "/resumes bytes=6291456-"}
	if got := ix.requests(); strings.Join(got, ",") != strings.Join(want, ",") {
		t.Errorf("requests %q", got)
	}
}

func TestDownloadGivesUpWithoutProgress(t *testing.T) {
	data := noise(1 << 20)
	for name, serve := range map[string]func(http.ResponseWriter, *http.Request){
		"always cut":  cutting(data, 1000, false),
		"no progress": cutting(data, 0, true),
		"a few bytes": cutting(data, 10, true),
		"stalls": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			w.Write(data[:10])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	} {
		ix := newIndex(t)
		ix.pages["/f"] = serve
		_, err := download(t, testClient(t, ix.simple()), fileAt(ix, "/f", data))
		if !errors.Is(err, transport.ErrNetwork) || !strings.Contains(err.Error(), "demo-1.0.zip") {
			t.Errorf("%s: got %v", name, err)
		}
		if n := len(ix.requests()); n > 4 {
			t.Errorf("%s: %d requests", name, n)
		}
	}
}

func TestPiecesThatDoNotFitAreFetchedAgain(t *testing.T) {
	data, old := noise(3<<20), make([]byte, 3<<20)
	ix := newIndex(t)
	n := 0
	ix.pages["/f"] = func(w http.ResponseWriter, r *http.Request) {
		if n++; n == 1 { // the beginning of another version
			cutting(old, 2<<20, true)(w, r)
			return
		}
		cutting(data, 9<<20, true)(w, r)
	}
	if got, err := download(t, testClient(t, ix.simple()), fileAt(ix, "/f", data)); err != nil || !bytes.Equal(got, data) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func TestEveryHashMustFit(t *testing.T) {
	data := noise(1000)
	md5sum, sha := md5.Sum(data), sha512.Sum512(data)
	good := map[string]string{"sha256": sha256Hex(data), "md5": hex.EncodeToString(md5sum[:]), "sha512": hex.EncodeToString(sha[:])}
	ix := newIndex(t)
	ix.files["/f"] = data
	for _, bad := range []string{"", "sha256", "md5", "sha512", "size"} {
		f := fileAt(ix, "/f", data)
		f.Hashes = map[string]string{}
		for k, v := range good {
			f.Hashes[k] = v
			if k == bad {
				f.Hashes[k] = strings.Repeat("0", len(v))
			}
		}
		if bad == "size" {
			f.Size--
		}
		c := testClient(t, ix.simple())
		_, err := download(t, c, f)
		if bad == "" {
			if err != nil {
				t.Error(err)
			}
			ix.requests()
			if _, err := download(t, c, f); err != nil || len(ix.requests()) != 0 {
				t.Errorf("second time: %v", err)
			}
			continue
		}
		if !errors.Is(err, ErrHash) {
			t.Errorf("%s: got %v", bad, err)
			continue
		}
		for _, part := range []string{f.Name, f.Index, bad} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: message %q lacks %q", bad, err, part)
			}
		}
	}
}

func TestFileInTheCacheStillHasToFitAllHashes(t *testing.T) {
	data := noise(1000)
	ix := newIndex(t)
	ix.files["/f"] = data
	c := testClient(t, ix.simple())
	f := fileAt(ix, "/f", data)
	if _, err := download(t, c, f); err != nil {
		t.Fatal(err)
	}
	f.Hashes["md5"] = strings.Repeat("0", 32)
	if _, err := download(t, c, f); !errors.Is(err, ErrHash) {
		t.Errorf("got %v", err)
	}
	f = fileAt(ix, "/f", data)
	f.Size = 5
	if _, err := download(t, c, f); !errors.Is(err, ErrHash) {
		t.Errorf("got %v", err)
	}
}

func TestFileWithoutAStrongHashIsFoundAgainOffline(t *testing.T) {
	data := noise(1000)
	ix := newIndex(t)
	ix.files["/f"] = data
	c := testClient(t, ix.simple())
	f := fileAt(ix, "/f", data)
	f.Hashes, f.Size = map[string]string{}, 0
	if _, err := download(t, c, f); err != nil {
		t.Fatal(err)
	}
	off := clientWith(t, c.Cache, ix.simple())
	off.Offline = true
	if _, err := download(t, off, f); err != nil {
		t.Error(err)
	}
}

func TestCancelledDownloadDoesNotHurtOthers(t *testing.T) {
	data := noise(1000)
	ix := newIndex(t)
	started, release := make(chan struct{}, 8), make(chan struct{})
	ix.pages["/f"] = func(w http.ResponseWriter, _ *http.Request) {
		started <- struct{}{}
		<-release
		w.Write(data)
	}
	c := testClient(t, ix.simple())
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, _, _, err := c.Download(ctx, fileAt(ix, "/f", data))
		first <- err
	}()
	<-started
	second := make(chan error)
	go func() {
		r, _, _, err := c.Download(t.Context(), fileAt(ix, "/f", data))
		if err == nil {
			r.Close()
		}
		second <- err
	}()
	time.Sleep(20 * time.Millisecond)
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("first: %v", err)
	}
	close(release)
	if err := <-second; err != nil {
		t.Errorf("second: %v", err)
	}
}

func TestParseContentRange(t *testing.T) {
	for in, want := range map[string][3]int64{
		"bytes 0-99/200": {0, 99, 200}, " bytes 5-5/*": {5, 5, -1},
		"bytes 9-5/20": {}, "bytes 0-20/20": {}, "bytes */20": {}, "items 0-1/2": {}, "bytes 0-1": {}, "bytes -1-2/3": {}, "bytes 0-1/x": {},
	} {
		lo, hi, size, ok := parseContentRange(in)
		if ok != (want != [3]int64{}) || ok && [3]int64{lo, hi, size} != want {
			t.Errorf("%q: got %d %d %d %v", in, lo, hi, size, ok)
		}
	}
}
