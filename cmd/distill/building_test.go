package main

import "testing"

func TestSizesAreReadAsDockerReadsThem(t *testing.T) {
	for text, want := range map[string]struct {
		bytes int64
		shown string
	}{
		"8GiB": {8 << 30, "8GiB"}, "8g": {8 << 30, "8GiB"}, "8GB": {8 << 30, "8GiB"}, "8 Gi": {8 << 30, "8GiB"}, "1.5g": {3 << 29, "1536MiB"},
		"512m": {512 << 20, "512MiB"}, "2T": {2 << 40, "2TiB"}, "1000": {1000, "1000"}, "1000b": {1000, "1000"}, "64k": {64 << 10, "64KiB"},
	} {
		var s size
		if err := s.Set(text); err != nil || int64(s) != want.bytes || s.String() != want.shown {
			t.Errorf("%s: %d (%s), %v", text, s, s.String(), err)
		}
	}
	for _, text := range []string{"", "g", "8x", "8pib", "-8g", "0", "0.0001", "1.2.3g", "1e9", "99999999999t", "9999999999999999999999", "8 8g", "8ig"} {
		s := size(7)
		if err := s.Set(text); err == nil || s != 7 {
			t.Errorf("%q gives %d", text, s)
		}
	}
}
