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

// Original returns the file whose content is read for that of f: f itself, unless it
// was rewritten, perhaps more than once.
func (f *File) Original() *File {
	for f.Of != nil {
		f = f.Of
	}
	return f
}

// Reread returns a copy of f for which the content of its original is read from c.
func (f *File) Reread(c Content) *File {
	g := *f
	if f.Of == nil {
		g.Content = c
		return &g
	}
	g.Of = f.Of.Reread(c)
	g.Content = rewritten{g.Of, f.Rewrite}
	return &g
}

// Identity names the content of a regular file without reading it: two files of the
// same identity have the same content. It is the SHA256 if that is known, else the rule and
// the identity of what is rewritten, else "".
func (f *File) Identity() string {
	if f.SHA256 != "" || f.Of == nil {
		return f.SHA256
	}
	of := f.Of.Identity()
	if of == "" {
		return ""
	}
	return f.Rewrite.Name() + " of " + of
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
