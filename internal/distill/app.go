package distill

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/patternmatcher"

	"github.com/r-seed-1713b764/distill/internal/files"
)

// defaultAppFolder is where an application goes whose --app names no place.
const defaultAppFolder = "/app"

// Limits of one application, those of an image (SAFETY.md of any image applies to
// what is put into one).
const (
	maxAppEntries = 2_000_000
	maxAppBytes   = 64 << 30
)

// application is what --app names on the local disk, as files with their final
// paths. They are open until close.
type application struct {
	files  files.Set
	places []string // where each --app went: "app"
	roots  []*os.Root
}

func (a *application) close() {
	for _, r := range a.roots {
		r.Close()
	}
}

// appArg is one --app: a folder or file of the local disk and where it goes.
type appArg struct {
	from string
	to   string // absolute
}

// parseApp reads SRC:DST. A source alone goes to /app.
func parseApp(text string) (appArg, error) {
	from, to := text, defaultAppFolder+"/"
	if i := strings.LastIndex(text, ":"); i >= 0 {
		from, to = text[:i], text[i+1:]
		if !strings.HasPrefix(to, "/") {
			return appArg{}, usagef("write --app SRC:/absolute/path", "--app %q: %q is no absolute path of the image", text, to)
		}
	}
	if from == "" || strings.IndexByte(text, 0) >= 0 {
		return appArg{}, usagef("write --app SRC:/absolute/path", "--app %q names no folder or file", text)
	}
	return appArg{from, to}, nil
}

// readApplication lists the files of all --app, hashes them and notes what the
// plan wants to know of them. Of two with one path the later one wins, as with
// COPY. Outputs are left out: else the second build would not be the first one. Nothing
// stays in memory but names.
func (h *Host) readApplication(args, outputs []string) (_ *application, err error) {
	a := &application{}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	var list []*files.File
	for _, text := range args {
		arg, err := parseApp(text)
		if err != nil {
			return nil, err
		}
		s, err := openAppSource(arg)
		if err != nil {
			return nil, err
		}
		s.outputs = outputs
		a.roots = append(a.roots, s.root)
		if at := s.at("."); at != "" {
			a.places = append(a.places, at)
		}
		if err := s.read(); err != nil {
			return nil, err
		}
		if len(s.list) == 0 {
			h.Teller.Warn("--app " + text + ": there is nothing in it that is not ignored")
		}
		list = append(list, s.list...)
	}
	if a.files, err = h.annotate(files.NewSet(list)); err != nil {
		return nil, err
	}
	return a, nil
}

// appSource is one folder or file of the local disk on its way into the image. It
// is read through root, which no link leads out of.
type appSource struct {
	arg    appArg
	root   *os.Root
	file   string // the one file that is meant, "" for the whole folder
	real   string // the folder
	ignore *ignoreRules
	// outputs are absolute paths that this run writes.
	outputs []string
	list    []*files.File // at their final paths
	links   []string      // names in root
	bytes   int64
	buffer  []byte
}

func openAppSource(arg appArg) (*appSource, error) {
	real, err := filepath.EvalSymlinks(arg.from) // what the user names may be a link
	if err != nil {
		return nil, usagef("", "--app %s: %v", arg.from, pathCause(err))
	}
	info, err := os.Stat(real)
	if err != nil {
		return nil, usagef("", "--app %s: %v", arg.from, pathCause(err))
	}
	s := &appSource{arg: arg, buffer: make([]byte, 256<<10)}
	dir := real
	switch {
	case info.Mode().IsRegular():
		dir, s.file = filepath.Split(real)
		dir = cmp.Or(dir, ".")
		if strings.HasSuffix(arg.to, "/") {
			s.arg.to += filepath.Base(arg.from)
		}
	case !info.IsDir():
		return nil, unsupportedf("", "--app %s is neither a folder nor a file (%s)", arg.from, info.Mode().Type())
	}
	if s.ignore, err = readIgnoreRules(real, s.file != ""); err != nil {
		return nil, err
	}
	if s.real, err = filepath.Abs(dir); err == nil {
		s.real, err = filepath.EvalSymlinks(s.real)
	}
	if err != nil {
		return nil, usagef("", "--app %s: %v", arg.from, pathCause(err))
	}
	if s.root, err = os.OpenRoot(dir); err != nil {
		return nil, usagef("", "--app %s: %v", arg.from, pathCause(err))
	}
	return s, nil
}

// at is the path in the image of a name in root.
func (s *appSource) at(name string) string {
	if s.file != "" {
		return files.Clean(s.arg.to)
	}
	return files.Clean(s.arg.to + "/" + name)
}

// read lists everything that is not ignored, in an order that does not depend on
// the disk's.
func (s *appSource) read() error {
	if s.file != "" {
		return s.readOne()
	}
	type folder struct {
		name  string
		state patternmatcher.MatchInfo
	}
	stack := []folder{{name: "."}}
	for len(stack) > 0 {
		d := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		entries, err := s.readDir(d.name)
		if err != nil {
			return err
		}
		for _, e := range entries {
			name := path.Join(d.name, e.Name())
			if slices.Contains(s.outputs, filepath.Join(s.real, filepath.FromSlash(name))) {
				continue
			}
			ignored, state, err := s.ignore.match(name, d.state)
			if err != nil {
				return s.fail(name, err)
			}
			if e.IsDir() && (!ignored || s.ignore.hasExceptions()) {
				stack = append(stack, folder{name, state})
			}
			if ignored {
				continue
			}
			info, err := s.root.Lstat(name)
			if err != nil {
				return s.fail(name, err)
			}
			if err := s.add(name, info); err != nil {
				return err
			}
		}
	}
	return s.checkLinks()
}

// readOne takes the one file that is meant. To name what .dockerignore leaves out
// is a mistake, as it is with COPY.
func (s *appSource) readOne() error {
	ignored, _, err := s.ignore.match("", patternmatcher.MatchInfo{})
	if err != nil {
		return s.fail(s.file, err)
	}
	if ignored {
		return usagef("", "--app %s: .dockerignore leaves it out", s.arg.from)
	}
	info, err := s.root.Lstat(s.file)
	if err != nil {
		return s.fail(s.file, err)
	}
	return s.add(s.file, info)
}

func (s *appSource) readDir(name string) ([]fs.DirEntry, error) {
	f, err := s.root.Open(name)
	if err != nil {
		return nil, s.fail(name, err)
	}
	defer f.Close()
	list, err := f.ReadDir(-1)
	if err != nil {
		return nil, s.fail(name, err)
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}

// fail names the file of the disk that an error is about.
func (s *appSource) fail(name string, err error) error {
	where := s.arg.from
	if s.file == "" && name != "." {
		where = filepath.Join(where, filepath.FromSlash(name))
	}
	return unsupportedf("", "--app %s: %v", where, pathCause(err))
}

// refuse is fail for what can't be in an image, with what to do about it.
func (s *appSource) refuse(name, format string, args ...any) error {
	return unsupportedf("leave it out: a line /"+name+" in .dockerignore",
		"--app %s: %s", filepath.Join(s.arg.from, filepath.FromSlash(name)), fmt.Sprintf(format, args...))
}

// add takes one file, link or directory along. Modes are 0755 for programs and
// directories and 0644 for the rest, and root is the owner, so that the image
// depends on no umask and the program can't change its own code.
func (s *appSource) add(name string, info fs.FileInfo) error {
	if len(s.list) >= maxAppEntries {
		return unsupportedf("", "--app %s has more than %d files", s.arg.from, maxAppEntries)
	}
	at := s.at(name)
	f := &files.File{Path: at, Mode: 0o644}
	switch m := info.Mode(); {
	case m.IsDir():
		f.Mode = fs.ModeDir | 0o755
	case m&fs.ModeSymlink != 0:
		to, err := s.root.Readlink(name)
		if err != nil {
			return s.fail(name, err)
		}
		f.Mode, f.Link = fs.ModeSymlink|0o777, filepath.ToSlash(to)
		s.links = append(s.links, name)
	case m.IsRegular():
		if m.Perm()&0o111 != 0 {
			f.Mode = 0o755
		}
		if err := s.hash(name, info, f); err != nil {
			return err
		}
	default:
		return s.refuse(name, "a file of kind %s can't be in an image", m.Type())
	}
	if at == "" { // the root of the image
		if !f.Mode.IsDir() {
			return usagef("", "--app %s:%s puts a file where the root is", s.arg.from, s.arg.to)
		}
		return nil
	}
	s.list = append(s.list, f)
	return nil
}

// hash fills in size, digest and content of a regular file.
func (s *appSource) hash(name string, info fs.FileInfo, f *files.File) error {
	if s.bytes += info.Size(); s.bytes > maxAppBytes {
		return unsupportedf("", "--app %s has more than %d bytes", s.arg.from, int64(maxAppBytes))
	}
	c := &diskContent{root: s.root, name: name, size: info.Size(), modTime: info.ModTime()}
	r, err := c.open()
	if err != nil {
		return s.fail(name, err)
	}
	defer r.Close()
	for err == nil {
		_, err = r.Read(s.buffer)
	}
	if err != io.EOF {
		return s.fail(name, err)
	}
	c.sha256 = r.sum()
	f.Size, f.SHA256, f.Content = c.size, c.sha256, c
	return nil
}

// checkLinks refuses links that would lead nowhere in the image, or elsewhere than
// they do here.
func (s *appSource) checkLinks() error {
	if len(s.links) == 0 {
		return nil
	}
	slices.Sort(s.links)
	tree := files.NewSet(s.list)
	for _, name := range s.links {
		f, _ := tree.Get(s.at(name))
		if path.IsAbs(f.Link) {
			return s.refuse(name, "a link to %q, which need not be the same in the image: make it relative", f.Link)
		}
		if _, err := s.root.Stat(name); errors.Is(err, fs.ErrNotExist) {
			return s.refuse(name, "a link to %q, which is not there", f.Link)
		} else if err != nil {
			return s.refuse(name, "a link to %q, which is outside of %s", f.Link, s.arg.from)
		}
		if _, _, ok := tree.Lookup(f.Path); !ok {
			return s.refuse(name, "a link to %q, which .dockerignore leaves out", f.Link)
		}
	}
	return nil
}

// diskContent is a file of the local disk that must stay as it was when it was
// first read.
type diskContent struct {
	root    *os.Root
	name    string
	size    int64
	modTime time.Time
	sha256  string // "" while it is not known yet
}

var errChanged = errors.New("changed while it was read")

// Open implements [files.Content].
func (c *diskContent) Open() (io.ReadCloser, error) { return c.open() }

func (c *diskContent) open() (*diskReader, error) {
	f, err := c.root.Open(c.name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Size() != c.size || !info.ModTime().Equal(c.modTime)) {
		err = fmt.Errorf("%q: %w", c.name, errChanged)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &diskReader{file: f, content: c, hash: sha256.New()}, nil
}

// diskReader reads a file and fails at its end if it was not what it should be.
type diskReader struct {
	file    *os.File
	content *diskContent
	hash    hash.Hash
	n       int64
}

// Read implements io.Reader.
func (r *diskReader) Read(p []byte) (int, error) {
	n, err := r.file.Read(p)
	r.hash.Write(p[:n])
	r.n += int64(n)
	want := r.content.sha256
	changed := r.n > r.content.size || err == io.EOF && (r.n != r.content.size || want != "" && r.sum() != want)
	if changed {
		return n, fmt.Errorf("%q: %w", r.content.name, errChanged)
	}
	return n, err
}

func (r *diskReader) sum() string { return hex.EncodeToString(r.hash.Sum(nil)) }

// Close implements io.Closer.
func (r *diskReader) Close() error { return r.file.Close() }

// outputs are the local paths that a build writes, absolute and without links.
func (h *Host) outputs(o BuildOptions) []string {
	var out []string
	dests := o.Publish.To
	if len(dests) == 0 {
		dests = []string{defaultDestination(o.From)}
	}
	for _, d := range dests {
		scheme, rest, ok := strings.Cut(d, ":")
		if !ok || !isFolderScheme(scheme) {
			continue
		}
		if i := strings.LastIndex(rest, ":"); i > strings.LastIndex(rest, "/") {
			rest = rest[:i]
		}
		out = append(out, rest)
	}
	out = append(out, o.Pins.Lock, o.ImageRefs, o.MetadataFile, h.Cache.Path())
	for i, p := range out {
		if p == "" {
			continue
		}
		if abs, err := filepath.Abs(p); err == nil {
			p = abs
		}
		// The path itself need not be there yet.
		if dir, err := filepath.EvalSymlinks(filepath.Dir(p)); err == nil {
			p = filepath.Join(dir, filepath.Base(p))
		}
		out[i] = p
	}
	return out
}
