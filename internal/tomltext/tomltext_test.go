package tomltext

import (
	"reflect"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// box is what the tests read into.
type box struct {
	A any `toml:"a"`
}

func TestDecode(t *testing.T) {
	for _, c := range []struct{ text, loose, strict string }{
		{"", "", ""},
		{"a = 1", "", ""},
		{"\na = 1\n[b.c]\n", "", `f.toml:3: there is no key "b.c"`},
		{"a = 1\nb = 2", "", `f.toml:2: there is no key "b"`},
		{"a = 1\na = 2", "f.toml:2: ", "f.toml:2: "},
		{"\n\na = [1", "f.toml:3: ", "f.toml:3: "},
		{"a = ", "f.toml:1: ", "f.toml:1: "},
	} {
		for _, run := range []struct {
			decode func(string, []byte, any) error
			want   string
		}{{Decode, c.loose}, {DecodeStrict, c.strict}} {
			err := run.decode("f.toml", []byte(c.text), &box{})
			if (err == nil) != (run.want == "") || err != nil && (!strings.HasPrefix(err.Error(), run.want) || strings.Contains(err.Error(), "toml: ")) {
				t.Errorf("%q: %v, want %q", c.text, err, run.want)
			}
		}
	}
	if err := Decode("", []byte("\na = ["), &box{}); err == nil || !strings.HasPrefix(err.Error(), "line 2: ") {
		t.Errorf("without a file: %v", err)
	}
	var b struct {
		A []string `toml:"a"`
	}
	if err := Decode("f.toml", []byte("a = ['x', 'y']"), &b); err != nil || !reflect.DeepEqual(b.A, []string{"x", "y"}) {
		t.Errorf("%v, %v", b.A, err)
	}
}

func TestDecodeRefusesWhatNestsDeeply(t *testing.T) {
	const n = 1 << 20
	for name, c := range map[string]struct {
		text string
		line string
	}{
		"arrays":           {"a = " + strings.Repeat("[", n), "line 1:"},
		"arrays in lines":  {"a = " + strings.Repeat("[\n", n), "line 201:"},
		"tables":           {"a = " + strings.Repeat("{a=", n), "line 1:"},
		"dots of a key":    {strings.Repeat("a.", n) + "a = 1", "line 1:"},
		"dots of a table":  {"\n[" + strings.Repeat("a.", n) + "a]", "line 2:"},
		"texts that close": {"a = " + strings.Repeat("[']',", n), "line 1:"},
		"lines that close": {"a = " + strings.Repeat("[\"\"\"\n]\"\"\",", n), "line 201:"},
		"seven quotes":     {"a = [" + strings.Repeat(`""""""",[""""""",[`, n/8), "line 1:"},
		"eight quotes":     {`a = [""""""",[` + strings.Repeat(`"""""""",[`, n/8), "line 1:"},
		"apostrophes":      {"a = ['''''''" + strings.Repeat(",[''''''''", n/8), "line 1:"},
		"escapes":          {"a = [" + strings.Repeat(`"\"",[`, n), "line 1:"},
		"comments":         {"a = [" + strings.Repeat("[ # ]\n", n), "line 200:"},
	} {
		for file, want := range map[string]string{"f.toml": "f.toml: brackets nest too deeply, in ", "": "brackets nest too deeply, in "} {
			err := Decode(file, []byte(c.text), &box{})
			if err == nil || !strings.HasPrefix(err.Error(), want+c.line) {
				t.Errorf("%s: %v, want %q", name, err, want+c.line)
			}
		}
	}
}

func TestDecodeTakesWhatOnlyLooksDeep(t *testing.T) {
	for name, text := range map[string]string{
		"text":     "a = '" + strings.Repeat("[", 1000) + "'",
		"lines":    "a = \"\"\"" + strings.Repeat("{\n", 1000) + "\"\"\"",
		"literal":  "a = '''" + strings.Repeat("[\\", 1000) + "'''",
		"comment":  "# " + strings.Repeat("[", 1000) + "\na = 1",
		"array":    "a = [" + strings.Repeat("[1.5],", 1000) + "]",
		"in lines": "a = [\n" + strings.Repeat("1.5,\n", 1000) + "]",
		"nested":   "a = " + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth),
		"quotes":   `a = ["""x""""",'''y''''', "\"["]`,
	} {
		if err := DecodeStrict("f.toml", []byte(text), &box{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is decoded is what the parser says; an error says where it is, in one of the two forms.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"a = 1", "a = [[1], {b.c = '''x'''''}]\n[t.u]\n", `a = """x"""""`, "a = \"\\\"[\" # [", "[[a]]\nb = 1979-05-27", "a.b.c = {"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var got, want map[string]any
		err := Decode("f.toml", text, &got)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.toml:") {
				t.Fatalf("%v", err)
			}
			return
		}
		if err := toml.Unmarshal(text, &want); err != nil || !alike(got, want) {
			t.Fatalf("%v, %v: %v", got, want, err)
		}
		if d := depth(got); d > (maxDepth+1)*(strings.Count(string(text), "=")+strings.Count(string(text), "[")+1) {
			t.Fatalf("%d deep", d)
		}
	})
}

// alike is reflect.DeepEqual for values among which there may be one that is not itself (nan).
func alike(a, b map[string]any) bool {
	x, errX := toml.Marshal(a)
	y, errY := toml.Marshal(b)
	return string(x) == string(y) && (errX == nil) == (errY == nil)
}

func depth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			deepest = max(deepest, depth(x)+1)
		}
	case []any:
		for _, x := range v {
			deepest = max(deepest, depth(x)+1)
		}
	}
	return deepest
}
