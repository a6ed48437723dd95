package elfdeps

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/elfdeps/elftest"
)

func parse(t testing.TB, b []byte) *Info {
	t.Helper()
	i, err := Parse(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestParseReadsWhatLoadersRead(t *testing.T) {
	got := parse(t, elftest.File{
		Soname: "libb.so.1", Needed: []string{"libz.so.1", "libc.so.6"}, RPath: "$ORIGIN/a:/b", RunPath: "$ORIGIN",
		VerNeed: map[string][]string{"libc.so.6": {"GLIBC_2.2.5", "GLIBC_2.34"}, "libz.so.1": {"ZLIB_1.2"}},
		VerDef:  []string{"B_1", "B_2"}, Imports: []string{"dlopen"}, Relr: true, NoDeflib: true,
		ROData: "x libno.so\x00libtbb.so.12\x00lib%s.so\x00/opt/libodbc.so.2.0\x00libx.so.y\x00", Notes: []string{`[{"soname":["libp.so.0"]}]`},
	}.Bytes())
	want := &Info{
		Class: 64, Machine: MachineX86_64, Type: TypeDyn, Dynamic: true, NoDefault: true, Relr: true, Dlopen: true,
		Soname: "libb.so.1", Needed: []string{"libz.so.1", "libc.so.6"},
		RPath: []string{"$ORIGIN/a", "/b"}, RunPath: []string{"$ORIGIN"}, HasRunPath: true,
		VerNeed: []VersionNeed{{"libc.so.6", []string{"GLIBC_2.2.5", "GLIBC_2.34"}}, {"libz.so.1", []string{"ZLIB_1.2"}}},
		VerDef:  []string{"B_1", "B_2"}, DlopenNotes: []string{`[{"soname":["libp.so.0"]}]`},
		LibNames: []string{"/opt/libodbc.so.2.0", "libno.so", "libtbb.so.12"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseOfSomethingElseIsNil(t *testing.T) {
	for _, s := range []string{"", "#!/bin/sh\necho hello\n", "\x7fEL", "MZ\x00\x00aaaaaaaaaaaaaaaaaaaaaaaaaaaa"} {
		if i, err := Parse(bytes.NewReader([]byte(s)), int64(len(s))); i != nil || err != nil {
			t.Errorf("%q: %v, %v", s, i, err)
		}
	}
}

func TestParseNamesDamage(t *testing.T) {
	whole := elftest.File{Soname: "liba.so", Needed: []string{"libc.so.6"}, VerNeed: map[string][]string{"libc.so.6": {"GLIBC_2.4"}}}.Bytes()
	cases := map[string]func(b []byte) []byte{
		"cut in the header":          func(b []byte) []byte { return b[:40] },
		"cut in the program headers": func(b []byte) []byte { return b[:100] },
		"class":                      func(b []byte) []byte { b[4] = 9; return b },
		"byte order":                 func(b []byte) []byte { b[5] = 0; return b },
		"size of a program header":   func(b []byte) []byte { b[54] = 1; return b },
		"dynamic section far away":   func(b []byte) []byte { b[64+56+14] = 0x7f; return b },
	}
	for name, damage := range cases {
		b := damage(bytes.Clone(whole))
		if i, err := Parse(bytes.NewReader(b), int64(len(b))); !errors.Is(err, ErrDamaged) || i != nil {
			t.Errorf("%s: %v, %v", name, i, err)
		}
	}
}

func TestParseTellsAReadErrorFromDamage(t *testing.T) {
	b := elftest.File{Soname: "liba.so"}.Bytes()
	broken := errors.New("disk on fire")
	_, err := Parse(failAfter{b, 64, broken}, int64(len(b)))
	if !errors.Is(err, broken) || errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

type failAfter struct {
	b   []byte
	ok  int64
	err error
}

func (f failAfter) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.ok {
		return 0, f.err
	}
	return copy(p, f.b[off:]), nil
}

func TestFactsOfLoadersAndPythons(t *testing.T) {
	glibc := parse(t, elftest.Loader("2.36", "/lib/x86_64-linux-gnu/", "/usr/lib/").Bytes())
	if glibc.Loader == nil || glibc.Version != "2.36" || glibc.Loader.Cache != "/etc/ld.so.cache" ||
		!reflect.DeepEqual(glibc.Loader.SystemDirs, []string{"/lib/x86_64-linux-gnu/", "/usr/lib/"}) {
		t.Errorf("glibc: %+v %+v", glibc, glibc.Loader)
	}
	musl := parse(t, elftest.MuslLoader("1.2.5").Bytes())
	if musl.Loader == nil || musl.Version != "1.2.5" || musl.Loader.PathFile != "/etc/ld-musl-x86_64.path" {
		t.Errorf("musl: %+v %+v", musl, musl.Loader)
	}
	for version, want := range map[string]string{"3.11.2": "3.11.2", "3.11.0rc1": "3.11.0rc1", "3.11.4+": "3.11.4", "3.12.1": ""} {
		py := parse(t, elftest.Python(version, "311", "/lib64/ld-linux-x86-64.so.2").Bytes())
		got := ""
		if py.Python != nil {
			got = py.Python.Version
		}
		if got != want {
			t.Errorf("version %s: got %q, want %q", version, got, want)
		}
		if py.Python != nil && py.Python.ExtSuffix != ".cpython-311-x86_64-linux-gnu.so" {
			t.Errorf("suffix %q", py.Python.ExtSuffix)
		}
	}
	libc := parse(t, elftest.File{Soname: "libc.so.6", Needed: []string{"ld-linux-x86-64.so.2"}, ROData: "GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n\x00"}.Bytes())
	if libc.Version != "2.36" || libc.Loader != nil {
		t.Errorf("libc: %+v", libc)
	}
}

func TestDefiningDlopenIsNotImportingIt(t *testing.T) {
	i := parse(t, elftest.File{Exports: []string{"dlopen"}, ROData: "libx.so.1\x00"}.Bytes())
	if i.Dlopen || i.LibNames != nil {
		t.Errorf("got %+v", i)
	}
}

func TestEncodeThenDecodeIsTheIdentity(t *testing.T) {
	for _, f := range []elftest.File{
		{}, elftest.MuslLoader("1.2.5"), elftest.Loader("2.36", "/lib/"), elftest.Python("3.11.2", "311", "/lib/ld"),
		{Soname: "a", Needed: []string{"b"}, VerNeed: map[string][]string{"b": {"B_1"}}, VerDef: []string{"A_1"}, RunPath: "x"},
	} {
		i := parse(t, f.Bytes())
		got, err := Decode(i.Encode())
		if err != nil || !reflect.DeepEqual(i, got) {
			t.Errorf("%+v: %v\n%+v", i, err, got)
		}
	}
	if _, err := Decode([]byte("M something")); err == nil {
		t.Error("decoded what Encode never wrote")
	}
}

func TestGapsNameFileNeedAndHave(t *testing.T) {
	user := parse(t, elftest.File{VerNeed: map[string][]string{"libc.so.6": {"GLIBC_2.2.5", "GLIBC_2.38"}, "libq.so": {"Q_1"}, "libn.so": {"N_1"}}}.Bytes())
	libc := &Info{VerDef: []string{"GLIBC_2.2.5", "GLIBC_2.9", "GLIBC_2.36", "GLIBC_PRIVATE"}}
	gaps := Gaps("a.so", user, func(name string) *Info {
		switch name {
		case "libc.so.6":
			return libc
		case "libn.so":
			return &Info{} // without versions: satisfies everything
		}
		return nil
	})
	if len(gaps) != 1 || gaps[0].String() != "a.so needs GLIBC_2.38 of libc.so.6, which has GLIBC_2.36" {
		t.Errorf("got %v", gaps)
	}
	got := MaxVersions([]*Info{user, {VerNeed: []VersionNeed{{"libssl.so.3", []string{"OPENSSL_1_1_0", "OPENSSL_3.0.0", "OPENSSL_PRIVATE"}}}}})
	want := map[string]string{"GLIBC": "2.38", "Q": "1", "N": "1", "OPENSSL": "3.0.0"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
