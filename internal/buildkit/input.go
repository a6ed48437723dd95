package buildkit

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

	"github.com/r-seed-1713b764/distill/internal/files"
)

// What a node is sent: the files of the place below one folder, those of its results
// below another, since they are mounted one over the other. Of the results only what is
// below the mounted folder is in the way of the first.
const (
	inputPlace = "/place"
	inputOut   = "/result"
	placeName  = "p"
)

// input is the files of a job as the client sends them: sorted, owned by nobody, from
// where they are.
type input struct {
	set  files.Set
	fail func(error) // is told of a file that can't be read, which the protocol can't say
}

// newInput lays the files out. There are always the folders of place and results.
func newInput(set files.Set, out string, fail func(error)) (*input, error) {
	var top int64
	for f := range set.All() {
		top = max(top, f.ModTime)
	}
	place, result := inputPlace[1:]+"/"+placeName, inputOut[1:]
	folder := func(p string) *files.File { return &files.File{Path: p, Mode: fs.ModeDir | 0o755, ModTime: top} }
	list := []*files.File{folder(inputPlace[1:]), folder(result), folder(place)}
	for i := range out {
		if out[i] == '/' {
			list = append(list, folder(place+"/"+out[:i]), folder(result+"/"+out[:i]))
		}
	}
	list = append(list, folder(place+"/"+out), folder(result+"/"+out))
	for f := range set.All() {
		if !f.Mode.IsDir() && !f.IsRegular() && !f.IsSymlink() {
			return nil, fmt.Errorf("job file %q: is no file, folder or link", f.Path)
		}
		moved := *f
		moved.Path, moved.UID, moved.GID, moved.Inode = place+"/"+f.Path, 0, 0, 0
		if strings.HasPrefix(f.Path, out+"/") || f.Path == out {
			moved.Path = result + "/" + f.Path
		}
		list = append(list, &moved)
	}
	return &input{set: files.NewSet(list), fail: fail}, nil
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
		err := fn(f.Path, &fsutil.DirEntryInfo{Stat: stat(f)}, nil)
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

func stat(f *files.File) *types.Stat {
	return &types.Stat{Path: f.Path, Mode: uint32(f.Mode), Size: f.Size, ModTime: f.ModTime * 1e9, Linkname: f.Link}
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
