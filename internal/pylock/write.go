package pylock

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Text writes the lock as TOML, the same bytes for the same content. What
// changes together stands on lines of its own, so that a small change of the
// requirements is a small difference of the file.
func (l *Lock) Text() []byte {
	var e encoder
	e.comment("The versions and files of " + strings.Join(l.Distill.Platforms, " and ") + ", made by distill lock (PEP 751).")
	e.pair("lock-version", quote("1.0"))
	if len(l.Environments) > 0 {
		var list []string
		for _, m := range l.Environments {
			list = append(list, quote(m.String()))
		}
		e.array("environments", list)
	}
	if !l.RequiresPython.IsEmpty() {
		e.pair("requires-python", quote(l.RequiresPython.String()))
	}
	e.pair("extras", "[]")
	e.pair("dependency-groups", "[]")
	e.pair("default-groups", "[]")
	e.pair("created-by", quote(l.CreatedBy))
	packages := slices.Clone(l.Packages)
	slices.SortStableFunc(packages, comparePackages)
	if len(packages) == 0 {
		e.pair("packages", "[]")
	}
	for _, p := range packages {
		e.line("")
		e.line("[[packages]]")
		e.entry(p)
		e.origin("packages.tool.distill", &p.Distill)
	}
	e.distill(&l.Distill)
	return []byte(e.String())
}

// encoder writes TOML. All foreign text goes through quote.
type encoder struct{ strings.Builder }

func (e *encoder) line(s string) {
	e.WriteString(s)
	e.WriteByte('\n')
}

func (e *encoder) comment(s string) { e.line("# " + strings.Map(printable, s)) }

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return '?'
	}
	return r
}

// pair writes a key with a value that is TOML already.
func (e *encoder) pair(key, value string) { e.line(bareKey(key) + " = " + value) }

// array writes values on lines of their own.
func (e *encoder) array(key string, values []string) {
	e.line(bareKey(key) + " = [")
	for _, v := range values {
		e.line("    " + v + ",")
	}
	e.line("]")
}

func (e *encoder) optional(key, text string) {
	if text != "" {
		e.pair(key, quote(text))
	}
}

func (e *encoder) entry(p *Package) {
	e.pair("name", quote(string(p.Name)))
	if p.Version != nil {
		e.pair("version", quote(p.Version.String()))
	}
	if p.Marker != nil {
		e.pair("marker", quote(p.Marker.String()))
	}
	e.optional("requires-python", p.RequiresPython.String())
	e.dependencies("dependencies", p.Dependencies)
	e.optional("index", p.Index)
	if p.Archive != nil {
		archive := *p.Archive
		archive.Name = "" // the standard has no such key here
		e.pair("archive", fileTable(&archive))
	}
	if p.Sdist != nil {
		e.pair("sdist", fileTable(p.Sdist))
	}
	if len(p.Wheels) > 0 {
		var list []string
		for i := range p.Wheels {
			list = append(list, fileTable(&p.Wheels[i]))
		}
		e.array("wheels", list)
	}
}

func (e *encoder) dependencies(key string, all []Dependency) {
	if len(all) == 0 {
		return
	}
	var list []string
	for _, d := range all {
		pairs := []string{"name = " + quote(string(d.Name))}
		if d.Version != nil {
			pairs = append(pairs, "version = "+quote(d.Version.String()))
		}
		list = append(list, inline(pairs))
	}
	e.array(key, list)
}

func fileTable(f *File) string {
	var pairs []string
	add := func(key, value string) { pairs = append(pairs, key+" = "+value) }
	if f.Name != "" {
		add("name", quote(f.Name))
	}
	if !f.Uploaded.IsZero() {
		add("upload-time", f.Uploaded.UTC().Format(time.RFC3339Nano))
	}
	if f.URL != "" {
		add("url", quote(f.URL))
	}
	if f.Path != "" {
		add("path", quote(f.Path))
	}
	if f.Size > 0 {
		add("size", strconv.FormatInt(f.Size, 10))
	}
	var hashes []string
	for _, k := range sortedKeys(f.Hashes) {
		hashes = append(hashes, bareKey(k)+" = "+quote(f.Hashes[k]))
	}
	add("hashes", inline(hashes))
	return inline(pairs)
}

func inline(pairs []string) string {
	if len(pairs) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(pairs, ", ") + " }"
}

// origin writes where a package comes from and how it is built, in the table that is
// called so.
func (e *encoder) origin(table string, o *Origin) {
	e.account(table, o)
	for i := range o.Builds {
		b := &o.Builds[i]
		e.line("")
		e.line("[[" + table + ".builds]]")
		e.pair("platforms", inlineTexts(b.Platforms))
		e.strings("asked", b.Asked)
		e.dependencies("requires", b.Requires)
	}
}

// account writes where a package comes from.
func (e *encoder) account(table string, o *Origin) {
	if len(o.On) == 0 && len(o.WantedBy) == 0 && len(o.Passed) == 0 && o.Note == "" && len(o.Extras) == 0 {
		return
	}
	e.line("")
	e.line("[" + table + "]")
	if len(o.On) > 0 {
		e.pair("on", inlineStrings(o.On))
	}
	if len(o.Extras) > 0 {
		e.pair("extras", inlineTexts(o.Extras))
	}
	e.strings("wanted-by", o.WantedBy)
	e.strings("passed-over", o.Passed)
	e.optional("note", o.Note)
}

func (e *encoder) strings(key string, list []string) {
	if len(list) == 0 {
		return
	}
	var out []string
	for _, s := range list {
		out = append(out, quote(s))
	}
	e.array(key, out)
}

func inlineTexts[S ~string](list []S) string {
	var out []string
	for _, s := range list {
		out = append(out, quote(string(s)))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

func inlineStrings(m map[string]string) string {
	var pairs []string
	for _, k := range sortedKeys(m) {
		pairs = append(pairs, bareKey(k)+" = "+quote(m[k]))
	}
	return inline(pairs)
}

// distill writes [tool.distill].
func (e *encoder) distill(d *Distill) {
	if len(d.Platforms) == 0 {
		return
	}
	e.line("")
	e.line("[tool.distill]")
	e.pair("platforms", inlineTexts(d.Platforms))
	e.optional("python", d.Python)
	if len(d.Libc) > 0 {
		e.pair("libc", inlineStrings(d.Libc))
	}
	if len(d.Options) > 0 {
		e.pair("options", inlineStrings(d.Options))
	}
	for _, i := range d.Images {
		e.line("")
		e.line("[[tool.distill.images]]")
		e.optional("role", i.Role)
		e.optional("reference", i.Reference)
		e.optional("digest", i.Digest)
	}
	image := slices.Clone(d.Image)
	slices.SortStableFunc(image, comparePackages)
	for _, p := range image {
		e.line("")
		e.line("[[tool.distill.image-packages]]")
		e.entry(p)
		e.origin("tool.distill.image-packages.tool.distill", &p.Distill)
	}
	e.buildPackages(d.Build)
}

// buildPackages writes what packages are built with.
func (e *encoder) buildPackages(list []*Package) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, comparePackages)
	for i, p := range list {
		e.line("")
		if i == 0 {
			e.comment("What packages are built with; none of it is installed.")
		}
		e.line("[[tool.distill.build-packages]]")
		e.entry(p)
		e.origin("tool.distill.build-packages.tool.distill", &p.Distill)
	}
}

// bareKey writes a key, quoted where TOML asks for it.
func bareKey(s string) string {
	if s == "" {
		return `""`
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return quote(s)
		}
	}
	return s
}

// quote writes a string of TOML 1.0, in single quotes where that spares escapes.
// What is not UTF-8 becomes U+FFFD.
func quote(s string) string {
	plain := func(r rune) bool { return r < ' ' || r > '~' || r == '\'' }
	if strings.Contains(s, `"`) && !strings.ContainsFunc(s, plain) {
		return "'" + s + "'"
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < ' ' || r >= 0x7f && r <= 0x9f || isBidi(r):
			fmt.Fprintf(&b, `\u%04X`, r)
		case r == utf8.RuneError:
			b.WriteString("\uFFFD")
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// isBidi tells whether r changes the direction of text, which could make a
// reviewer read another file than the one that is there.
func isBidi(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x061c
}
