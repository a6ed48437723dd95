package wheel

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestOpenTakesWhatWritersMake(t *testing.T) {
	for name, change := range map[string]func(z *zipWriter){
		"plain":            func(*zipWriter) {},
		"stored":           func(z *zipWriter) { z.file("demo/a.py").method = methodStore },
		"descriptor 12":    func(z *zipWriter) { z.file("demo/a.py").descriptor = 12 },
		"descriptor 16":    func(z *zipWriter) { z.file("demo/a.py").descriptor = 16 },
		"descriptor 20":    func(z *zipWriter) { z.file("demo/a.py").descriptor = 20 },
		"descriptor 24":    func(z *zipWriter) { z.file(demoInfo + "RECORD").descriptor = 24 },
		"zip64 end record": func(z *zipWriter) { z.zip64 = true },
		"comment":          func(z *zipWriter) { z.comment = "made by a test" },
		"folders":          func(z *zipWriter) { z.files = append([]zipFile{{name: "demo/", mode: 0o40755}}, z.files...) },
		"names by case":    func(z *zipWriter) { *z = *demo("demo/a.py", "a", "demo/A.py", "b") },
		"dotted dist-info": func(z *zipWriter) { *z = *demo("demo/a.py", "", "demo/_vendor/x-1.dist-info/METADATA", "Name: x\n") },
		"quoted in RECORD": func(z *zipWriter) { *z = *demo("demo/a.py", "", "demo/a, \"b\".txt", "x") },
		"signature":        func(z *zipWriter) { z.files = append(z.files, zipFile{name: demoInfo + "RECORD.jws", data: "{}"}) },
		"harmless extra":   func(z *zipWriter) { z.file("demo/a.py").lextra = "\x55\x54\x01\x00x" },
		"UTF-8 name": func(z *zipWriter) {
			*z = *demo("demo/a.py", "", "demo/ü.py", "x")
			z.file("demo/ü.py").flags = 1 << 11
		},
		"no time, odd system": func(z *zipWriter) { z.file("demo/a.py").mode = 0o600 },
	} {
		z := demo("demo/a.py", "print('a')\n")
		change(z)
		w, err := openDemo(t, z)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if w.Metadata.RawName != "Demo.Pkg" || !w.RootIsPurelib || string(w.RawMetadata) != metaTxt {
			t.Errorf("%s: %+v", name, w)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	const a = "demo/a.py"
	for text, change := range map[string]func(z *zipWriter){
		"behind the end record":   func(z *zipWriter) { z.suffix = "JUNK" },
		"or bytes stand before":   func(z *zipWriter) { z.beforeEnd = "JUNK" },
		"bytes stand before it":   func(z *zipWriter) { z.prefix = "MZ" },
		"but the end record says": func(z *zipWriter) { z.count = 1 },
		"in front of the central": func(z *zipWriter) { z.file(demoInfo + "RECORD").behind = "JUNK" },
		"expected":                func(z *zipWriter) { z.file(a).behind = "JUNK" },
		"overlaps":                func(z *zipWriter) { z.file(demoInfo + "WHEEL").offset = -1 },
		"has another name":        func(z *zipWriter) { z.file(a).localName = "demo/b.py" },
		"other flags":             func(z *zipWriter) { z.file(a).localFlags = 2 },
		"size or checksum":        func(z *zipWriter) { z.file(a).localSize = 1 },
		"descriptor has another":  func(z *zipWriter) { f := z.file(a); f.descriptor, f.badDescriptor = 16, true },
		"two entries of that":     func(z *zipWriter) { z.files = append(z.files, *z.file(a)) },
		"is a file and a folder":  func(z *zipWriter) { *z = *demo("demo", "x", a, "y") },
		"encrypted":               func(z *zipWriter) { z.file(a).flags = 1 },
		"method 12":               func(z *zipWriter) { z.file(a).method = 12 },
		"regular file nor":        func(z *zipWriter) { z.file(a).mode = 0o120777 },
		"folder with content":     func(z *zipWriter) { *z = *demo("demo/x/", "content"); z.file("demo/x/").mode = 0o40755 },
		"absolute":                func(z *zipWriter) { *z = *demo("/etc/passwd", "x") },
		"not clean":               func(z *zipWriter) { *z = *demo("demo/../../x", "x") },
		"not clean ":              func(z *zipWriter) { *z = *demo("../x", "x") },
		"not clean  ":             func(z *zipWriter) { *z = *demo("demo//x", "x") },
		"backslash":               func(z *zipWriter) { *z = *demo(`demo\x`, "x") },
		"NUL":                     func(z *zipWriter) { *z = *demo("demo/x\x00.py", "x") },
		"drive letter":            func(z *zipWriter) { *z = *demo("c:/x", "x") },
		"not UTF-8":               func(z *zipWriter) { *z = *demo("demo/\xff", "x") },
		"more than 4096":          func(z *zipWriter) { *z = *demo(strings.Repeat("d/", 2100)+"x", "x") },
		"part of 300 bytes":       func(z *zipWriter) { *z = *demo("demo/"+strings.Repeat("x", 300), "x") },
		"second name":             func(z *zipWriter) { z.file(a).extra = "\x75\x70\x01\x00x" },
		"longer than its header":  func(z *zipWriter) { z.file(a).extra = "\x01\x00\x40\x00x" },
		"do not fit into":         func(z *zipWriter) { z.file(a).size = 1 << 28 },
		"not listed in RECORD":    func(z *zipWriter) { z.files = append(z.files, zipFile{name: "demo/hidden.py", data: "x"}) },
		"which is not there":      func(z *zipWriter) { z.file(demoInfo + "RECORD").data += "demo/gone.py,,\n" },
		"no digest of sha256": func(z *zipWriter) {
			r := z.file(demoInfo + "RECORD")
			r.data = strings.Replace(r.data, "sha256=", "md5=", 1)
		},
		"but RECORD says": func(z *zipWriter) {
			r := z.file(demoInfo + "RECORD")
			r.data = strings.Replace(r.data, ",11\n", ",12\n", 1)
		},
		"RECORD lists":     func(z *zipWriter) { z.file(demoInfo + "RECORD").data += a + ",sha256=AAAA,1\n" },
		"RECORD\": absent": func(z *zipWriter) { z.files = z.files[:len(z.files)-1] },
		"METADATA\": absent": func(z *zipWriter) {
			*z = *demo(a, "x")
			z.file(demoInfo + "METADATA").name = demoInfo + "METADATB"
			fixRecord(z)
		},
		"is that of another 1.0": func(z *zipWriter) {
			*z = *demo(demoInfo+"METADATA", "Metadata-Version: 2.1\nName: another\nVersion: 1.0\n")
		},
		"is that of demo-pkg 9.9": func(z *zipWriter) {
			*z = *demo(demoInfo+"METADATA", "Metadata-Version: 2.1\nName: demo-pkg\nVersion: 9.9\n")
		},
		"two dist-info":      func(z *zipWriter) { *z = *demo(a, "x", "other-2.0.dist-info/METADATA", "Name: other\n") },
		"data folder of":     func(z *zipWriter) { *z = *demo("other-1.0.data/scripts/x", "x") },
		"Wheel-Version":      func(z *zipWriter) { *z = *demo(demoInfo+"WHEEL", "Wheel-Version: 2.0\nRoot-Is-Purelib: true\n") },
		"Root-Is-Purelib":    func(z *zipWriter) { *z = *demo(demoInfo+"WHEEL", "Wheel-Version: 1.0\n") },
		"not a file name":    func(z *zipWriter) { *z = *demo(demoInfo+"entry_points.txt", "[console_scripts]\n../x = a:b\n") },
		"MODULE:ATTR":        func(z *zipWriter) { *z = *demo(demoInfo+"entry_points.txt", "[console_scripts]\nx = os; evil()\n") },
		"is not MODULE:ATTR": func(z *zipWriter) { *z = *demo(demoInfo+"entry_points.txt", "[gui_scripts]\nx = os\n") },
	} {
		z := demo(a, "print('a')\n")
		change(z)
		_, err := openDemo(t, z)
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), strings.TrimRight(text, " ")) || !strings.HasPrefix(err.Error(), demoName) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func fixRecord(z *zipWriter) {
	n := len(z.files) - 1
	z.files[n].data = recordOf(z.files[:n])
}

func TestOpenRefusesOtherBytes(t *testing.T) {
	b := string(demo("demo/a.py", "print('a')\n").bytes())
	for text, in := range map[string]string{
		"no local header": strings.Replace(b, "PK\x03\x04", "PK\x03\x05", 1),
		"no entry":        strings.Replace(b, "PK\x01\x02", "PK\x01\x03", 1),
		"no end record":   strings.Repeat("this is no archive ", 50),
		"0 bytes":         "",
	} {
		_, err := Open(demoName, strings.NewReader(in), int64(len(in)))
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestOpenRefusesEveryTruncation(t *testing.T) {
	b := demo("demo/a.py", "print('a')\n").bytes()
	for n := range b {
		if _, err := Open(demoName, bytes.NewReader(b[:n]), int64(n)); !errors.Is(err, ErrDamaged) {
			t.Fatalf("%d of %d bytes: got %v", n, len(b), err)
		}
	}
}

func TestErrorsOfTheReaderAreNoDamage(t *testing.T) {
	broken := errors.New("connection lost")
	_, err := Open(demoName, readerAtFunc(func([]byte, int64) (int, error) { return 0, broken }), 1000)
	if !errors.Is(err, broken) || errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

type readerAtFunc func(p []byte, off int64) (int, error)

func (f readerAtFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

func TestMetadataReadsOnlyWhatItNeeds(t *testing.T) {
	b := demo("demo/a.py", "print('a')\n", "demo/big.bin", strings.Repeat("0123456789abcdef", 100_000)).bytes()
	big := int64(bytes.Index(b, []byte("demo/big.bin"))) + 50
	r := readerAtFunc(func(p []byte, off int64) (int, error) {
		if off < big {
			t.Errorf("read at %d", off)
		}
		return bytes.NewReader(b).ReadAt(p, off)
	})
	got, err := Metadata(demoName, r, int64(len(b)))
	if err != nil || string(got) != metaTxt {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestContentIsCheckedBeforeItsEnd(t *testing.T) {
	for text, change := range map[string]func(f *zipFile, z *zipWriter){
		"CRC-32":              func(f *zipFile, _ *zipWriter) { f.crc = 1 },
		"RECORD says":         func(f *zipFile, z *zipWriter) { f.data = "print('b')\n" },
		"behind the compress": func(f *zipFile, z *zipWriter) { f.packed = f.compress() + "junk" },
		"flate":               func(f *zipFile, z *zipWriter) { f.packed = "\xff\xff\xff" },
		"unexpected EOF":      func(f *zipFile, z *zipWriter) { p := f.compress(); f.packed = p[:len(p)-2] },
	} {
		z := demo("demo/a.py", "print('a')\n")
		change(z.file("demo/a.py"), z)
		set, err := mustOpen(t, z).Files(demoScheme)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		f, _ := set.Get("lib/demo/a.py")
		// ReadAll fills a buffer of the announced size: an error that comes with
		// the end of the file would be lost.
		if _, err := f.ReadAll(1 << 20); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), demoName) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestEmptyFileIsCheckedWhenOpened(t *testing.T) {
	z := demo("demo/a.py", "")
	r := z.file(demoInfo + "RECORD")
	r.data = strings.Replace(r.data, "demo/a.py,sha256=4", "demo/a.py,sha256=5", 1)
	set, err := mustOpen(t, z).Files(demoScheme)
	if err != nil {
		t.Fatal(err)
	}
	f, _ := set.Get("lib/demo/a.py")
	if r, err := f.Open(); err == nil {
		r.Close()
		t.Error("opened")
	}
}

func TestWritersOfOthersAgree(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b) // streams, so with data descriptors
	for _, f := range demo("demo/a.py", "print('a')\n", "demo/b.py", strings.Repeat("b", 5000)).files {
		e, _ := w.Create(f.name)
		io.WriteString(e, f.data)
	}
	w.Close()
	if _, err := Open(demoName, bytes.NewReader(b.Bytes()), int64(b.Len())); err != nil {
		t.Error(err)
	}
}

func FuzzOpen(f *testing.F) {
	seeds := []*zipWriter{demo("demo/a.py", "a"), demo("demo/a.py", "a", demoInfo+"entry_points.txt", "[console_scripts]\nx = a:b\n", "demo_pkg-1.0.data/scripts/s", "#!python\nx")}
	for i, z := range seeds {
		f.Add(z.bytes())
		z.zip64, z.files[0].descriptor = true, 12+4*i
		f.Add(z.bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := Open(demoName, bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		set, err := w.Files(demoScheme)
		if err != nil {
			return
		}
		// What we take, the usual reader sees as the same files.
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil || len(z.File) != len(w.archive.entries) {
			t.Fatalf("archive/zip: %v", err)
		}
		for i, e := range w.archive.entries {
			if z.File[i].Name != e.name || z.File[i].UncompressedSize64 != uint64(e.size) {
				t.Fatalf("archive/zip sees %q, we see %q", z.File[i].Name, e.name)
			}
		}
		for f := range set.All() {
			if strings.Contains("/"+f.Path+"/", "/../") || strings.HasPrefix(f.Path, "/") {
				t.Fatalf("path %q", f.Path)
			}
			if f.Size < 1<<20 {
				f.ReadAll(1 << 20)
			}
		}
	})
}
