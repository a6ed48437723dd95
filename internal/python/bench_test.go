package python

import (
	"os"
	"testing"
)

func BenchmarkParseVersion(b *testing.B) {
	for _, s := range []string{"1.26.4", "2.0.0rc1", "2024.11.20", "1.0.post1.dev3", "2.1.0+cu118"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseVersion(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompare(b *testing.B) {
	for _, pair := range [][2]string{{"1.26.4", "1.26.3"}, {"2.1.0+cu118", "2.1.0+cu121"}} {
		v, w := mustVersion(b, pair[0]), mustVersion(b, pair[1])
		b.Run(pair[0], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v.Compare(w)
			}
		})
	}
}

func BenchmarkVersionString(b *testing.B) {
	v := mustVersion(b, "1.26.4")
	b.ReportAllocs()
	for b.Loop() {
		_ = v.String()
	}
}

func BenchmarkParseSpecifiers(b *testing.B) {
	for _, s := range []string{">=3.8", ">=2.0,!=2.1.*,~=2.4,<3"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseSpecifiers(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkContains(b *testing.B) {
	s, err := ParseSpecifiers(">=2.0,!=2.1.*,<3")
	if err != nil {
		b.Fatal(err)
	}
	v := mustVersion(b, "2.4.1")
	b.ReportAllocs()
	for b.Loop() {
		s.Contains(v, true)
	}
}

func BenchmarkRanges(b *testing.B) {
	s, err := ParseSpecifiers(">=2.0,!=2.1.*,<3")
	if err != nil {
		b.Fatal(err)
	}
	other := Only(mustVersion(b, "2.4.1")).Complement()
	ranges := s.Ranges()
	v := mustVersion(b, "2.4.1")
	b.Run("make", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Ranges()
		}
	})
	b.Run("intersect", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ranges.Intersect(other)
		}
	})
	b.Run("contains", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ranges.Contains(v)
		}
	})
}

func BenchmarkParseRequirement(b *testing.B) {
	for _, s := range []string{
		"numpy>=1.23.2",
		`importlib-metadata (>=4.6) ; python_version < "3.10" and extra == 'test'`,
	} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseRequirement(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMarkerEval(b *testing.B) {
	env := MarkerEnvFor(mustVersion(b, "3.11.2"), "x86_64")
	for _, s := range []string{
		`python_version < "3.10"`,
		`extra == "test"`,
		`(sys_platform == "win32" or platform_machine == "aarch64") and python_full_version >= "3.9.1" or os_name == "nt"`,
	} {
		m, err := ParseMarker(s)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Eval(&env, "dev"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseWheelName(b *testing.B) {
	const file = "numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseWheelName(file); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRank(b *testing.B) {
	tags := TagsFor(TagTarget{Implementation: "cp", Major: 3, Minor: 11, Arch: "x86_64", Libc: Libc{"glibc", 2, 36}})
	for _, file := range []string{
		"numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
		"numpy-1.26.4-cp39-cp39-win_amd64.whl",
		"six-1.16.0-py2.py3-none-any.whl",
	} {
		w, err := ParseWheelName(file)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(file, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tags.Rank(w)
			}
		})
	}
}

func BenchmarkTagsFor(b *testing.B) {
	for b.Loop() {
		TagsFor(TagTarget{Implementation: "cp", Major: 3, Minor: 11, Arch: "x86_64", Libc: Libc{"glibc", 2, 36}})
	}
}

func BenchmarkParseMetadata(b *testing.B) {
	text, err := os.ReadFile("testdata/METADATA")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := ParseMetadata(text); err != nil {
			b.Fatal(err)
		}
	}
}
