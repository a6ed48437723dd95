package python

import (
	"strings"
	"testing"
)

func FuzzParseVersion(f *testing.F) {
	for _, p := range probes {
		f.Add(p, "1.0")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		v, err := ParseVersion(a)
		if err != nil {
			return
		}
		again, err := ParseVersion(v.String())
		if err != nil || again.Compare(v) != 0 || again.String() != v.String() {
			t.Fatalf("%q is %s, read again %s, %v", a, v, again, err)
		}
		w, err := ParseVersion(b)
		if err != nil {
			return
		}
		// The parts decide as the keys do.
		order := v.Compare(w)
		if parts := v.expand().compare(w.expand()); parts != order || w.Compare(v) != -order {
			t.Fatalf("%s compared to %s: %d, by parts %d, reversed %d", v, w, order, parts, w.Compare(v))
		}
		if only := Only(v); only.Contains(w) != (order == 0) {
			t.Fatalf("only %s contains %s", v, w)
		}
	})
}

func FuzzParseSpecifiers(f *testing.F) {
	for i, s := range probeSets {
		f.Add(s, probes[i%len(probes)])
	}
	f.Add(">=1.0,<2, !=1.5.*", "1.4")
	f.Fuzz(func(t *testing.T, text, version string) {
		s, err := ParseSpecifiers(text)
		if err != nil {
			if lenient, err := ParseSpecifiersLenient(text); err == nil {
				s = lenient
			} else {
				return
			}
		}
		again, err := ParseSpecifiers(s.String())
		if err != nil || again.String() != s.String() || !again.Ranges().Equal(s.Ranges()) {
			t.Fatalf("%q is %q, read again %q, %v", text, s, again, err)
		}
		_ = s.Ranges().String()
		v, err := ParseVersion(version)
		if err != nil || strings.Contains(text, "===") {
			return
		}
		if s.Contains(v, true) != s.Ranges().Contains(v) || s.Ranges().Complement().Contains(v) == s.Contains(v, true) {
			t.Fatalf("%q contains %s: %v, ranges %s", s, v, s.Contains(v, true), s.Ranges())
		}
	})
}

func FuzzParseMarker(f *testing.F) {
	f.Add(`python_version >= "3.8" and (os.name == 'nt' or extra == "a_B")`)
	f.Add(`'\x41\\' not in platform_version or "b" == extras`)
	f.Add(strings.Repeat("(", 200) + `os_name == "a"`)
	env := MarkerEnvFor(Version{}, "x86_64")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMarker(text)
		if err != nil {
			return
		}
		again, err := ParseMarker(m.String())
		if err != nil || again.String() != m.String() {
			t.Fatalf("%q is %q, read again %q, %v", text, m, again, err)
		}
		one, errOne := m.Eval(&env, "a-b")
		two, errTwo := again.Eval(&env, "a-b")
		if one != two || (errOne == nil) != (errTwo == nil) {
			t.Fatalf("%q: %v %v, read again %v %v", text, one, errOne, two, errTwo)
		}
	})
}

func FuzzParseRequirement(f *testing.F) {
	f.Add(`a.B [x, Y_z] (>=1.0, !=1.5.*) ; python_version < "3.8"`)
	f.Add(`a @ https://example.org/a.zip ; os_name == "nt"`)
	f.Add("a===x,y")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRequirementLenient(text)
		if err != nil {
			return
		}
		if strings.HasSuffix(string(r.Name), "-") || strings.HasPrefix(string(r.Name), "-") {
			return // "a_" is taken for a name, but its normal form is none
		}
		for _, e := range r.Extras {
			if strings.HasSuffix(string(e), "-") {
				return
			}
		}
		again, err := ParseRequirement(r.String())
		if err != nil || again.String() != r.String() {
			t.Fatalf("%q is %q, read again %q, %v", text, r, again, err)
		}
	})
}

func FuzzParseRequirements(f *testing.F) {
	f.Add("-r b.txt\nnumpy==1.0 \\\n  --hash=sha256:00 # c\n", "-c a.txt\n--no-binary :all:\n")
	f.Add("./a-1.0.zip[x] ; os_name == 'nt'\n", "\xff\xfea\x00")
	f.Add("# coding: latin-1\na @ file:///x.whl\n-f 'a b'", "${TOKEN}")
	f.Fuzz(func(t *testing.T, a, b string) {
		got, err := ParseRequirements("a.txt", opener(map[string]string{"a.txt": a, "b.txt": b}), environment)
		if err != nil {
			return
		}
		for _, r := range got.Requirements {
			if r.Name == "" || r.Pos.File == "" || r.Pos.Line == 0 {
				t.Fatalf("requirement %+v has no name or place", r)
			}
		}
	})
}

func FuzzFileNames(f *testing.F) {
	f.Add("a_b-1.0-1x-py2.py3-none-any.whl", "a-b")
	f.Add("a-b-1.0.tar.gz", "a-b")
	tags := TagsFor(TagTarget{Implementation: "cp", Major: 3, Minor: 11, Arch: "x86_64", Libc: Libc{"glibc", 2, 36}})
	f.Fuzz(func(t *testing.T, file, project string) {
		if w, err := ParseWheelName(file); err == nil {
			if rank, ok := tags.Rank(w); ok && (rank < 0 || rank >= len(tags.All())) {
				t.Fatalf("%q has rank %d", file, rank)
			}
			if len(w.Tags()) == 0 {
				t.Fatalf("%q has no tags", file)
			}
		}
		_, _ = ParseSdistName(file, NormalizeName(project))
		_, _, _ = SplitSdistName(file)
	})
}

func FuzzParseMetadata(f *testing.F) {
	f.Add([]byte("Name: a\nVersion: 1\nRequires-Dist: b>=1\nRequires-Python: >=3.6,\n\ntext"))
	f.Add([]byte("[x:os_name == 'nt']\na>=1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMetadata(b)
		if err == nil && (m.Name == "" || m.RawName == "") {
			t.Fatalf("metadata without a name: %+v", m)
		}
		_, _, _ = ParseRequiresTxt(b)
	})
}

func FuzzParseRecord(f *testing.F) {
	f.Add([]byte("a,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n\"b,\"\"\",,\r\n"))
	f.Add([]byte("[console_scripts]\na = b:c [x]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := ParseRecord(b)
		if err == nil {
			for _, e := range entries {
				if e.Path == "" || (e.Algorithm == "") != (e.Digest == "") || e.Size < -1 {
					t.Fatalf("entry %+v", e)
				}
			}
		}
		points, err := ParseEntryPoints(b)
		if err == nil {
			for _, e := range points {
				if e.Group == "" || e.Name == "" {
					t.Fatalf("entry point %+v", e)
				}
			}
		}
	})
}
