package gunzip_test

import (
	"bytes"
	stdgzip "compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"

	"github.com/r-seed-1713b764/distill/internal/gunzip"
)

// samples are texts of all sorts.
func samples() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 200_000)
	words := make([]byte, 0, 1<<18)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	for len(words) < 1<<18 {
		words = fmt.Appendf(words, "%s %d\n", []string{"import", "from", "def", "return", "class"}[r.IntN(5)], r.IntN(1000))
	}
	skewed := make([]byte, 200_000) // long codes
	for i := range skewed {
		skewed[i] = byte(min(r.ExpFloat64()*3, 255)) * 7
	}
	var far []byte // matches at the greatest distance
	for range 5 {
		far = append(far, random[:32768]...)
	}
	return map[string][]byte{
		"empty": {}, "one byte": {7}, "short": []byte("hello, hello, hello"), "random": random, "words": words, "zeros": make([]byte, 600_000),
		"skewed": skewed, "far": far, "pairs": bytes.Repeat([]byte("ab"), 50_000), "threes": bytes.Repeat([]byte("abc"), 50_000),
		"sevens": bytes.Repeat([]byte("abcdefg"), 60_000), "mixed": append(append(bytes.Clone(words[:150_000]), random[:100_000]...), words...),
	}
}

func pack(t testing.TB, data []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := stdgzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func packFast(t testing.TB, data []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func TestReadsWhatOthersWrite(t *testing.T) {
	for name, data := range samples() {
		for _, level := range []int{stdgzip.HuffmanOnly, 0, 1, 6} {
			for writer, packed := range map[string][]byte{"std": pack(t, data, level), "klauspost": packFast(t, data, level)} {
				readers := map[string]io.Reader{"at once": bytes.NewReader(packed)}
				if level == 6 {
					readers["in halves"] = iotest.HalfReader(bytes.NewReader(packed))
					readers["with the end"] = iotest.DataErrReader(bytes.NewReader(packed))
				}
				for how, r := range readers {
					got, err := io.ReadAll(gunzip.NewReader(r))
					if err != nil || !bytes.Equal(got, data) {
						t.Errorf("%s, %s level %d, %s: %d bytes of %d, %v", name, writer, level, how, len(got), len(data), err)
					}
				}
			}
		}
	}
	data := samples()["mixed"][:100_000]
	got, err := io.ReadAll(gunzip.NewReader(iotest.OneByteReader(bytes.NewReader(pack(t, data, 6)))))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("byte by byte: %d bytes, %v", len(got), err)
	}
}

func TestMembersAndHeaders(t *testing.T) {
	var b bytes.Buffer
	var want []byte
	for i := range 5 {
		w := stdgzip.NewWriter(&b)
		w.Name, w.Comment, w.Extra = fmt.Sprintf("name %d", i), strings.Repeat("c", 1000*i), bytes.Repeat([]byte{1}, 500*i)
		part := bytes.Repeat([]byte(fmt.Sprintf("part %d ", i)), 20_000*i)
		w.Write(part)
		w.Close()
		want = append(want, part...)
	}
	got, err := io.ReadAll(gunzip.NewReader(&b))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
	}
	// A checksum of the header.
	p := pack(t, []byte("x"), 6)
	p[3] |= 2
	p = append(p[:10:10], append([]byte{1, 2}, p[10:]...)...)
	if got, err := io.ReadAll(gunzip.NewReader(bytes.NewReader(p))); err != nil || string(got) != "x" {
		t.Errorf("%q %v", got, err)
	}
}

func TestDamage(t *testing.T) {
	good := pack(t, []byte(strings.Repeat("some text that is long enough ", 1000)), 6)
	for n := range len(good) {
		if _, err := io.ReadAll(gunzip.NewReader(bytes.NewReader(good[:n]))); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the first %d bytes of %d: %v", n, len(good), err)
		}
	}
	two := append(bytes.Clone(good), good...)
	if _, err := io.ReadAll(gunzip.NewReader(bytes.NewReader(two[:len(two)-1]))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("second member broken off: %v", err)
	}
	for what, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":          {nil, io.ErrUnexpectedEOF},
		"text behind":      {append(bytes.Clone(good), "trailing bytes"...), gunzip.ErrCorrupt},
		"zeros behind":     {append(bytes.Clone(good), make([]byte, 100)...), gunzip.ErrCorrupt},
		"no gzip":          {[]byte("this is some text"), gunzip.ErrCorrupt},
		"another method":   {flip(good, 2, 1), gunzip.ErrCorrupt},
		"checksum":         {flip(good, len(good)-5, 1), gunzip.ErrChecksum},
		"length":           {flip(good, len(good)-1, 1), gunzip.ErrChecksum},
		"block type":       {append(bytes.Clone(good[:10]), 7), gunzip.ErrCorrupt},
		"stored length":    {append(bytes.Clone(good[:10]), 1, 1, 0, 0, 0), gunzip.ErrCorrupt},
		"match of nothing": {append(bytes.Clone(good[:10]), 0x03, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), gunzip.ErrCorrupt},
	} {
		if _, err := io.ReadAll(gunzip.NewReader(bytes.NewReader(c.data))); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	broken := errors.New("broken")
	if _, err := io.ReadAll(gunzip.NewReader(io.MultiReader(bytes.NewReader(good[:50]), iotest.ErrReader(broken)))); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

func flip(data []byte, at int, bits byte) []byte {
	c := bytes.Clone(data)
	c[at] ^= bits
	return c
}

// points reads data to the end and returns the places it could go on from.
func points(t testing.TB, packed []byte, every int64) (data []byte, list []gunzip.Point) {
	t.Helper()
	z := gunzip.NewReader(bytes.NewReader(packed))
	z.Notify(every, func(p gunzip.Point) { list = append(list, p) })
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data, list
}

func TestResume(t *testing.T) {
	for name, data := range samples() {
		for _, level := range []int{stdgzip.HuffmanOnly, 0, 1, 6} {
			packed := append(pack(t, data, level), pack(t, []byte("another member"), 6)...)
			whole, list := points(t, packed, 50_000)
			if len(data) > 400_000 && level > 0 && len(list) == 0 && name != "zeros" && name != "pairs" && name != "threes" && name != "sevens" {
				t.Errorf("%s, level %d: no point in %d bytes", name, level, len(data))
			}
			z := new(gunzip.Reader)
			for _, p := range list {
				if err := z.Resume(bytes.NewReader(packed[p.In/8:]), p); err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(z)
				if err != nil || !bytes.Equal(got, whole[p.Out:]) {
					t.Errorf("%s, level %d, from %d/8: %d bytes of %d, %v", name, level, p.In, len(got), len(whole)-int(p.Out), err)
				}
			}
		}
	}
}

func TestResumeElsewhere(t *testing.T) {
	packed := pack(t, samples()["mixed"], 6)
	_, list := points(t, packed, 20_000)
	p := list[0] // words follow, which reach back
	for what, bad := range map[string]gunzip.Point{
		"no window":    {In: p.In, Out: p.Out},
		"another bit":  {In: p.In + 1, Out: p.Out, Window: p.Window},
		"large window": {In: p.In, Out: p.Out, Window: strings.Repeat("x", 40_000)},
		"before it":    {In: -1},
	} {
		z := new(gunzip.Reader)
		err := z.Resume(bytes.NewReader(packed[max(bad.In, 0)/8:]), bad)
		if err == nil {
			_, err = io.ReadAll(z)
		}
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if err := new(gunzip.Reader).Resume(bytes.NewReader(nil), p); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("no data: %v", err)
	}
}

// FuzzReader compares with the standard library: the same bytes, or an error from both.
func FuzzReader(f *testing.F) {
	for name, data := range samples() {
		if name == "zeros" || len(data) > 600_000 {
			data = data[:2000]
		}
		f.Add(pack(f, data[:min(len(data), 3000)], 6), uint16(0))
		f.Add(pack(f, data[:min(len(data), 3000)], 1), uint16(500))
	}
	f.Fuzz(func(t *testing.T, packed []byte, at uint16) {
		// Checksums are no use against a fuzzer: bytes in the middle change.
		if int(at) < len(packed) && at > 10 {
			packed[at] ^= byte(at)
		}
		got, err := io.ReadAll(io.LimitReader(gunzip.NewReader(bytes.NewReader(packed)), 64<<20))
		var want []byte
		std, stdErr := stdgzip.NewReader(bytes.NewReader(packed))
		if stdErr == nil {
			want, stdErr = io.ReadAll(io.LimitReader(std, 64<<20))
		}
		if (err == nil) != (stdErr == nil) && !errors.Is(stdErr, stdgzip.ErrHeader) {
			t.Fatalf("error %v, standard library %v", err, stdErr)
		}
		if err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, standard library %d", len(got), len(want))
		}
		if n := min(len(got), len(want)); !bytes.Equal(got[:n], want[:n]) {
			t.Fatal("another start")
		}
	})
}

func BenchmarkReader(b *testing.B) {
	inputs := map[string][]byte{"words": pack(b, samples()["words"], 6)}
	if name := os.Getenv("DISTILL_BENCH_LAYER"); name != "" {
		data, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		inputs["layer"] = data
	}
	for name, packed := range inputs {
		for reader, open := range map[string]func(io.Reader) io.Reader{
			"gunzip":    func(r io.Reader) io.Reader { return gunzip.NewReader(r) },
			"klauspost": func(r io.Reader) io.Reader { z, _ := gzip.NewReader(r); return z },
			"std":       func(r io.Reader) io.Reader { z, _ := stdgzip.NewReader(r); return z },
		} {
			b.Run(name+"/"+reader, func(b *testing.B) {
				buf := make([]byte, 256<<10)
				for b.Loop() {
					n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{open(bytes.NewReader(packed))}, buf)
					if err != nil {
						b.Fatal(err)
					}
					b.SetBytes(n)
				}
			})
		}
	}
}
