package pysource_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/pysource"
)

// show writes facts as text: a line for each import, with o, d, f and t for optional,
// deferred, fallback and the number of its try statement, then one for each load.
func show(f *pysource.Facts) string {
	var out []string
	for _, i := range f.Imports {
		line := i.Module
		if i.Names != nil {
			line += ":" + strings.Join(i.Names, ",")
		}
		flags := ""
		for _, x := range []struct {
			set  bool
			text string
		}{{i.Optional, "o"}, {i.Deferred, "d"}, {i.Fallback, "f"}, {i.Try > 0, fmt.Sprint("t", i.Try)}} {
			if x.set {
				flags += x.text
			}
		}
		out = append(out, strings.TrimSpace(line+" "+flags))
	}
	for _, l := range f.Loads {
		out = append(out, l.Call+" "+l.Library)
	}
	return strings.Join(out, "; ")
}

func TestScan(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"empty", "", ""},
		{"plain", "import os\nimport a.b as c, d\n", "os; a.b; d"},
		{"from", "from a.b import c as d, e\nfrom . import f\nfrom ..g import h\nfrom .i import *\n", "a.b:c,e; .:f; ..g:h; .i:*"},
		{"odd spacing", "from . . a import b\nfrom.x import(y)\nimport\\\n z\n\timport t", "..a:b; .x:y; z; t"},
		{"brackets", "from a import (  # why\n    b,\n    c as d,  # x\n\n)\nimport e", "a:b,c; e"},
		{"semicolons", "import a; import b ;x = 1; from c import d", "a; b; c:d"},
		{"joined lines", "import a, \\\n    b\nx = 1 \\\n  + 2\nimport c", "a; b; c"},
		{"names of statements inside words", "important = 1\nimport_ = 2\nfromage = 3\nx.import_y\n", ""},
		{"strings", "'import a'\n\"\"\"\nimport b\n\"\"\"\nx = '''\nimport c\n\\'''\nimport d'''\nr'\\'; import e\nimport f", "f"},
		{"a string that is not closed", "x = 'abc\nimport a\n", "a"},
		{"comment", "# import a\nx = 1  # import b\nimport c # import d\n", "c"},
		{"inside brackets", "f(1,\nimport_a,\n  [2,\n{'x': 3}])\nimport b\n", "b"},
		{"function", "def f(x: int = 3) -> int:\n    import a\n    def g(): import b\nimport c\nasync def h():\n  from d import e", "a od; b od; c; d:e od"},
		{"method", "class A(B):\n    import a\n    def f(self):\n        import b\n    import c\n", "a; b od; c"},
		{"optional", "try:\n    import a\nexcept ImportError:\n    a = None\nimport b", "a ot1; b"},
		{"fallback", "try:\n    import a\nexcept ImportError:\n    import b\n", "a ot1; b oft1"},
		{"chain", "try:\n import a\nexcept ImportError:\n try:\n  import b\n except ImportError:\n  import c\n", "a ot1; b ot2; c o"},
		{"fallback inside", "try:\n try:\n  import a\n except ImportError:\n  import b\nexcept ImportError:\n  pass\n", "a ot2; b ot2"},
		{"told in other words", "try:\n    import a\nexcept ImportError as e:\n    raise RuntimeError('install a') from e\n", "a"},
		{"raised under a condition", "try:\n    import a\nexcept ImportError:\n    if x:\n        raise\n", "a ot1"},
		{"another exception", "try:\n    import a\nexcept (OSError, ValueError):\n    pass\n", "a"},
		{"any exception", "try:\n    import a\nexcept:\n    pass\ntry: import b\nexcept (ValueError, ModuleNotFoundError): pass\n", "a ot1; b ot2"},
		{"a tuple with a name", "try:\n    import a\nexcept _ERRORS:\n    pass\n", "a ot1"},
		{"the second clause", "try:\n    import a\nexcept OSError:\n    import x\nexcept Exception:\n    pass\nelse:\n    import b\nfinally:\n    import c\n", "a ot1; x o; b o; c"},
		{"else after raise", "try:\n    import a\nexcept ImportError:\n    raise X\nelse:\n    import b\n", "a; b"},
		{"try inside try", "try:\n try:\n  import a\n except ImportError:\n  raise\n import b\nexcept ImportError: pass\n", "a ot1; b ot1"},
		{"suppress", "with contextlib.suppress(ImportError, OSError):\n    import a\nwith open(x) as f:\n    import b\nwith suppress(ValueError): import c", "a o; b; c"},
		{"type checking", "if TYPE_CHECKING:\n    import a\nelse:\n    import b\nif typing.TYPE_CHECKING: import c\n", "b"},
		{"platform", "if sys.platform == 'win32':\n    import a\nelif os.name == \"posix\":\n    import b\nelse:\n    import c\n", "b"},
		{"not the platform", "if sys.platform != 'win32':\n    import a\nelse:\n    import b\n", "a"},
		{"version", "if sys.version_info >= (3, 11):\n    import tomllib\nelse:\n    import tomli\n", "tomllib o; tomli o"},
		{"main", "if __name__ == '__main__':\n    import a\n", "a o"},
		{"loop", "for x in y:\n    import a\nelse:\n    import b\nwhile z:\n import c\n", "a o; b o; c o"},
		{"one line", "if x: import a\nimport b\nclass C: import d\n", "a o; b; d"},
		{"dedent over several blocks", "if x:\n  if y:\n    try:\n      import a\n    except E: pass\nimport b\n", "a ot1; b"},
		{"tabs", "if x:\n\timport a\n        import b\nimport c", "a o; b o; c"},
		{"by name", "m = importlib.import_module('a.b')\nn = __import__(\"c\", fromlist=['x'])\nimportlib.import_module(name)\nimport_module(f'{a}.b')\nimport_module('.d', __name__)", "a.b od; c od; .d od"},
		{"repetitions", "import a\nimport a\nfrom b import c\nfrom b import d, c\ndef f():\n    import a\n", "a; b:c,d; a od"},
		{"loads", "ctypes.CDLL('libz.so.1')\nctypes.util.find_library(\"m\")\ncdll.LoadLibrary(path)\nffi.dlopen('libx.so', 1)\n", "CDLL libz.so.1; find_library m; LoadLibrary ; dlopen libx.so"},
		{"no loads", "ctypes.CDLL(None)\nctypes.windll.LoadLibrary('x')\nWinDLL('kernel32')\nCDLL('a.dll')\nclass CDLL(object): pass\ndef find_library(name): pass\nself.xCDLL('b')\nif os.name == 'nt':\n  CDLL('c')\n", ""},
		{"expressions as names", "CDLL('a' + x)\nCDLL('b' 'c')\nCDLL(\n  # which\n  'd', mode=1)\nCDLL('e\\x41')\n", "CDLL ; CDLL d"},
		{"byte order mark", "\xef\xbb\xbfimport a", "a"},
		{"carriage returns", "import a\r\nif x:\r\n    import b\r\nimport \\\r\n  c", "a; b o; c"},
		{"Python 2", "print 'x'\nexec \"import a\" in d\nimport b\nexcept X, e:\n  pass\n", "b"},
	} {
		if got := show(pysource.Scan([]byte(c.src))); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestScanPackageTellsNames(t *testing.T) {
	for _, c := range []struct {
		src, binds string
		dynamic    bool
	}{
		{"import os.path, x as y\nfrom .a import b, c as d\n", "b d os y", false},
		{"from . import a, b as c\n", "c", false},
		{"A = 1\nB: int = 2\nC, D = E = f(g=1)\nF += 1\nif x == 3:\n    H = 1\n", "A B C D E F H", false},
		{"def f():\n    a = 1\n    global g\n    g = 2\nclass K:\n    m = 1\n", "K f g", false},
		{"for i, j in x: pass\nwith open(f) as (k, l): pass\ntype T = int\n", "T i j k l", false},
		{"from .a import *\n", "", false},
		{"def __getattr__(name): pass\n", "__getattr__", true},
		{"import sys\nsys.modules[__name__] = x\n", "__name__ modules sys", true},
		{"(a, b) = f()\n", "", true},
		{"x = f()\nwarnings.warn('y')\n__all__.extend(x)\n", "x", false},
		{"with a:\n    _set(find_module())\n", "", true},
	} {
		f := pysource.ScanPackage([]byte(c.src))
		for _, want := range strings.Fields(c.binds) {
			if !strings.Contains(" "+strings.Join(f.Binds, " ")+" ", " "+want+" ") {
				t.Errorf("%q binds %v, not %s", c.src, f.Binds, want)
			}
		}
		if n := len(strings.Fields(c.binds)); c.binds != "" && len(f.Binds) > n+1 || f.Dynamic != c.dynamic {
			t.Errorf("%q binds %v, dynamic %v", c.src, f.Binds, f.Dynamic)
		}
		if f := pysource.Scan([]byte(c.src)); f.Binds != nil || f.Dynamic {
			t.Errorf("%q: Scan says %+v", c.src, f)
		}
	}
	if f := pysource.ScanPackage([]byte("from .a import *\n")); !f.Star {
		t.Error("star not seen")
	}
	if f := pysource.ScanPackage([]byte("apipkg.initpkg(__name__, x)\n")); !f.Grafts {
		t.Error("package that hands its name on not seen")
	}
	if f := pysource.ScanPackage([]byte("def __getattr__(name): pass\n")); f.Grafts {
		t.Error("names are no submodules")
	}
	if f := pysource.ScanPackage([]byte("__import__('pkg_resources').declare_namespace(__name__)\n")); !f.Namespace {
		t.Error("namespace package not seen")
	}
}

func TestScanIsLinear(t *testing.T) {
	for _, unit := range []string{"import a%d\n", "try:\n import a%d\nexcept: pass\n", "(", "if x:\n", " if x:\n", "'''", "\\", "f(x)(", "from a import (b%d,\n"} {
		var b strings.Builder
		for i := range 60_000 {
			if strings.Contains(unit, "%d") {
				fmt.Fprintf(&b, unit, i)
			} else {
				b.WriteString(unit)
			}
		}
		f := pysource.ScanPackage([]byte(b.String()))
		if _, err := pysource.Decode(f.Encode()); err != nil {
			t.Errorf("%q: %v", unit, err)
		}
	}
}

func TestEncodeIsReadBack(t *testing.T) {
	for _, src := range []string{
		"", "import a", "from . import *\nx = CDLL('b')\nCDLL(c)", "try:\n import a\nexcept ImportError:\n from b import c\n",
		"def f():\n import x\n__path__ = extend_path(__path__, __name__)",
	} {
		f := pysource.ScanPackage([]byte(src))
		g, err := pysource.Decode(f.Encode())
		if err != nil || !reflect.DeepEqual(f, g) {
			t.Errorf("%q:\n got %+v, %v\nwant %+v", src, g, err, f)
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("try:\n import a\nexcept ImportError:\n try:\n  from .b import (c,\n d)\n except: raise\n"))
	f.Add([]byte("if sys.platform == 'linux':\n\tCDLL(r'x')\nelse: import_module('..a', b)\\\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		facts := pysource.ScanPackage(src)
		back, err := pysource.Decode(facts.Encode())
		if err != nil || !reflect.DeepEqual(facts, back) {
			t.Fatalf("%+v comes back as %+v, %v", facts, back, err)
		}
		for _, i := range facts.Imports {
			if i.Module == "" || strings.ContainsAny(i.Module, " \n'\"(#") {
				t.Fatalf("module %q", i.Module)
			}
		}
		for _, l := range facts.Loads {
			if strings.ContainsAny(l.Library, "\n\\\x00") || l.Call == "" {
				t.Fatalf("load %+v", l)
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(pysource.ScanPackage([]byte(sample)).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		facts, err := pysource.Decode(b)
		if err != nil {
			return
		}
		if back, err := pysource.Decode(facts.Encode()); err != nil || !reflect.DeepEqual(facts, back) {
			t.Fatalf("%+v comes back as %+v, %v", facts, back, err)
		}
	})
}
