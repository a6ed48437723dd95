package bytecode

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pythonHere returns the interpreter to compare with. DISTILL_PYTHON names another, DISTILL_PYCS
// the folders of its library whose byte code is tried (globs).
func pythonHere(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("runs a Python")
	}
	python, err := exec.LookPath(cmp.Or(os.Getenv("DISTILL_PYTHON"), "python3"))
	if err != nil {
		t.Skip("no python3 here (another one: DISTILL_PYTHON)")
	}
	return python
}

// run gives python a script and input, and returns what it writes.
func run(t *testing.T, python, script string, input []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(python, append([]string{"-S", "-s", "-c", script}, args...)...)
	cmd.Stdin = bytes.NewReader(input)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"LC_ALL=C.UTF-8", "PYTHONHASHSEED=0"} // which -I would not read
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	return out
}

// equalScript reads pairs of byte code and says how many load to equal objects, down to the
// last detail.
const equalScript = `
import marshal, struct, sys, types
def key(v):
    t = type(v)
    if t is types.CodeType:
        names = [n for n in dir(v) if n.startswith("co_") and not callable(getattr(v, n)) and n != "co_lnotab"]
        return (t.__name__, tuple((n, key(getattr(v, n))) for n in names))
    if t in (tuple, list):
        return (t.__name__, tuple(map(key, v)))
    if t is frozenset:
        return (t.__name__, frozenset(map(key, v)))
    return (t.__name__, repr(v))
data, n, at = sys.stdin.buffer.read(), 0, 0
while at < len(data):
    pair = []
    for _ in range(2):
        size, = struct.unpack_from("<I", data, at)
        pair.append(marshal.loads(data[at + 4:at + 4 + size]))
        at += 4 + size
    assert key(pair[0]) == key(pair[1]), pair
    n += 1
print(n)
`

// What CPython wrote for its own library loads to the same after Normalize.
func TestNormalizedCodeLoadsAsBefore(t *testing.T) {
	python := pythonHere(t)
	stdlib := strings.TrimSpace(string(run(t, python, "import os; print(os.path.dirname(os.__file__))", nil)))
	var names []string
	for _, folder := range strings.Fields(cmp.Or(os.Getenv("DISTILL_PYCS"), ". json importlib asyncio email encodings")) {
		more, err := filepath.Glob(filepath.Join(stdlib, folder, Dir, "*.pyc"))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, more...)
	}
	var input []byte
	n, changed := 0, 0
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h, ok := ParseHeader(b)
		if !ok {
			t.Fatalf("%s: no header", name)
		}
		before := b[HeaderSize:]
		after := bytes.Clone(before)
		if err := Normalize(after, h.Magic); errors.Is(err, errMagic) {
			t.Skipf("%s is of an unknown version", name)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !bytes.Equal(before, after) {
			changed++
		}
		for _, code := range [][]byte{before, after} {
			input = binary.LittleEndian.AppendUint32(input, uint32(len(code)))
			input = append(input, code...)
		}
		n++
	}
	if n == 0 {
		t.Skipf("no byte code in %s", stdlib)
	}
	if changed == 0 {
		t.Error("nothing was changed")
	}
	if got := strings.TrimSpace(string(run(t, python, equalScript, input))); got != itoa(n) {
		t.Errorf("%s of %d are equal", got, n)
	}
	t.Logf("%d of %d changed", changed, n)
}

// dumpScript compiles some modules after others have been imported, or not.
const dumpScript = `
import marshal, os, struct, sys
for name in sys.argv[2:] if sys.argv[1] == "busy" else []:
    __import__(name[:-3])
if sys.argv[1] == "busy":
    import json, decimal, unittest, email.message, ast
    keep = [compile(open(os.path.join(os.path.dirname(os.__file__), n), "rb").read(), "other", "exec") for n in sys.argv[2:]]
for name in sys.argv[2:]:
    code = marshal.dumps(compile(open(os.path.join(os.path.dirname(os.__file__), name), "rb").read(), "/x/" + name, "exec", dont_inherit=True, optimize=0))
    sys.stdout.buffer.write(struct.pack("<I", len(code)) + code)
`

// Two processes that know different things write different bytes, which are the same
// after Normalize.
func TestNormalizeForgetsTheProcess(t *testing.T) {
	python := pythonHere(t)
	magic := binary.LittleEndian.Uint16(run(t, python, "import sys, importlib.util as u; sys.stdout.buffer.write(u.MAGIC_NUMBER)", nil))
	flat := []string{"ast.py", "argparse.py", "decimal.py", "dataclasses.py", "enum.py", "typing.py", "inspect.py", "tarfile.py"}
	a := run(t, python, dumpScript, nil, append([]string{"quiet"}, flat...)...)
	b := run(t, python, dumpScript, nil, append([]string{"busy"}, flat...)...)
	different := 0
	for i := range flat {
		var x, y []byte
		x, a = cut(t, a)
		y, b = cut(t, b)
		if !bytes.Equal(x, y) {
			different++
		}
		if err := Normalize(x, magic); errors.Is(err, errMagic) {
			t.Skip("Python of an unknown version")
		} else if err != nil {
			t.Fatal(err)
		}
		if err := Normalize(y, magic); err != nil {
			t.Fatal(err)
		}
		// CPython 3.13.0 also shares more or fewer equal strings, which is another size.
		if len(x) == len(y) && !bytes.Equal(x, y) {
			t.Errorf("%s still tells of the process", flat[i])
		}
	}
	t.Logf("%d of %d different before", different, len(flat))
}

func cut(t *testing.T, b []byte) (first, rest []byte) {
	t.Helper()
	n := binary.LittleEndian.Uint32(b)
	return b[4 : 4+n], b[4+n:]
}

// takenScript imports a module whose byte code says something else than its source.
const takenScript = `
import os, sys, marshal, importlib.util
d = sys.argv[1]
data = sys.stdin.buffer.read()
os.makedirs(d + "/__pycache__", exist_ok=True)
open(d + "/taken.py", "w").write("x = 'source'\n")
open(importlib.util.cache_from_source(d + "/taken.py"), "wb").write(data)
os.utime(d + "/taken.py", (315619200, 315619200))
sys.path.insert(0, d)
import taken
print(taken.x)
`

// Python takes what Unchecked makes without a look at the source.
func TestPythonTakesUncheckedCode(t *testing.T) {
	python := pythonHere(t)
	b := run(t, python, `import sys, marshal, struct, importlib.util as u
sys.stdout.buffer.write(u.MAGIC_NUMBER + struct.pack("<III", 0, 1700000000, 12) + marshal.dumps(compile("x = 'code'", "t.py", "exec")))`, nil)
	if got := string(run(t, python, takenScript, b, t.TempDir())); got != "source\n" {
		t.Errorf("stale byte code gave %q", got)
	}
	if got := string(run(t, python, takenScript, readAll(t, Unchecked.Reader(bytes.NewReader(b))), t.TempDir())); got != "code\n" {
		t.Errorf("unchecked byte code gave %q", got)
	}
}
