package audit

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// wheelRunPath reports directories for libraries that hold on the machine of the build
// only. A library that is found nowhere else is reported by wheelLibrary.
var wheelRunPath = wheelRule{
	Rule: Rule{
		Code: "wheel-run-path", Severity: Medium,
		Title: "Native code of a built wheel looks for libraries in a folder that will not be there",
		Help:  "Whoever can write there decides what is loaded. The project should clear such run paths, or make them relative to $ORIGIN.",
	},
	check: checkWheelRunPaths,
}

func checkWheelRunPaths(c *wheelChecker) []Finding {
	var out []Finding
	lacking := map[string]bool{}
	for _, o := range c.objects {
		for _, d := range o.Needs {
			lacking[o.Real] = lacking[o.Real] || d.IsMissing()
		}
	}
	for _, f := range c.elf {
		if !f.loads {
			continue
		}
		var bad []string
		for _, dir := range runPaths(f.info) {
			why := c.badRunPath(dir)
			if why == "" || lacking[f.path] && buildDir(f.info) != "" {
				continue
			}
			if text := fmt.Sprintf("%q%s", dir, why); !slices.Contains(bad, text) {
				bad = append(bad, text)
			}
		}
		if len(bad) > 0 {
			out = append(out, about(f.path, "has the run path "+strings.Join(bad, " and "), "link without -rpath, or with one relative to $ORIGIN"))
		}
	}
	return out
}

// badRunPath tells what is wrong with a directory, "" if nothing is.
func (c *wheelChecker) badRunPath(dir string) string {
	if strings.HasPrefix(dir, "$") { // $ORIGIN, or unknown to the loader
		return ""
	}
	if !strings.HasPrefix(dir, "/") {
		return ", which depends on the working directory"
	}
	dir = path.Clean(dir)
	if dir == buildFolder || strings.HasPrefix(dir, buildFolder+"/") {
		return ", the build folder"
	}
	if c.env == nil {
		return ""
	}
	rel := strings.Trim(dir, "/")
	if c.loader != nil && slices.Contains(c.loader.Dirs(), rel) {
		return ""
	}
	if _, _, ok := c.env.Files.Lookup(rel); !ok {
		return ", which the development image does not have"
	}
	for part := range strings.SplitSeq(rel, "/") {
		if strings.HasPrefix(part, "lib") {
			return ""
		}
	}
	return ", which is no folder of libraries"
}

// wheelMemory reports code that asks for memory that can be written and run at once.
var wheelMemory = wheelRule{
	Rule: Rule{
		Code: "wheel-memory", Severity: Medium,
		Title: "Native code of a built wheel asks for memory that can be written and run",
		Help:  "glibc since 2.41 refuses to load a library that asks for an executable stack, and hardened systems refuse relocations in code. It was compiled without -fPIC, or from assembler without a note about the stack.",
	},
	check: checkWheelMemory,
}

func checkWheelMemory(c *wheelChecker) []Finding {
	var out []Finding
	for _, f := range c.elf {
		if !f.loads || !f.info.Dynamic {
			continue
		}
		if f.info.TextRel {
			out = append(out, about(f.path, "has relocations in its code", "compile with -fPIC"))
		}
		if f.info.ExecStack {
			out = append(out, about(f.path, "asks for an executable stack", "link with -z noexecstack"))
		}
	}
	return out
}
