package elfdeps

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestRealLoadersAgree builds the trees of testdata/loader with a compiler and
// compares what the real loader does with what the cases say, and with that
// Loader agrees already.
func TestRealLoadersAgree(t *testing.T) {
	if os.Getenv("DISTILL_E2E") == "" {
		t.Skip("set DISTILL_E2E=1 to compile with gcc and musl-gcc and ask the real loaders")
	}
	for family, cc := range map[string]string{"glibc": "gcc", "musl": "musl-gcc"} {
		if _, err := exec.LookPath(cc); err != nil {
			t.Logf("no %s: its cases are skipped", cc)
			continue
		}
		for _, c := range loaderCases(t) {
			if !c.model {
				t.Run(c.name+"/"+family, func(t *testing.T) {
					if c.chroot && (os.Getuid() != 0 || runtime.GOARCH != "amd64") {
						t.Skip("needs root, and a machine for which the case is written")
					}
					t.Parallel()
					(&realCase{loaderCase: c, cc: cc, family: family, root: t.TempDir()}).run(t)
				})
			}
		}
	}
}

type realCase struct {
	loaderCase
	cc, family, root string
}

const libSource = `
#include <dlfcn.h>
#include <stdio.h>
void distill_open(void) {
	const char *name = NAME;
	if (*name && !dlopen(name, RTLD_NOW)) printf("ERR %s\n", dlerror());
}
`

const mainSource = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
static int show(struct dl_phdr_info *i, size_t n, void *p) { printf("LOADED %s\n", i->dlpi_name); return 0; }
int main(int argc, char **argv) {
	for (int i = 1; i < argc; i++) {
		void *h = dlopen(argv[i], RTLD_NOW);
		if (!h) { printf("ERR %s\n", dlerror()); continue; }
		void (*f)(void) = (void (*)(void))dlsym(h, "distill_open");
		if (f) f();
	}
	dl_iterate_phdr(show, 0);
	return 0;
}
`

func (c *realCase) run(t *testing.T) {
	for _, e := range c.elf {
		c.compile(t, e)
	}
	for _, l := range c.links {
		if strings.HasPrefix(l[1], "/") && !c.chroot {
			l[1] = c.root + l[1]
		}
		c.mkdir(t, l[0])
		if err := os.Symlink(l[1], c.root+"/"+l[0]); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range c.texts {
		c.write(t, x[0], x[1])
	}
	root := c.root // as the program sees it
	if c.chroot {
		root = ""
		c.fillRoot(t)
	}
	args := make([]string, 0, len(c.load))
	for _, p := range c.load {
		args = append(args, root+"/"+p)
	}
	cmd := exec.Command(root+"/"+c.main, args...)
	if c.chroot {
		cmd.SysProcAttr, cmd.Dir = &syscall.SysProcAttr{Chroot: c.root}, "/"
	}
	if c.env != "" {
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+root+c.env)
	}
	out, err := cmd.CombinedOutput()
	text := string(out)
	if err != nil {
		text += "ERR " + err.Error()
	}
	for _, w := range c.want {
		if w.family == c.family {
			c.check(t, w, text)
		}
	}
}

// fillRoot makes the case's tree a root that programs start in: with the loader, the C
// library, and the files that say where libraries are.
func (c *realCase) fillRoot(t *testing.T) {
	interp := interps[c.family]
	c.copy(t, interp, interp)
	if c.family == "glibc" {
		out, err := exec.Command(c.cc, "-print-file-name=libc.so.6").Output()
		if err != nil {
			t.Fatal(err)
		}
		c.copy(t, strings.TrimSpace(string(out)), "/lib/x86_64-linux-gnu/libc.so.6")
	}
	if len(c.cache) > 0 {
		c.write(t, "etc/ld.so.cache", string(EncodeCache(c.cache)))
	}
	if c.path != "" {
		c.write(t, "etc/ld-musl-x86_64.path", c.path+"\n")
	}
}

func (c *realCase) copy(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(c.write(t, to, string(b)), 0o755); err != nil {
		t.Fatal(err)
	}
}

// check compares one expected result with the program's output.
func (c *realCase) check(t *testing.T, w caseWant, out string) {
	t.Helper()
	name := strings.TrimPrefix(w.name, "dlopen:")
	plain, variant, hasVariant := strings.Cut(strings.TrimPrefix(w.result, "provider:"), "+")
	loaded := ""
	for line := range strings.Lines(out) {
		root := c.root
		if c.chroot {
			root = ""
		}
		p, ok := strings.CutPrefix(strings.TrimSpace(line), "LOADED "+root+"/")
		opened := slices.Contains(c.load, p) // itself, by its path
		if ok && (filepath.Base(p) == name && !opened || p == plain) {
			loaded = p
		}
	}
	failed := strings.Contains(out, "ERR ") && strings.Contains(out, name)
	switch {
	case hasVariant && (loaded == variant || loaded == plain):
	case plain == "missing" && failed && loaded == "":
	case plain == "builtin" && !failed && loaded == "":
	case plain != "missing" && loaded == plain:
	default:
		t.Errorf("%s needs %s: want %s, the real loader says:\n%s", w.object, w.name, w.result, out)
	}
}

func (c *realCase) compile(t *testing.T, e caseELF) {
	t.Helper()
	c.mkdir(t, e.path)
	args := []string{"-w", "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", "-o", c.root + "/" + e.path}
	if e.file.Program {
		args = append(args, c.write(t, "src/main.c", mainSource))
	} else {
		args = append(args, "-shared", "-fPIC", fmt.Sprintf("-DNAME=%q", e.dlopens), c.write(t, "src/lib.c", libSource))
	}
	if e.file.Soname != "" {
		args = append(args, "-Wl,-soname,"+e.file.Soname)
	}
	for tag, p := range map[string]string{"--disable-new-dtags": e.file.RPath, "--enable-new-dtags": e.file.RunPath} {
		if p != "" {
			args = append(args, "-Wl,"+tag, "-Wl,-rpath,"+c.rooted(p))
		}
	}
	for _, n := range e.file.Needed {
		stub := "src/stubs/" + n
		c.mkdir(t, stub)
		c.exec(t, "-shared", "-fPIC", "-Wl,-soname,"+n, "-o", c.root+"/"+stub, "-x", "c", "/dev/null")
		args = append(args, c.root+"/"+stub)
	}
	if e.file.NoDeflib {
		args = append(args, "-Wl,-z,nodefaultlib")
	}
	c.exec(t, args...)
}

// rooted puts the case's root before the absolute directories of a path.
func (c *realCase) rooted(p string) string {
	if c.chroot {
		return p
	}
	parts := strings.Split(p, ":")
	for i, d := range parts {
		if strings.HasPrefix(d, "/") {
			parts[i] = c.root + d
		}
	}
	return strings.Join(parts, ":")
}

func (c *realCase) exec(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(c.cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", c.cc, args, err, out)
	}
}

func (c *realCase) mkdir(t *testing.T, p string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(c.root+"/"+p), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (c *realCase) write(t *testing.T, p, text string) string {
	t.Helper()
	c.mkdir(t, p)
	if err := os.WriteFile(c.root+"/"+p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return c.root + "/" + p
}
