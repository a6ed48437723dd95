package pylock

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/tomltext"
)

// maxSize bounds what is read, in bytes. The largest lock files of the field have some
// megabytes.
const maxSize = 64 << 20

// ErrUnsupported is wrapped by errors about lock files of a later standard.
var ErrUnsupported = errors.New("unsupported lock version")

// Read reads a lock file and checks it against PEP 751. The error names the place
// in the file, but not the file.
func Read(b []byte) (*Lock, error) { return read(b, reader{}) }

// ReadUnhashed is Read for those who judge locks: a file without a hash, which a lock
// must not have, gets an empty set of them.
func ReadUnhashed(b []byte) (*Lock, error) { return read(b, reader{unhashed: true}) }

func read(b []byte, r reader) (*Lock, error) {
	if len(b) > maxSize {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(b), maxSize)
	}
	var doc map[string]any
	if err := tomltext.Decode("", b, &doc); err != nil {
		return nil, err
	}
	l := r.lock(table{doc, ""})
	if r.err != nil {
		return nil, r.err
	}
	if err := l.checkBuilds(); err != nil {
		return nil, err
	}
	return l, nil
}

// table is a table of the file with its place.
type table struct {
	m  map[string]any
	at string
}

func (t table) place(key string) string {
	if t.at == "" {
		return key
	}
	return t.at + "." + key
}

// reader reads the parts of a file and keeps the first error.
type reader struct {
	err      error
	unhashed bool // files may have no hash
}

func (r *reader) fail(at, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: %w", at, fmt.Errorf(format, args...))
	}
}

// get returns the value of a key as T; the zero value if there is none.
func get[T any](r *reader, t table, key string) T {
	var zero T
	v, ok := t.m[key]
	if !ok {
		return zero
	}
	out, ok := v.(T)
	if !ok {
		r.fail(t.place(key), "this is %s, not %s", kindOf(v), kindOf(zero))
	}
	return out
}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a text"
	case int64:
		return "a number"
	case float64:
		return "a fraction"
	case bool:
		return "true or false"
	case time.Time, toml.LocalDateTime, toml.LocalDate, toml.LocalTime:
		return "a time"
	case []any:
		return "an array"
	case map[string]any:
		return "a table"
	}
	return "something else"
}

func (r *reader) required(t table, key string) string {
	s := get[string](r, t, key)
	if s == "" && r.err == nil {
		r.fail(t.place(key), "it is missing")
	}
	return s
}

// texts returns an array of texts.
func (r *reader) texts(t table, key string) []string {
	var out []string
	for i, v := range get[[]any](r, t, key) {
		s, ok := v.(string)
		if !ok {
			r.fail(fmt.Sprintf("%s[%d]", t.place(key), i), "this is %s, not a text", kindOf(v))
			return nil
		}
		out = append(out, s)
	}
	return out
}

// tables returns an array of tables.
func (r *reader) tables(t table, key string) []table {
	var out []table
	for i, v := range get[[]any](r, t, key) {
		at := fmt.Sprintf("%s[%d]", t.place(key), i)
		m, ok := v.(map[string]any)
		if !ok {
			r.fail(at, "this is %s, not a table", kindOf(v))
			return nil
		}
		out = append(out, table{m, at})
	}
	return out
}

func (r *reader) sub(t table, key string) (table, bool) {
	m := get[map[string]any](r, t, key)
	return table{m, t.place(key)}, m != nil
}

func (r *reader) marker(text, at string) *python.Marker {
	if text == "" {
		return nil
	}
	m, err := python.ParseMarker(text)
	if err != nil {
		r.fail(at, "%q is no marker: %w", text, err)
	}
	return m
}

func (r *reader) specifiers(t table, key string) python.Specifiers {
	s, err := python.ParseSpecifiers(get[string](r, t, key))
	if err != nil {
		r.fail(t.place(key), "%w", err)
	}
	return s
}

// name reads a project's name, which PEP 751 wants in normal form.
func (r *reader) name(t table) python.Name {
	text := r.required(t, "name")
	n, err := python.ParseName(text)
	if r.err == nil && (err != nil || string(n) != text) {
		r.fail(t.place("name"), "%q is no project name in normal form", text)
	}
	return n
}

func (r *reader) version(t table, key string) *python.Version {
	text := get[string](r, t, key)
	if text == "" {
		return nil
	}
	v, err := python.ParseVersion(text)
	if err != nil {
		r.fail(t.place(key), "%w", err)
		return nil
	}
	return &v
}

func (r *reader) lock(t table) *Lock {
	r.lockVersion(t)
	l := &Lock{CreatedBy: r.required(t, "created-by"), RequiresPython: r.specifiers(t, "requires-python")}
	for i, text := range r.texts(t, "environments") {
		if text == "" {
			r.fail(fmt.Sprintf("environments[%d]", i), "it is empty")
		}
		l.Environments = append(l.Environments, r.marker(text, fmt.Sprintf("environments[%d]", i)))
	}
	for _, key := range []string{"extras", "dependency-groups", "default-groups"} {
		r.texts(t, key)
	}
	if _, ok := t.m["packages"]; !ok {
		r.fail("packages", "it is missing")
	}
	for _, p := range r.tables(t, "packages") {
		l.Packages = append(l.Packages, r.entry(p, true))
	}
	if tool, ok := r.sub(t, "tool"); ok {
		if d, ok := r.sub(tool, "distill"); ok {
			l.Distill = r.distill(d)
		}
	}
	return l
}

func (r *reader) lockVersion(t table) {
	v := r.version(t, "lock-version")
	switch {
	case r.err != nil:
	case v == nil:
		r.fail("lock-version", "it is missing")
	case len(v.Release()) == 0 || v.Release()[0] != 1:
		r.fail("lock-version", "%s: %w", v, ErrUnsupported)
	}
}

// entry reads an entry; one of the image's own packages has no files.
func (r *reader) entry(t table, files bool) *Package {
	p := &Package{
		Name: r.name(t), Version: r.version(t, "version"),
		Marker:         r.marker(get[string](r, t, "marker"), t.place("marker")),
		RequiresPython: r.specifiers(t, "requires-python"),
		Index:          get[string](r, t, "index"),
		Dependencies:   r.dependencies(t, "dependencies"),
	}
	for _, w := range r.tables(t, "wheels") {
		p.Wheels = append(p.Wheels, r.file(w))
	}
	if s, ok := r.sub(t, "sdist"); ok {
		f := r.file(s)
		p.Sdist = &f
	}
	if a, ok := r.sub(t, "archive"); ok {
		f := r.file(a)
		p.Archive = &f
	}
	for _, key := range []string{"vcs", "directory"} {
		if _, ok := r.sub(t, key); ok {
			if p.Elsewhere != "" {
				r.fail(t.at, "it has both %s and %s", p.Elsewhere, key)
			}
			p.Elsewhere = key
		}
	}
	if tool, ok := r.sub(t, "tool"); ok {
		if d, ok := r.sub(tool, "distill"); ok {
			p.Distill = r.origin(d)
		}
	}
	if files {
		r.checkFiles(t, p)
	}
	return p
}

func (r *reader) dependencies(t table, key string) []Dependency {
	var out []Dependency
	for _, d := range r.tables(t, key) {
		out = append(out, Dependency{Name: python.Name(get[string](r, d, "name")), Version: r.version(d, "version")})
	}
	return out
}

// checkFiles sees to it that an entry has either files of an index or one direct
// reference, and that the files are of this package.
func (r *reader) checkFiles(t table, p *Package) {
	listed := len(p.Wheels) > 0 || p.Sdist != nil
	direct := p.Archive != nil || p.Elsewhere != ""
	switch {
	case r.err != nil:
		return
	case listed == direct:
		r.fail(t.at, "%s has either sdist and wheels, or one of archive, vcs and directory", p.Name)
	case p.Archive != nil && p.Elsewhere != "":
		r.fail(t.at, "it has both archive and %s", p.Elsewhere)
	}
	for i := range p.Wheels {
		w, err := python.ParseWheelName(p.Wheels[i].Name)
		if err != nil {
			r.fail(fmt.Sprintf("%s.wheels[%d]", t.at, i), "%w", err)
			return
		}
		if w.Name != p.Name || p.Version != nil && w.Version.Compare(*p.Version) != 0 {
			r.fail(fmt.Sprintf("%s.wheels[%d]", t.at, i), "%q is no wheel of %s", p.Wheels[i].Name, describe(p))
		}
	}
	if p.Sdist != nil {
		v, err := python.ParseSdistName(p.Sdist.Name, p.Name)
		if err != nil || p.Version != nil && v.Compare(*p.Version) != 0 {
			r.fail(t.at+".sdist", "%q is no source archive of %s", p.Sdist.Name, describe(p))
		}
	}
}

func describe(p *Package) string {
	if p.Version == nil {
		return string(p.Name)
	}
	return fmt.Sprintf("%s %s", p.Name, p.Version)
}

func (r *reader) file(t table) File {
	f := File{
		Name: get[string](r, t, "name"), URL: get[string](r, t, "url"), Path: get[string](r, t, "path"),
		Size: get[int64](r, t, "size"), Hashes: make(map[string]string),
	}
	if f.URL == "" && f.Path == "" {
		r.fail(t.at, "it has neither url nor path")
	}
	if f.Size < 0 || f.Size > math.MaxInt64/2 {
		r.fail(t.place("size"), "%d is no size", f.Size)
	}
	if _, ok := t.m["upload-time"]; ok {
		f.Uploaded = r.time(t, "upload-time")
	}
	hashes, _ := r.sub(t, "hashes")
	for _, algorithm := range sortedKeys(hashes.m) {
		digest := strings.ToLower(get[string](r, hashes, algorithm))
		if !isHex(digest) {
			r.fail(hashes.place(algorithm), "%q is no digest", digest)
		}
		f.Hashes[algorithm] = digest
	}
	if len(f.Hashes) == 0 && !r.unhashed {
		r.fail(t.place("hashes"), "no hash is given")
	}
	// The index knows the file by the last part of its URL; some tools write a
	// normalised name beside it.
	if f.Name == "" || f.URL != "" && isArchive(lastPart(f)) {
		f.Name = lastPart(f)
	}
	return f
}

// time reads a point in time; one without zone is UTC.
func (r *reader) time(t table, key string) time.Time {
	switch v := t.m[key].(type) {
	case time.Time:
		return v.UTC()
	case toml.LocalDateTime:
		return v.AsTime(time.UTC)
	}
	r.fail(t.place(key), "this is %s, not a time", kindOf(t.m[key]))
	return time.Time{}
}

func isHex(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return !strings.ContainsRune("0123456789abcdef", c) })
}

func (r *reader) distill(t table) Distill {
	d := Distill{Platforms: r.texts(t, "platforms"), Python: get[string](r, t, "python")}
	if c, ok := r.sub(t, "libc"); ok {
		d.Libc = r.stringMap(c)
	}
	if o, ok := r.sub(t, "options"); ok {
		d.Options = r.stringMap(o)
	}
	for _, i := range r.tables(t, "images") {
		d.Images = append(d.Images, Image{
			Role: get[string](r, i, "role"), Reference: get[string](r, i, "reference"), Digest: get[string](r, i, "digest"),
		})
	}
	for _, p := range r.tables(t, "image-packages") {
		d.Image = append(d.Image, r.entry(p, false))
	}
	for _, p := range r.tables(t, "build-packages") {
		d.Build = append(d.Build, r.entry(p, true))
	}
	return d
}

func (r *reader) origin(t table) Origin {
	o := Origin{WantedBy: r.texts(t, "wanted-by"), Passed: r.texts(t, "passed-over"), Note: get[string](r, t, "note")}
	if on, ok := r.sub(t, "on"); ok {
		o.On = r.stringMap(on)
	}
	for _, x := range r.texts(t, "extras") {
		o.Extras = append(o.Extras, python.Name(x))
	}
	slices.Sort(o.Extras)
	for _, b := range r.tables(t, "builds") {
		o.Builds = append(o.Builds, Build{
			Platforms: r.texts(b, "platforms"), Asked: r.texts(b, "asked"), Requires: r.dependencies(b, "requires"),
		})
	}
	for _, list := range [][]string{o.WantedBy, o.Passed} {
		for i := range list {
			list[i] = python.ShowText(list[i]) // earlier locks may have secrets there
		}
	}
	return o
}

func (r *reader) stringMap(t table) map[string]string {
	out := make(map[string]string, len(t.m))
	for _, key := range sortedKeys(t.m) {
		out[key] = get[string](r, t, key)
	}
	return out
}

// isArchive tells whether a name is that of a wheel or source archive.
func isArchive(name string) bool {
	return strings.HasSuffix(name, ".whl") || python.IsSdistName(name)
}
