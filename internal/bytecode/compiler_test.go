package bytecode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

type module struct{ path, source string }

// compile runs the compiler as it is run in an image.
func compile(t *testing.T, python string, list ...module) ([]Code, error) {
	t.Helper()
	var in, out, stderr bytes.Buffer
	for _, m := range list {
		if err := WriteModule(&in, m.path, []byte(m.source)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(python, CompilerArgs()...)
	cmd.Env, cmd.Dir = CompilerEnv(), t.TempDir()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	return ReadCode(&out, len(list))
}

func TestCompilerCompiles(t *testing.T) {
	python := pythonHere(t)
	good := module{"/usr/lib/taken.py", "x = 'code'\ny = x if x is 'code' else {'a', 'b'}\n"} // with a warning
	got, err := compile(t, python,
		good,
		module{"/t.py", "{{ cookiecutter.name }}\nprint 1\n"},
		module{"/nul.py", "x = 1\x00"},
		module{"/latin.py", "# -*- coding: latin-1 -*-\nx = '\xe9'\n"},
		module{"/bad.py", "x = '\xe9'\n"},
		module{"/deep.py", strings.Repeat("(", 2000)},
		module{"/names.py", "\u00e9l\u00e8ve = '\ufb01'\n"},
		module{"/empty.py", ""},
		module{"/\xff.py", "x = 2"},
	)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "SyntaxError", "", "", "SyntaxError", "", "", "", ""} {
		if i == 2 || i == 5 { // differs between versions
			continue
		}
		if got[i].Why != "" != (want != "") || !strings.HasPrefix(got[i].Why, want) || (got[i].Data == nil) != (want != "") {
			t.Errorf("module %d: %q, %d bytes", i, got[i].Why, len(got[i].Data))
		}
	}
	if text := string(run(t, python, takenScript, got[0].Data, t.TempDir())); text != "code\n" {
		t.Errorf("what was compiled gave %q", text)
	}
	alone, err := compile(t, python, module{"/a.py", "code = y = x = 'b'"}, good)
	if err != nil || !bytes.Equal(alone[1].Data, got[0].Data) {
		t.Errorf("other modules show in byte code: %v", err)
	}
	// The hash is the real one: Python takes the code even if it is told to check.
	hash := run(t, python, "import sys, importlib.util as u; sys.stdout.buffer.write(u.source_hash(sys.stdin.buffer.read()))", []byte(good.source))
	if !bytes.Equal(hash, got[0].Data[8:HeaderSize]) {
		t.Errorf("hash %x, want %x", got[0].Data[8:HeaderSize], hash)
	}
}

func answers(list ...string) string {
	var b []byte
	for _, a := range list {
		b = append(b, a[0])
		b = binary.LittleEndian.AppendUint32(b, uint32(len(a)-1))
		b = append(b, a[1:]...)
	}
	return string(b)
}

func TestReadCodeTrustsNothing(t *testing.T) {
	good := "+" + string(unhex(hashed+noisy))
	if got, err := ReadCode(strings.NewReader(answers(good, "-SyntaxError: x")), 2); err != nil || !bytes.Equal(got[0].Data, unhex(hashed+clean)) || got[1].Why == "" {
		t.Errorf("%v, %v", got, err)
	}
	for _, c := range []struct {
		text   string
		n      int
		want   string
		module int
	}{
		{"", 1, "it says nothing", 0},
		{answers(good), 2, "it says nothing", 1},
		{answers(good, good), 1, "more than it was asked", -1},
		{answers(good)[:30], 1, "breaks off", 0},
		{answers("+" + string(unhex(timed+noisy))), 1, "is no byte code", 0},
		{answers("+" + string(unhex(checked+noisy))), 1, "is no byte code", 0},
		{answers("+"), 1, "is no byte code", 0},
		{answers(good, "!its compiler ended with status 11"), 2, "status 11", 1},
		{answers("?"), 1, "of kind '?'", 0},
		{"-\xff\xff\xff\xff", 1, "an answer of 4294967295 bytes", 0},
		{"+\xff\xff\xff\xff", 1, "an answer of 4294967295 bytes", 0},
	} {
		_, err := ReadCode(strings.NewReader(c.text), c.n)
		if !errors.Is(err, ErrCompiler) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
		var at *ModuleError
		if got := errors.As(err, &at); got != (c.module >= 0) || got && at.Module != c.module {
			t.Errorf("%q: %+v, want module %d", c.text, at, c.module)
		}
	}
}
