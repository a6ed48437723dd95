package distill

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// ignoreFile names what docker leaves out of a build context.
const ignoreFile = ".dockerignore"

// maxIgnoreFile bounds it; large ones have a few hundred lines.
const maxIgnoreFile = 1 << 20

// neverShipped is ignored unless an exception of .dockerignore ("!.git") says
// otherwise: histories, byte code that the build makes itself or not at all, and
// .dockerignore.
var neverShipped = []string{
	"**/.git", "**/.hg", "**/.svn", "**/.bzr", "**/.jj", "**/_darcs", "**/CVS", "**/__pycache__", ignoreFile,
	"**/" + temporary + "*",
}

// ignoreRules are the patterns of a .dockerignore, relative to the folder that it
// stands in.
type ignoreRules struct {
	matcher *patternmatcher.PatternMatcher
	below   string // from that folder to the application, "." if they are one
}

// readIgnoreRules finds the rules for a folder: those in it, else those of the
// working folder if it lies in there, as that is what would be docker's build
// context. For a file only the working folder counts.
func readIgnoreRules(real string, isFile bool) (*ignoreRules, error) {
	r := &ignoreRules{below: "."}
	var patterns []string
	found := false
	var err error
	if !isFile {
		patterns, found, err = readIgnoreFile(filepath.Join(real, ignoreFile))
	}
	if err == nil && !found {
		patterns, r.below, err = contextRules(real)
	}
	if err != nil {
		return nil, err
	}
	if r.matcher, err = patternmatcher.New(append(slices.Clone(neverShipped), patterns...)); err != nil {
		return nil, usagef("", "%s: %v", ignoreFile, err)
	}
	return r, nil
}

// contextRules are those of the working folder, if real lies in it.
func contextRules(real string) (patterns []string, below string, err error) {
	wd, err := filepath.Abs(".")
	if err == nil {
		wd, err = filepath.EvalSymlinks(wd)
	}
	if err != nil {
		return nil, "", usagef("", "the working folder: %v", pathCause(err))
	}
	abs := real
	if !filepath.IsAbs(abs) {
		abs = filepath.Join(wd, abs)
	}
	rel, err := filepath.Rel(wd, abs)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return nil, ".", nil
	}
	patterns, _, err = readIgnoreFile(ignoreFile)
	return patterns, filepath.ToSlash(rel), err
}

func readIgnoreFile(name string) (patterns []string, found bool, err error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxIgnoreFile) {
		err = fmt.Errorf("not a file of at most %d bytes", maxIgnoreFile)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(name)
	}
	if err == nil {
		patterns, err = ignorefile.ReadAll(bytes.NewReader(text))
	}
	if err != nil {
		return nil, false, usagef("", "%s: %v", name, pathCause(err))
	}
	return patterns, true, nil
}

// match tells whether a name below the application's folder is ignored, given
// what held for its folder; the zero value of that means that nobody has looked.
func (r *ignoreRules) match(name string, parent patternmatcher.MatchInfo) (bool, patternmatcher.MatchInfo, error) {
	return r.matcher.MatchesUsingParentResults(path.Join(r.below, name), parent)
}

// hasExceptions tells whether something in an ignored folder may not be.
func (r *ignoreRules) hasExceptions() bool { return r.matcher.Exclusions() }
