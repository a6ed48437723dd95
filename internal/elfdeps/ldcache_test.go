package elfdeps

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParseCacheReadsWhatLdconfigWrote(t *testing.T) {
	for name, want := range map[string]struct {
		entries int
		first   CacheEntry
	}{
		"glibc-compat.cache": {24, CacheEntry{Name: "libutil.so.1", Path: "/usr/glibc-compat/lib/libutil.so.1", Flags: 0x303}},
		"debian-arm64.cache": {77, CacheEntry{Name: "libzstd.so.1", Path: "/lib/aarch64-linux-gnu/libzstd.so.1", Flags: 0xa03}},
	} {
		b, err := os.ReadFile(filepath.Join("testdata/cache", name))
		if err != nil {
			t.Fatal(err)
		}
		list, err := ParseCache(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != want.entries || list[0] != want.first {
			t.Errorf("%s: %d entries, first %+v", name, len(list), list[0])
		}
		again, err := ParseCache(EncodeCache(list))
		if err != nil || !reflect.DeepEqual(again, list) {
			t.Errorf("%s: encoding changes it (%v)", name, err)
		}
	}
}

func TestEncodeCacheSortsAsTheLoaderSearches(t *testing.T) {
	in := []CacheEntry{
		{Name: "liba.so.9", Path: "/lib/liba.so.9", Flags: 0x303},
		{Name: "liba.so.10", Path: "/lib/liba.so.10", Flags: 0x303},
		{Name: "liba.so.9", Path: "/opt/liba.so.9", Flags: 0x303},
		{Name: "liba.so.9", Path: "/lib/v3/liba.so.9", Flags: 0x303, HWCaps: "x86-64-v3"},
		{Name: "libb.so", Path: "/lib/other-name", Flags: 0x303},
	}
	got, err := ParseCache(EncodeCache(in))
	want := []CacheEntry{in[4], in[1], in[3], in[0], in[2]}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %v\nwant %v", err, got, want)
	}
}

func TestLdconfigReadsWhatEncodeCacheWrites(t *testing.T) {
	if os.Getenv("DISTILL_E2E") == "" {
		t.Skip("set DISTILL_E2E=1 to ask the real ldconfig")
	}
	file := filepath.Join(t.TempDir(), "cache")
	b := EncodeCache([]CacheEntry{
		{Name: "liba.so.9", Path: "/lib/liba.so.9", Flags: 0x303},
		{Name: "liba.so.9", Path: "/lib/glibc-hwcaps/x86-64-v3/liba.so.9", Flags: 0x303, HWCaps: "x86-64-v3"},
	})
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("/sbin/ldconfig", "-p", "-C", file).CombinedOutput()
	for _, want := range []string{"liba.so.9 (libc6,x86-64) => /lib/liba.so.9", `liba.so.9 (libc6,x86-64, hwcap: "x86-64-v3") => /lib/glibc-hwcaps/x86-64-v3/liba.so.9`} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: want %q in\n%s", err, want, out)
		}
	}
}
