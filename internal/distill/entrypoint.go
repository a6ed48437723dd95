package distill

import (
	"fmt"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/layers"
)

// command is what a container of an image starts, by its configuration.
type command struct {
	words   []string
	path    []string // folders that a name without a slash is looked for in
	workdir string   // absolute
	option  string   // that names the program: "--entrypoint"; "" for the base's own
}

// newCommand is the command of an image on a base of that configuration.
func newCommand(base *v1.Config, change layers.ConfigChange) command {
	entrypoint, cmd := base.Entrypoint, base.Cmd
	c := command{workdir: path.Clean("/" + base.WorkingDir)}
	if change.Workdir != nil {
		c.workdir = path.Clean("/" + *change.Workdir)
	}
	if change.Entrypoint != nil {
		entrypoint, cmd, c.option = *change.Entrypoint, nil, "--entrypoint"
	}
	if change.Cmd != nil {
		cmd = *change.Cmd
		if len(entrypoint) == 0 {
			c.option = "--cmd"
		}
	}
	c.words = slices.Concat(entrypoint, cmd)
	env := slices.Concat(base.Env, change.Env)
	slices.Reverse(env) // the last one counts
	c.path = strings.Split(orStandard(envValue(env, "PATH")), ":")
	return c
}

// program tells what is wrong with the program of the command in an image of these files,
// "" for nothing.
func (c *command) program(image files.Set) string {
	if len(c.words) == 0 {
		return ""
	}
	name := c.words[0]
	if strings.Contains(name, "/") {
		return missing(image, name, c.absolute(name))
	}
	wrong := ""
	for _, dir := range c.path {
		if !strings.HasPrefix(dir, "/") {
			continue
		}
		at := path.Join(dir, name)
		text := missing(image, at, at)
		if text == "" {
			return ""
		}
		if _, _, ok := image.Lookup(files.Clean(at)); ok && wrong == "" {
			wrong = text
		}
	}
	if wrong != "" {
		return wrong
	}
	return fmt.Sprintf("%q is not in the new image, on its PATH (%s)", name, strings.Join(c.path, ":"))
}

// absolute is a path of the image as the program sees it that starts in the working
// directory.
func (c *command) absolute(name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return path.Join(c.workdir, name)
}

// missing tells why the file at a path can't be started, "" if it can.
func missing(image files.Set, shown, at string) string {
	f, _, ok := image.Lookup(files.Clean(at))
	switch {
	case !ok:
		return fmt.Sprintf("%q is not in the new image", shown)
	case !f.IsRegular():
		return fmt.Sprintf("%q is no file", shown)
	case f.Mode&0o111 == 0:
		return fmt.Sprintf("%q is not executable (its mode is %04o)", shown, f.Mode.Perm())
	}
	return ""
}

// script tells what is wrong with the file that Python gets as its program, "" for
// nothing and for all that is no such command.
func (c *command) script(image files.Set) string {
	if len(c.words) == 0 || !isPython(path.Base(c.words[0])) {
		return ""
	}
	for _, word := range c.words[1:] {
		if strings.HasPrefix(word, "-") {
			if strings.Trim(word[1:], "bBdEiIOPqsSuvx") != "" || word == "-" {
				return "" // -m and -c take no file; the rest are options with words of their own
			}
			continue
		}
		if _, _, ok := image.Lookup(files.Clean(c.absolute(word))); !ok {
			return fmt.Sprintf("%q, which %s is to run, is not in the new image", c.absolute(word), c.words[0])
		}
		return ""
	}
	return ""
}

// isPython knows the names of interpreters: python, python3, python3.11.
func isPython(name string) bool {
	rest, ok := strings.CutPrefix(name, "python")
	return ok && strings.Trim(rest, "0123456789.") == ""
}

// checkCommand looks for the program of the new image's configuration. What the user asks
// for and is not there is an error, unless nothing is verified; the base's own command, and
// a script that a volume may bring, are warnings.
func checkCommand(platform string, c command, image files.Set, dev *opened, unverified bool) (warnings []string, err error) {
	if text := c.script(image); text != "" {
		warnings = append(warnings, text)
	}
	text := c.program(image)
	switch {
	case text == "":
		return warnings, nil
	case c.option == "":
		return append(warnings, "the base's command can't run: "+text), nil
	case unverified:
		return append(warnings, c.option+": "+text), nil
	}
	hint := "--no-verify makes the image all the same"
	there := newCommand(&dev.image.Config.Config, layers.ConfigChange{Entrypoint: &c.words})
	if !strings.Contains(c.words[0], "/") && there.program(dev.env.Files) == "" {
		hint = "the development image has it: require the package that brings it, or --include its file\n" + hint
	}
	return nil, usagef(hint, "%s for %s: %s", c.option, platform, text)
}
