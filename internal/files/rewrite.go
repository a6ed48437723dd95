package files

import "io"

// A Rewriter is a fixed rule that makes content out of other content while that is
// read: the header of byte code, a stripped library.
type Rewriter interface {
	// Name identifies the rule with its version and parameters: the same name and
	// the same content in give the same content out.
	Name() string
	// Reader returns what becomes of the content that r reads.
	Reader(r io.Reader) io.Reader
}

// Rewritten returns a copy of f whose content, of the given size in bytes, is that of f
// after rule. Its SHA256 is not known.
func Rewritten(f *File, rule Rewriter, size int64) *File {
	c := *f
	c.Of, c.Rewrite = f, rule
	c.Size, c.SHA256, c.Inode, c.Note = size, "", 0, nil
	c.Content = rewritten{f, rule}
	return &c
}

type rewritten struct {
	of   *File
	rule Rewriter
}

// Open implements [Content].
func (c rewritten) Open() (io.ReadCloser, error) {
	r, err := c.of.Open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{c.rule.Reader(r), r}, nil
}
