package inspect

import "testing"

func TestBinaryPlatform(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"of an index", "Wheel-Version: 1.0\nTag: cp311-cp311-manylinux_2_17_x86_64\nTag: cp311-cp311-manylinux2014_x86_64\n", "manylinux_2_17_x86_64"},
		{"musl", "Tag: cp311-cp311-musllinux_1_2_aarch64\r\n", "musllinux_1_2_aarch64"},
		{"older", "Tag:cp38-abi3-manylinux1_x86_64", "manylinux1_x86_64"},
		{"pure", "Tag: py2-none-any\nTag: py3-none-any\n", ""},
		{"built there", "Tag: cp311-cp311-linux_x86_64\n", ""},
		{"no tag", "Generator: manylinux\n", ""},
		{"nothing", "", ""},
		{"odd", "Tag: manylinux", ""},
	} {
		if got := binaryPlatform([]byte(c.text)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
