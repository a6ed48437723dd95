package buildkit

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/moby/buildkit/session/filesync"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

	"github.com/r-seed-1713b764/distill/internal/files"
)

// A node is sent the files of the place, in one folder, and those of its results apart,
// since only they come back.
const (
	placeInput  = "distill-place"
	resultInput = "distill-result"
	placeFolder = "place" // a folder that is mounted has an owner, the top has not
)

// input is files of a job as a session sends them: in order, from where they are.
type input struct {
	set   files.Set
	owner int
	fail  func(error) // is told of a file that can't be read, which the protocol can't say
}

// newInputs lays the files out. There are always the folders of the place and the results.
func newInputs(j *Job, fail func(error)) (filesync.StaticDirSource, error) {
	var top int64
	for f := range j.Files.All() {
		top = max(top, f.ModTime)
	}
	folder := func(p string) *files.File { return &files.File{Path: p, Mode: fs.ModeDir | 0o755, ModTime: top} }
	place, result := []*files.File{folder(placeFolder)}, []*files.File{}
	for i, c := range j.Out + "/" {
		if c == '/' {
			place, result = append(place, folder(placeFolder+"/"+j.Out[:i])), append(result, folder(j.Out[:i]))
		}
	}
	for f := range j.Files.All() {
		if !f.Mode.IsDir() && !f.IsRegular() && !f.IsSymlink() {
			return nil, fmt.Errorf("job file %q: is no file, folder or link", f.Path)
		}
		if f.Path == j.Out || strings.HasPrefix(f.Path, j.Out+"/") {
			result = append(result, f)
			continue
		}
		moved := *f
		moved.Path = placeFolder + "/" + f.Path
		place = append(place, &moved)
	}
	return filesync.StaticDirSource{
		placeInput:  &input{set: files.NewSet(place), owner: j.User, fail: fail},
		resultInput: &input{set: files.NewSet(result), owner: j.User, fail: fail},
	}, nil
}

// Walk implements [fsutil.FS]: all files in the order of the protocol, which is that of
// the names in each folder.
func (in *input) Walk(ctx context.Context, target string, fn fs.WalkDirFunc) error {
	target = strings.Trim(path.Clean("/"+target), "/")
	return in.walk(ctx, target, fn)
}

func (in *input) walk(ctx context.Context, dir string, fn fs.WalkDirFunc) error {
	for f := range in.set.Children(dir) {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := fn(f.Path, &fsutil.DirEntryInfo{Stat: in.stat(f)}, nil)
		if err == fs.SkipDir && f.Mode.IsDir() {
			continue
		}
		if err != nil {
			return err
		}
		if f.Mode.IsDir() {
			if err := in.walk(ctx, f.Path, fn); err != nil {
				return err
			}
		}
	}
	return nil
}

func (in *input) stat(f *files.File) *types.Stat {
	return &types.Stat{
		Path: f.Path, Mode: uint32(f.Mode), Uid: uint32(in.owner), Gid: uint32(in.owner), Size: f.Size, ModTime: f.ModTime * 1e9, Linkname: f.Link,
	}
}

// Open implements [fsutil.FS].
func (in *input) Open(name string) (io.ReadCloser, error) {
	f, ok := in.set.Get(strings.Trim(path.Clean("/"+name), "/"))
	if !ok {
		return nil, in.failed(fmt.Errorf("job file %q: %w", name, fs.ErrNotExist))
	}
	r, err := f.Open()
	if err != nil {
		return nil, in.failed(fmt.Errorf("job file %q: %w", f.Path, err))
	}
	return &inputFile{in: in, file: f, ReadCloser: r}, nil
}

func (in *input) failed(err error) error {
	in.fail(err)
	return err
}

// inputFile is a file that is being sent; it has to be as long as was said.
type inputFile struct {
	io.ReadCloser
	in   *input
	file *files.File
	n    int64
}

// Read implements [io.Reader].
func (f *inputFile) Read(b []byte) (int, error) {
	n, err := f.ReadCloser.Read(b)
	f.n += int64(n)
	if f.n > f.file.Size || err == io.EOF && f.n != f.file.Size {
		err = fmt.Errorf("has another size than %d bytes", f.file.Size)
	}
	if err != nil && err != io.EOF {
		return n, f.in.failed(fmt.Errorf("job file %q: %w", f.file.Path, err))
	}
	return n, err
}
