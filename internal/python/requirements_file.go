package python

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// RequirementsFile is what pip's requirements format says, with -r and -c
// files read in.
type RequirementsFile struct {
	Requirements []Requirement
	Constraints  []Requirement
	Options      RequirementsOptions
	// Warnings tell what was understood and has no effect, with its place.
	Warnings []string
}

// RequirementsOptions are the options inside requirements files.
type RequirementsOptions struct {
	IndexURL       string // the last one given
	ExtraIndexURLs []string
	NoIndex        bool
	FindLinks      []string // local paths are joined to the folder of the file that names them
	NoBinary       FormatControl
	OnlyBinary     FormatControl
	Pre            bool
	// RequireHashes is set by --require-hashes, and as in pip by any --hash.
	RequireHashes bool
	PreferBinary  bool
	TrustedHosts  []string
}

// Opener returns the bytes of a file that a requirements file names; relative
// names are already joined to the folder of the file that names them. A name
// that begins with http: or https: is a URL.
type Opener func(name string) ([]byte, error)

// RequirementsError is what is wrong at a place of a requirements file.
type RequirementsError struct {
	Pos    Pos
	Reason string
	Hint   string // what to do about it, "" if there is nothing to say
	Err    error  // the cause, part of Reason already; may be nil
}

// Error begins with the place. Secrets in URLs are left out.
func (e *RequirementsError) Error() string {
	return ShowText(e.Pos.String() + ": " + e.Reason)
}

// Unwrap returns the cause.
func (e *RequirementsError) Unwrap() error { return e.Err }

// Hints says what to do now.
func (e *RequirementsError) Hints() []string {
	if e.Hint == "" {
		return nil
	}
	return []string{e.Hint}
}

// Bounds of requirements files; the longest chain of -r seen in the wild is 5.
const (
	maxIncludeDepth      = 50
	maxIncludedFiles     = 1000
	maxRequirementsBytes = 16 << 20 // of all files together
)

// ParseRequirements reads the requirements file called name (pip's format), and
// the files it includes, through open. Editable and VCS lines are errors that
// say what to do instead. ${NAME} is replaced by what environ answers.
//
// It differs from pip on purpose in two points: local paths of wheels, source
// archives and --find-links are relative to the file that names them and not to
// the working folder, and --index-url does not drop the --extra-index-url before
// it. The error is a *RequirementsError.
func ParseRequirements(name string, open Opener, environ func(string) (string, bool)) (*RequirementsFile, error) {
	r := &requirementsReader{open: open, environ: environ, out: &RequirementsFile{}}
	if err := r.file(name); err != nil {
		return nil, err
	}
	o := &r.out.Options
	o.RequireHashes = o.RequireHashes || r.anyHash && !r.noRequireHashes
	return r.out, nil
}

// ParseConstraints is [ParseRequirements] for a file whose lines, among the
// Requirements of the result, are constraints. Its options count, but a --hash in
// it does not mean that all need one.
func ParseConstraints(name string, open Opener, environ func(string) (string, bool)) (*RequirementsFile, error) {
	r := &requirementsReader{open: open, environ: environ, out: &RequirementsFile{}}
	if err := r.file(name); err != nil {
		return nil, err
	}
	return r.out, nil
}

// file reads the outermost file.
func (r *requirementsReader) file(name string) error {
	if err := r.read(r.localName(name), false, Pos{File: name}); err != nil {
		return err
	}
	r.out.Options.NoBinary, r.out.Options.OnlyBinary = r.formats.controls()
	return nil
}

// requirementsReader reads one file and those that it includes.
type requirementsReader struct {
	open            Opener
	environ         func(string) (string, bool)
	out             *RequirementsFile
	formats         formatSets
	including       []string // names of the files that are being read, outermost first
	files, bytes    int
	anyHash         bool
	noRequireHashes bool
}

// read reads the file called name, which pos names, as requirements or as
// constraints.
func (r *requirementsReader) read(name string, constraints bool, pos Pos) error {
	key := name
	if !isWebURL(name) {
		key = path.Clean(name)
	}
	if i := slices.Index(r.including, key); i >= 0 {
		chain := strings.Join(append(slices.Clone(r.including[i:]), key), " -> ")
		return &RequirementsError{Pos: pos, Reason: "requirements files include each other: " + chain}
	}
	if r.files++; len(r.including) >= maxIncludeDepth || r.files > maxIncludedFiles {
		return &RequirementsError{Pos: pos, Reason: fmt.Sprintf("more than %d requirements files within each other, or %d in all", maxIncludeDepth, maxIncludedFiles)}
	}
	b, err := r.open(name)
	if err != nil {
		reason := err.Error()
		if pos.Line > 0 { // named by a line of another file
			reason = name + ": " + reason
		}
		return &RequirementsError{Pos: pos, Reason: reason, Err: err}
	}
	if r.bytes += len(b); r.bytes > maxRequirementsBytes {
		return &RequirementsError{Pos: pos, Reason: fmt.Sprintf("requirements files are larger than %d bytes in all", maxRequirementsBytes)}
	}
	text, err := decodeRequirements(b)
	if err != nil {
		return &RequirementsError{Pos: Pos{File: name}, Reason: err.Error(), Hint: "save it as UTF-8, or name its encoding in the first line: # -*- coding: latin-1 -*-"}
	}
	r.including = append(r.including, key)
	defer func() { r.including = r.including[:len(r.including)-1] }()
	for _, l := range logicalLines(text) {
		if err := r.line(expandVariables(l.text, r.environ), constraints, Pos{File: name, Line: l.number}); err != nil {
			return err
		}
	}
	return nil
}

// line reads a logical line: a requirement with its options, or options alone.
func (r *requirementsReader) line(text string, constraints bool, pos Pos) error {
	requirement, optionText := splitOptions(text)
	fail := func(err error) error {
		var e *RequirementsError
		if errors.As(err, &e) {
			e.Pos = pos
			return e
		}
		return &RequirementsError{Pos: pos, Reason: err.Error()}
	}
	options, err := parseOptions(optionText)
	if err != nil {
		return fail(err)
	}
	if requirement != "" {
		if err := r.requirement(requirement, options, constraints, pos); err != nil {
			return fail(err)
		}
		return nil
	}
	return r.options(options, pos, fail)
}

// requirement reads a line that has a requirement.
func (r *requirementsReader) requirement(text string, options []lineOption, constraints bool, pos Pos) error {
	req, err := r.parseLine(text, pos.File)
	if err != nil {
		return err
	}
	req.Pos = Pos{File: ShowURL(pos.File), Line: pos.Line}
	for _, o := range options {
		if err := r.requirementOption(&req, o, pos); err != nil {
			return err
		}
	}
	r.anyHash = r.anyHash || len(req.Hashes) > 0
	if !constraints {
		r.out.Requirements = append(r.out.Requirements, req)
		return nil
	}
	if len(req.Extras) > 0 {
		return &RequirementsError{Reason: fmt.Sprintf("constraint %q has extras", text), Hint: "leave the extras out: a constraint only bounds versions"}
	}
	r.out.Constraints = append(r.out.Constraints, req)
	return nil
}

// warn notes what has no effect.
func (r *requirementsReader) warn(pos Pos, format string, args ...any) {
	r.out.Warnings = append(r.out.Warnings, pos.String()+": "+ShowText(fmt.Sprintf(format, args...)))
}

// join returns name as seen from the file that names it.
func (r *requirementsReader) join(from, name string) (string, error) {
	switch {
	case isWebURL(from) && !hasScheme(name):
		base, err := url.Parse(from)
		if err != nil {
			return "", err
		}
		ref, err := base.Parse(name)
		if err != nil {
			return "", err
		}
		return ref.String(), nil
	case isWebURL(name):
		return name, nil
	}
	name = r.localName(name)
	if path.IsAbs(name) {
		return name, nil
	}
	return path.Join(path.Dir(from), name), nil
}

// localName returns the path in a file URL, and any other name as it is.
func (r *requirementsReader) localName(name string) string {
	if !hasPrefixFold(name, "file:") {
		return name
	}
	if u, err := url.Parse(name); err == nil && u.Path != "" && (u.Host == "" || u.Host == "localhost") {
		return u.Path
	}
	return name
}

func isWebURL(name string) bool {
	return hasPrefixFold(name, "http:") || hasPrefixFold(name, "https:")
}

// hasScheme tells whether name begins with the scheme of a URL.
func hasScheme(name string) bool { return urlScheme(name) != "" }

// urlScheme returns the scheme that name begins with in lower case, "" if it
// has none.
func urlScheme(name string) string {
	scheme, _, ok := strings.Cut(name, ":")
	if !ok || len(scheme) < 2 { // one letter is a drive
		return ""
	}
	for i := range len(scheme) {
		if c := scheme[i]; !isAlnum(c) && (i == 0 || c != '+' && c != '-' && c != '.') {
			return ""
		}
	}
	return strings.ToLower(scheme)
}
