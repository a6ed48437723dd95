package inspect

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what Read finds into the samples")

func TestReadOnSamples(t *testing.T) {
	names, err := filepath.Glob("testdata/read/*.txtar")
	if err != nil || len(names) < 8 {
		t.Fatal(len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			s := readSample(t, name)
			e, err := Read(s.set, Options{Platform: "linux/amd64", Env: s.env})
			var got string
			if err != nil {
				got = "error: " + err.Error() + "\n"
			} else {
				got = dump(e)
			}
			if got == s.want {
				return
			}
			if *update {
				text, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				before, _, _ := strings.Cut(string(text), "-- want --\n")
				if err := os.WriteFile(name, []byte(before+"-- want --\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			t.Errorf("got\n%s\nwant\n%s", got, s.want)
		})
	}
}

func dump(e *Environment) string {
	var b strings.Builder
	for n, i := range e.Interpreters {
		mark := "also"
		if n == 0 {
			mark = "python"
		}
		fmt.Fprintf(&b, "%s %s %s %s %s prefix=%s libc=%s\n", mark, i.Path, i.Version, i.ABI, i.Scheme, i.Prefix, libcText(i))
		fmt.Fprintf(&b, "  names %s\n  purelib %s scripts %s data %s headers %s\n", strings.Join(i.Names, " "), i.Purelib, i.Scripts, i.Data, i.Headers)
		fmt.Fprintf(&b, "  path %s\n", strings.Join(i.SysPath, " "))
		if len(i.PthImports) > 0 {
			fmt.Fprintf(&b, "  code in %s\n", strings.Join(i.PthImports, " "))
		}
		if i.ExternallyManaged != "" {
			fmt.Fprintf(&b, "  %s\n", i.ExternallyManaged)
		}
	}
	for _, d := range e.Distributions {
		dumpDistribution(&b, d)
	}
	for _, w := range e.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	return b.String()
}

func dumpDistribution(b *strings.Builder, d *Distribution) {
	fmt.Fprintf(b, "%s %s %s %s", d.Name, d.Version, strings.ReplaceAll(string(d.Kind), " ", "-"), d.Info)
	if d.Shadowed {
		b.WriteString(" shadowed")
	}
	b.WriteString("\n")
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(b, "  %s %s\n", key, value)
		}
	}
	line("refused", d.Refused)
	line("owner", d.Owner)
	line("installer", d.Installer)
	line("binary", d.Binary)
	line("editable", d.Editable)
	line("url", d.DirectURL)
	line("needs-path", d.PathEntry)
	for _, r := range d.Metadata.RequiresDist {
		line("requires", r.String())
	}
	line("from", d.FilesFrom)
	for _, f := range d.Files {
		line("-", f)
	}
	line("missing", strings.Join(d.Missing, " "))
	line("modified", strings.Join(d.Modified, " "))
}
