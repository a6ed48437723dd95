package inspect

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/elfdeps/elftest"
	"github.com/r-seed-1713b764/distill/internal/files"
)

// sample is an image as text, in the format of txtar: "-- path --" and below it
// the content of a file. Sections that are no files:
//
//	env      lines of the image's environment
//	links    PATH -> TARGET
//	elf      PATH and what it is, see elfFile
//	record   PATH, then files that its RECORD lists with right digests
//	want     what Read finds
type sample struct {
	env  []string
	set  files.Set
	want string
}

func readSample(t testing.TB, name string) sample {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return parseSample(string(b))
}

func parseSample(text string) sample {
	sections := map[string]string{}
	name := ""
	for line := range strings.Lines(text) {
		if n, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "-- "); ok && strings.HasSuffix(n, " --") {
			name = strings.TrimSuffix(n, " --")
			sections[name] = ""
			continue
		}
		sections[name] += line
	}
	s := sample{want: sections["want"], env: strings.Fields(sections["env"])}
	content := map[string][]byte{}
	var list []*files.File
	for line := range strings.Lines(sections["links"]) {
		if from, to, ok := strings.Cut(strings.TrimSpace(line), " -> "); ok {
			list = append(list, &files.File{Path: from, Mode: fs.ModeSymlink | 0o777, Link: to})
		}
	}
	for line := range strings.Lines(sections["elf"]) {
		if f := strings.Fields(line); len(f) > 1 {
			content[f[0]] = elfFile(f[1:]).Bytes()
		}
	}
	for n, text := range sections {
		switch n {
		case "", "env", "links", "elf", "record", "want":
		default:
			content[files.Clean(n)] = []byte(text)
		}
	}
	delete(content, "")
	for line := range strings.Lines(sections["record"]) {
		if f := strings.Fields(line); len(f) > 0 {
			content[f[0]] = recordOf(content, f[0], f[1:])
		}
	}
	for p, b := range content {
		list = append(list, probed(p, b))
	}
	s.set = files.NewSet(list)
	return s
}

// recordOf writes a RECORD with true digests.
func recordOf(content map[string][]byte, record string, names []string) []byte {
	location := path.Dir(path.Dir(record))
	var b bytes.Buffer
	for _, n := range names {
		data := content[path.Join(location, n)]
		sum := sha256.Sum256(data)
		fmt.Fprintf(&b, "%s,sha256=%s,%d\n", n, base64.RawURLEncoding.EncodeToString(sum[:]), len(data))
	}
	fmt.Fprintf(&b, "%s,,\n", path.Join(path.Base(path.Dir(record)), "RECORD"))
	return b.Bytes()
}

// elfFile makes an ELF file out of words: a kind with its arguments, then options
// needs=A,B verneed=LIB:V,V machine=N relr.
func elfFile(words []string) elftest.File {
	var f elftest.File
	rest := words[1:]
	take := func() string {
		if len(rest) == 0 {
			return ""
		}
		w := rest[0]
		rest = rest[1:]
		return w
	}
	switch words[0] {
	case "loader":
		f = elftest.Loader(take(), "/lib/x86_64-linux-gnu/", "/usr/lib/")
	case "musl":
		f = elftest.MuslLoader(take())
	case "libc":
		v := take()
		f = elftest.File{Soname: "libc.so.6", ROData: "\x00GNU C Library stable release version " + v + ".\x00", VerDef: []string{"GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_" + v}}
	case "python":
		version, tag := take(), take()
		f = elftest.Python(version, tag, take(), "libc.so.6")
	case "libpython":
		version, tag := take(), take()
		f = elftest.Python(version, tag, "")
		f.Program, f.Soname = false, take()
	case "program":
		f = elftest.File{Program: true, Entry: true, Interp: take()}
	case "lib":
		f = elftest.File{Soname: take()}
	}
	for _, o := range rest {
		key, value, _ := strings.Cut(o, "=")
		switch key {
		case "needs":
			f.Needed = strings.Split(value, ",")
		case "verneed":
			lib, versions, _ := strings.Cut(value, ":")
			f.VerNeed = map[string][]string{lib: strings.Split(versions, ",")}
		case "verdef":
			f.VerDef = strings.Split(value, ",")
		case "machine":
			f.Machine = 183
		case "rpath":
			f.RPath = value
		case "relr":
			f.Relr = true
		}
	}
	return f
}

// probed is a file as an image reader would hand it on: with what the Probe wanted and
// nothing else.
func probed(p string, b []byte) *files.File {
	f := &files.File{Path: p, Mode: 0o644, Size: int64(len(b)), Content: missing{}}
	pr := Probe()
	w := pr.Wants(p, f.Size, b[:min(64, len(b))])
	if w&files.WantContent != 0 {
		f.Content = memory(b)
	}
	if w&files.WantSHA256 != 0 {
		sum := sha256.Sum256(b)
		f.SHA256 = hex.EncodeToString(sum[:])
	}
	if w&files.WantNote != 0 {
		note, err := pr.Note(p, f.Size, bytes.NewReader(b))
		if err != nil {
			panic(err)
		}
		f.Note = note
	}
	return f
}

type memory []byte

func (m memory) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(m)), nil }

// missing is the content of a file that Read must not open.
type missing struct{}

func (missing) Open() (io.ReadCloser, error) { return nil, fmt.Errorf("not probed") }
