package python

import (
	"fmt"
	"strings"
)

// EntryPoint is a line of entry_points.txt.
type EntryPoint struct {
	Group, Name string
	// Module and Attr are the object module:attr; Attr is "" for a module. In
	// groups other than console_scripts and gui_scripts, whose values mean what
	// their readers want, Module holds a value that is no object as it stands.
	Module, Attr string
	Extras       []Name
}

// IsScript tells whether installing the entry point makes a command.
func (e *EntryPoint) IsScript() bool {
	return e.Group == "console_scripts" || e.Group == "gui_scripts"
}

// maxEntryPoints bounds entry_points.txt; the largest published one is some 100
// KiB.
const maxEntryPoints = 8 << 20

// ParseEntryPoints reads entry_points.txt, which has the format of Python's
// configparser: [group] headings, and lines name = module:attr [extras]. Lines
// before the first heading are an error. A name that occurs twice in its group
// is returned twice; the last one counts.
func ParseEntryPoints(b []byte) ([]EntryPoint, error) {
	if len(b) > maxEntryPoints {
		return nil, fmt.Errorf("entry_points.txt is larger than %d bytes", maxEntryPoints)
	}
	var out []EntryPoint
	group, number := "", 0
	for line := range strings.SplitSeq(strings.TrimPrefix(decodeText(b), "\ufeff"), "\n") {
		number++
		line = trimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' && line[len(line)-1] == ']' {
			group = trimSpace(line[1 : len(line)-1])
			continue
		}
		if group == "" {
			return nil, fmt.Errorf("entry_points.txt:%d: %q stands before the first [group]", number, clip(line))
		}
		e, err := entryPoint(group, line)
		if err != nil {
			return nil, fmt.Errorf("entry_points.txt:%d: %w", number, err)
		}
		out = append(out, e)
	}
	return out, nil
}

func entryPoint(group, line string) (EntryPoint, error) {
	name, value, ok := strings.Cut(line, "=")
	e := EntryPoint{Group: group, Name: trimSpace(name)}
	if !ok || e.Name == "" {
		return e, fmt.Errorf("%q is not NAME = MODULE:ATTR", clip(line))
	}
	value = trimSpace(value)
	if e.parseObject(value) && (e.Attr != "" || !e.IsScript()) {
		return e, nil
	}
	if e.IsScript() {
		return e, fmt.Errorf("script %q: %q is not MODULE:ATTR", clip(e.Name), clip(value))
	}
	e.Module, e.Attr, e.Extras = value, "", nil
	return e, nil
}

// parseObject reads: module (":" attr)? ("[" extras "]")?
func (e *EntryPoint) parseObject(value string) bool {
	if object, extras, ok := strings.Cut(value, "["); ok {
		if extras, ok = strings.CutSuffix(extras, "]"); !ok {
			return false
		}
		value = object
		for extra := range strings.SplitSeq(extras, ",") {
			if name, err := ParseName(trimSpace(extra)); err == nil {
				e.Extras = appendNew(e.Extras, name)
			}
		}
	}
	module, attr, hasAttr := strings.Cut(value, ":")
	e.Module, e.Attr = trimSpace(module), trimSpace(attr)
	return isDotted(e.Module) && (isDotted(e.Attr) || !hasAttr)
}

// isDotted tells whether s is made of identifiers with dots between them.
func isDotted(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if !isIdentifier(part) {
			return false
		}
	}
	return true
}
