package sandbox

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	const tail = " S 41 42 43 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 9 0 12345 1000 50"
	for text, want := range map[string]process{
		"42 (sh)" + tail:                              {parent: 41, threads: 9},
		"42 (a) S 1 1 (evil)" + tail:                  {parent: 41, threads: 9},
		"42 (z) Z 7 1 1 0 0 0 0 0 0 0 0 0 0 0 20 0 1": {parent: 7, threads: 1, dead: true},
	} {
		if got, ok := parseStat(text); !ok || got != want {
			t.Errorf("%q: %+v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "42", "42 (sh)", "42 (sh) S 1"} {
		if _, ok := parseStat(text); ok {
			t.Errorf("%q was read", text)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("42 (sh) S 41 42 43 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 9 0", "10 5 2 0 0 0 0")
	f.Fuzz(func(t *testing.T, stat, statm string) {
		parseStat(stat)
		if own, shared := parseMemory(statm); own < 0 || shared < 0 {
			t.Errorf("%q is less than nothing", statm)
		}
	})
}

func TestBelow(t *testing.T) {
	// 1 is the ancestor; 9 is somebody else's; 5 and 6 are each other's parents.
	table := []process{{pid: 1}, {pid: 2, parent: 1, threads: 1, memory: 10}, {pid: 3, parent: 2, threads: 4, memory: 5}, {pid: 4, parent: 1, dead: true}, {pid: 9, threads: 1, memory: 99}, {pid: 5, parent: 6}, {pid: 6, parent: 5}}
	if u := usageOf(below(table, 1)); u.threads != 5 || u.memory != 15 {
		t.Errorf("%+v", u)
	}
	if n := len(below(table, 1)); n != 2 {
		t.Errorf("%d processes", n)
	}
}

func TestFixedInterpreter(t *testing.T) {
	const head = "enabled\ninterpreter /usr/bin/qemu-aarch64-static\n"
	for text, want := range map[string]bool{
		head + "flags: PF\noffset 0\n": true, head + "flags: POCF\n": true, head + "flags: \noffset 0\n": false, head + "flags: OC\n": false, "": false,
	} {
		if fixedInterpreter(text) != want {
			t.Errorf("%q: not %v", text, want)
		}
	}
}

func TestRemedies(t *testing.T) {
	u := &Unavailable{Engine: "namespaces", Text: "x", Remedy: "do y"}
	if u.Error() != "sandbox engine namespaces: x" || len(u.Hints()) != 1 || len((&Unavailable{}).Hints()) != 0 {
		t.Errorf("%v %v", u, u.Hints())
	}
	if _, err := Open(t.Context(), "docker"); !errors.Is(err, ErrEngine) {
		t.Errorf("an unknown engine: %v", err)
	}
	r := report{Step: stepProgram, Text: "/bin/sh", Errno: int(unix.ENOEXEC)}
	if err := failed("namespaces", "linux/mips", r, unix.ENOEXEC); !errors.As(err, &u) || u.Remedy != binfmtRemedy {
		t.Errorf("a program of another machine: %v", err)
	}
	var start *StartError
	if err := failed("namespaces", "", r, unix.ENOEXEC); !errors.As(err, &start) || !errors.Is(err, unix.ENOEXEC) {
		t.Errorf("a program that is none: %v", err)
	}
}
