package buildkit

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// The most that is taken out of a job beside its bytes.
const (
	maxResultFiles = 10_000
	maxResultPath  = 4096 // PATH_MAX
	maxResultDepth = 64
)

// ErrResult is wrapped by errors about what a job has left.
var ErrResult = errors.New("the result of the job can't be taken")

// receiver lays what a node sends into a folder, within bounds.
type receiver struct {
	root  *os.Root
	out   string
	limit int64
	pipe  *io.PipeReader
	ended chan error
}

func newReceiver(root *os.Root, out string, limit int64) *receiver {
	return &receiver{root: root, out: out, limit: limit}
}

// open is called by the session when the node sends the result.
func (r *receiver) open(map[string]string) (io.WriteCloser, error) {
	if r.ended != nil {
		return nil, errors.New("a result has come already")
	}
	from, to := io.Pipe()
	r.pipe, r.ended = from, make(chan error, 1)
	go func() {
		err := unpack(from, r.root, r.out, r.limit)
		// The writer has to come to an end, whatever is left of the archive.
		from.CloseWithError(errors.Join(err, io.ErrClosedPipe))
		r.ended <- err
	}()
	return to, nil
}

// wait returns when the result is there; an error if there is none, unless the job failed.
func (r *receiver) wait(failed bool) error {
	if r.ended == nil {
		if failed {
			return nil
		}
		return fmt.Errorf("%w: the node sent none", ErrResult)
	}
	if failed {
		r.pipe.CloseWithError(errStopped)
	}
	err := <-r.ended
	if failed && errors.Is(err, errStopped) {
		return nil
	}
	return err
}

var errStopped = errors.New("the job failed")

// unpack lays the folders and regular files of an archive below out into root, and skips
// all else.
func unpack(from io.Reader, root *os.Root, out string, limit int64) error {
	archive := tar.NewReader(from)
	if err := root.MkdirAll(out, 0o700); err != nil {
		return err
	}
	left := limit
	for count := 0; ; count++ {
		h, err := archive.Next()
		if err == io.EOF {
			// What is padded to the archive has to be read, or the writer waits.
			_, err := io.Copy(io.Discard, io.LimitReader(from, 1<<20))
			return err
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrResult, err)
		}
		if count >= maxResultFiles {
			return fmt.Errorf("%w: more than %d files", ErrResult, maxResultFiles)
		}
		name := clean(h.Name)
		if name != out && !strings.HasPrefix(name, out+"/") {
			continue
		}
		if len(name) > maxResultPath || strings.Count(name, "/") > maxResultDepth || strings.Contains(name, "\x00") {
			return fmt.Errorf("%w: a path of %d bytes", ErrResult, len(name))
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(name, 0o700)
		case tar.TypeReg:
			if h.Size > left {
				return fmt.Errorf("%w: more than %d bytes", ErrResult, limit)
			}
			left -= h.Size
			err = write(archive, root, name)
		case tar.TypeLink:
			err = link(root, clean(h.Linkname), name)
		}
		if err != nil {
			return fmt.Errorf("%w: %q: %w", ErrResult, name, err)
		}
	}
}

func clean(name string) string {
	return path.Clean(strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/"))
}

// link gives a regular file that is there another name.
func link(root *os.Root, of, name string) error {
	info, err := root.Lstat(of)
	if err != nil || !info.Mode().IsRegular() {
		return nil // another name of what is skipped
	}
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	return root.Link(of, name)
}

func write(from io.Reader, root *os.Root, name string) error {
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, from); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
