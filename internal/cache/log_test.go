//go:build unix

package cache_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/cache"
)

func createLog(t *testing.T, d *cache.Dir, name string) *cache.Log {
	t.Helper()
	l, err := d.CreateLog(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func keep(t *testing.T, l *cache.Log) (path, text string) {
	t.Helper()
	path, err := l.Keep()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, string(data)
}

func TestLogIsKeptOrDropped(t *testing.T) {
	d := open(t)
	l := createLog(t, d, "h5py-3.11-linux-arm64")
	fmt.Fprintf(l, "one\n")
	if data, _ := os.ReadFile(l.Name()); string(data) != "one\n" {
		t.Errorf("while it is written it holds %q", data)
	}
	fmt.Fprintf(l, "two\n")
	path, text := keep(t, l)
	if path != filepath.Join(d.Path(), "logs", "h5py-3.11-linux-arm64.log") || text != "one\ntwo\n" || path != l.Name() {
		t.Errorf("%s holds %q", path, text)
	}
	l.Drop()
	fmt.Fprintf(l, "three\n")
	if again, text := keep(t, l); again != path || text != "one\ntwo\n" {
		t.Errorf("%s holds %q", again, text)
	}

	l = createLog(t, d, "h5py-3.11-linux-arm64")
	fmt.Fprintf(l, "new\n")
	if again, text := keep(t, l); again != path || text != "new\n" {
		t.Errorf("%s holds %q", again, text)
	}
	l = createLog(t, d, "h5py-3.11-linux-arm64")
	l.Drop()
	l.Drop()
	if there(path) {
		t.Error("it is still there")
	}
}

func TestLogNames(t *testing.T) {
	d := open(t)
	for name, want := range map[string]string{
		"a b/../\x1b[31mc": "a-b-..---31mc", "../../etc/x": "-..-etc-x", "..": "log", "": "log", "é+_": "-+_",
		strings.Repeat("x", 300): strings.Repeat("x", 200),
	} {
		l := createLog(t, d, name)
		if got := l.Name(); got != filepath.Join(d.Path(), "logs", want+".log") {
			t.Errorf("%q is written to %s, not %s", name, got, want)
		}
		l.Drop()
	}
}

func TestLogsOfOneName(t *testing.T) {
	d := open(t)
	p := start(t, d, "log", "name")
	second := createLog(t, d, "name")
	third := createLog(t, d, "name")
	if filepath.Base(second.Name()) != "name.2.log" || filepath.Base(third.Name()) != "name.3.log" {
		t.Errorf("%s and %s", second.Name(), third.Name())
	}
	third.Drop()
	if u, err := d.Clean(t.Context()); err != nil || u.Files != 0 {
		t.Errorf("removed what is being written: %v, %v", u, err)
	}
	p.finish(t)
	fmt.Fprint(second, "text")
	keep(t, second)
	if list, err := d.Info(t.Context()); err != nil || len(list) != 1 || list[0] != (cache.Usage{Part: "logs", Files: 1, Bytes: 4}) {
		t.Errorf("%v, %v", list, err)
	}
	old := time.Now().Add(-31 * 24 * time.Hour)
	foreign := filepath.Join(d.Path(), "logs", "notes.txt")
	os.WriteFile(foreign, nil, 0o600)
	os.Chtimes(foreign, old, old)
	os.Chtimes(second.Name(), old, old)
	createLog(t, d, "another").Drop()
	if there(second.Name()) || !there(foreign) {
		t.Error("an old log stays, or something else goes")
	}
	keep(t, createLog(t, d, "name"))
	if u, err := d.Prune(t.Context(), time.Now().Add(-time.Hour)); err != nil || u.Files != 0 {
		t.Errorf("pruned a new one: %v, %v", u, err)
	}
	if u, err := d.Prune(t.Context(), time.Now().Add(time.Hour)); err != nil || u.Files != 1 || !there(foreign) {
		t.Errorf("%v, %v", u, err)
	}
}

func TestLongLog(t *testing.T) {
	d := open(t)
	l := createLog(t, d, "long")
	defer l.Drop()
	line := []byte(strings.Repeat("x", 1<<20-1) + "\n")
	for range 40 {
		if n, err := l.Write(line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	fmt.Fprint(l, "error: the end\n")
	_, text := keep(t, l)
	if len(text) > 33<<20 || !strings.HasSuffix(text, "x\nerror: the end\n") || !strings.Contains(text, "\n[distill: 8126479 bytes left out here]\nx") {
		t.Errorf("%d bytes, the end is %q", len(text), text[len(text)-100:])
	}
	if bytes.Count([]byte(text[:1<<20+1]), []byte("\n")) != 1 {
		t.Error("the beginning is not as it was written")
	}
}

func TestLogInABadFolder(t *testing.T) {
	d := open(t)
	os.WriteFile(filepath.Join(d.Path(), "logs"), nil, 0o600)
	if _, err := d.CreateLog("x"); !errors.Is(err, cache.ErrFolder) {
		t.Errorf("%v, want ErrFolder", err)
	}
}
