package bytecode

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

func itoa(n int) string { return strconv.Itoa(n) }

func readAll(t *testing.T, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Headers as hexadecimal: magic, flags, time, size.
const (
	timed   = "a70d0d0a" + "00000000" + "00f15365" + "0c000000"
	hashed  = "a70d0d0a" + "01000000" + "0102030405060708"
	checked = "a70d0d0a" + "03000000" + "0102030405060708"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func TestHeaderTellsWhoseCodeItIs(t *testing.T) {
	for _, c := range []struct {
		header        string
		ok            bool
		modTime, size int64
		isOf          bool
	}{
		{timed, true, 1700000000, 12, true},
		{timed, true, 1700000000 + 1<<32, 12 + 1<<32, true}, // as Python compares
		{timed, true, 1700000001, 12, false},
		{timed, true, 1700000000, 13, false},
		{hashed, true, 0, 0, true},
		{checked, true, 0, 0, true},
		{"a70d0d0a" + "02000000" + "0102030405060708", false, 0, 0, false},
		{"a70d0d0a" + "04000000" + "0102030405060708", false, 0, 0, false},
		{"a70d0a0a" + "00000000" + "00f153650c000000", false, 0, 0, false},
		{timed[:30], false, 0, 0, false},
		{"", false, 0, 0, false},
	} {
		h, ok := ParseHeader(unhex(c.header))
		if ok != c.ok {
			t.Errorf("%s: %v", c.header, ok)
		}
		if ok && (h.Magic != 3495 || h.IsOf(c.modTime, c.size) != c.isOf) {
			t.Errorf("%s: %+v of %d, %d: %v", c.header, h, c.modTime, c.size, !c.isOf)
		}
	}
}

func TestNames(t *testing.T) {
	for base, want := range map[string]string{
		"six.py": "__pycache__/six.cpython-311.pyc", "a.b.py": "__pycache__/a.b.cpython-311.pyc",
		"six.pyi": "", ".py": "", "six": "", "": "",
	} {
		if got := Name(base, Tag(3, 11)); got != want {
			t.Errorf("%q: %q", base, got)
		}
	}
	if m, ok := Magic(3, 11); m != 3495 || !ok {
		t.Error(m, ok)
	}
	if _, ok := Magic(2, 11); ok {
		t.Error("Python 2.11")
	}
}

// The code of "def f(a): return 'q', ('q', 7)", as marshalled by Python 3.11, but shorter: a tuple of
// a marked and unused string, a marked string, a reference to it, and a marked and unused number.
const (
	noisy = "a904" + "da0161" + "da0162" + "7202000000" + "e907000000"
	clean = "2904" + "5a0161" + "da0162" + "7200000000" + "6907000000"
)

func TestUncheckedRewritesTheHeaderAndWhatTellsOfTheProcess(t *testing.T) {
	unchecked := "a70d0d0a" + "01000000" + "0000000000000000"
	for _, c := range []struct{ in, want string }{
		{timed + noisy, unchecked + clean},
		{timed + clean, unchecked + clean},
		{hashed + noisy, hashed + clean},
		{checked + noisy, checked + clean},
		{timed + noisy + "00", unchecked + noisy + "00"}, // what can't be read stays
		{timed + "e3", unchecked + "e3"},
		{"a80d0d0a" + timed[8:] + noisy, "a80d0d0a" + unchecked[8:] + clean},
		{"ffff0d0a" + timed[8:] + noisy, "ffff0d0a" + unchecked[8:] + noisy},
		{timed + "2903" + "da012f" + "f402000000c3a9" + "7200000000", unchecked + "2903" + "fa012f" + "7502000000c3a9" + "7200000000"},
		{timed, unchecked},
		{timed[:20], timed[:20]},
		{"", ""},
	} {
		in := unhex(c.in)
		for name, r := range map[string]io.Reader{"": bytes.NewReader(in), "one": iotest.OneByteReader(bytes.NewReader(in)), "eof": iotest.DataErrReader(bytes.NewReader(in))} {
			if got := hex.EncodeToString(readAll(t, Unchecked.Reader(r))); got != c.want {
				t.Errorf("%s %s\n got %s\nwant %s", name, c.in, got, c.want)
			}
		}
		if string(in) != string(unhex(c.in)) {
			t.Error("the input has changed")
		}
	}
}

func TestUncheckedPassesErrorsOn(t *testing.T) {
	_, err := io.ReadAll(Unchecked.Reader(io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(errors.ErrUnsupported))))
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}

func TestUncheckedStreamsWhatIsTooLarge(t *testing.T) {
	size := int64(maxNormalized + 100_000)
	in := io.MultiReader(bytes.NewReader(unhex(timed+noisy)), io.LimitReader(zeros{}, size))
	out, err := io.ReadAll(Unchecked.Reader(in))
	if err != nil || len(out) != int(size)+len(timed+noisy)/2 || !bytes.HasPrefix(out, unhex(hashed[:16]+"0000000000000000"+noisy)) {
		t.Errorf("%d bytes, %v, %x", len(out), err, out[:min(40, len(out))])
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestDeepCodeStaysAsItIs(t *testing.T) {
	b := bytes.Repeat(unhex("a901"), maxDepth+2)
	b = append(b, 'N')
	if err := Normalize(b, 3495); err == nil || b[0] != 0xa9 {
		t.Error(err)
	}
	if err := Normalize(b[4:], 3495); err != nil || b[4] != 0x29 {
		t.Error(err)
	}
}

// Whatever the input, the size stays, what is not marshalled stays too, and doing it twice
// is doing it once.
func FuzzNormalize(f *testing.F) {
	for _, s := range []string{noisy, clean, "7b5a016169010000005a01624e30", "e3" + strings.Repeat("00", 20), "bc02000000", "6c02000000ffff0100", "3a4e4e4e", "2903da012ff402000000c3a97200000000"} {
		f.Add(unhex(s), uint16(3495))
	}
	f.Fuzz(func(t *testing.T, b []byte, magic uint16) {
		once := bytes.Clone(b)
		err := Normalize(once, magic)
		if err != nil && !bytes.Equal(once, b) {
			t.Fatalf("%v, but changed", err)
		}
		if err != nil {
			return
		}
		twice := bytes.Clone(once)
		if err := Normalize(twice, magic); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("twice: %v\n%x\n%x", err, once, twice)
		}
	})
}

func BenchmarkUnchecked(b *testing.B) {
	body := unhex(timed + "a9ff" + strings.Repeat(noisy, 255))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.Copy(io.Discard, Unchecked.Reader(bytes.NewReader(body))); err != nil {
			b.Fatal(err)
		}
	}
}
