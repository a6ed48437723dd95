package needs

import (
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// Report is what a look into an image gave.
type Report struct {
	Name    python.Name
	Docs    string // as in [List]
	Manager string // whose packages the image takes first: "apk", "apt", "rpm", "conda", or ""
	Items   []Item // in the order of the list
}

// Item is one need, and where it was found.
type Item struct {
	Need  Need
	Found string // a path of the image, or the value of Env; "" if it is not there
	Env   string // the variable of the image that led there, "" if none did
	// Set is what the build has to be told in its environment to find it, "CC=cc"; "" if
	// it finds it by itself.
	Set string
	// Add are the packages that would bring what is not there, and Manager is the package
	// manager that has them: "apk", "apt", "rpm", "conda". Empty if nobody knows.
	Add     []string
	Manager string

	aside bool // found where only pkg-config tells builds to look
}

// Missing returns what the build surely needs and the image has not: it would fail.
func (r Report) Missing() []Item {
	return r.filter(func(i Item) bool { return i.Found == "" && i.Need.Sure })
}

// Unsure returns what the build may need and the image has not: worth telling once it
// has failed.
func (r Report) Unsure() []Item {
	return r.filter(func(i Item) bool { return i.Found == "" && !i.Need.Sure })
}

// Found returns what is there.
func (r Report) Found() []Item { return r.filter(func(i Item) bool { return i.Found != "" }) }

func (r Report) filter(want func(Item) bool) []Item {
	var out []Item
	for _, i := range r.Items {
		if want(i) {
			out = append(out, i)
		}
	}
	return out
}

// Env returns the variables of the image that point the build to what it needs
// ("HDF5_DIR"), each once, in order of need: a build has to be given them.
func (r Report) Env() []string {
	var out []string
	seen := map[string]bool{}
	for _, i := range r.Items {
		if i.Env != "" && !seen[i.Env] {
			seen[i.Env] = true
			out = append(out, i.Env)
		}
	}
	return out
}

// Set returns what builds have to be told in their environment to find what is there
// ("CC=cc"), in order of need.
func (r Report) Set() []string {
	var out []string
	for _, i := range r.Items {
		if i.Set != "" {
			out = append(out, i.Set)
		}
	}
	return out
}

// Text says it in a line for each need, without a line end after the last: first what is
// missing, then what was found, then what may be missing.
func (r Report) Text() string {
	var lines []string
	for _, list := range [][]Item{r.Missing(), r.Found(), r.Unsure()} {
		for _, i := range list {
			lines = append(lines, i.Text(r.Manager))
		}
	}
	return strings.Join(lines, "\n")
}

// Text says what is needed, what carries it, and where it was found or what to add, by the
// given package manager if that has it:
//
//	building needs hdf5.h (apk: hdf5-dev, apt: libhdf5-dev): found /usr/include/hdf5/serial
//	building needs hdf5.h (apk: hdf5-dev, apt: libhdf5-dev): not in the image: add libhdf5-dev (apt)
func (i Item) Text(manager string) string {
	var b strings.Builder
	b.WriteString("building ")
	if i.Need.Sure {
		b.WriteString("needs ")
	} else {
		b.WriteString("may need ")
	}
	b.WriteString(i.Need.Subject())
	if p := i.Need.Packages.String(); p != "" {
		b.WriteString(" (" + p + ")")
	}
	switch {
	case i.Need.kind == absent:
		b.WriteString(", and " + i.Need.why)
	case i.Need.kind == unknown:
		b.WriteString(", which distill can't look for")
	case i.Env != "":
		b.WriteString(": found by " + i.Env + "=" + i.Found)
	case i.Found != "":
		b.WriteString(": found " + i.Found)
	default:
		b.WriteString(": not in the image")
		add := i.Need.Packages.For(manager)
		if len(add) == 0 {
			add, manager = i.Add, i.Manager
		}
		if len(add) > 0 {
			b.WriteString(": add " + strings.Join(add, " ") + " (" + manager + ")")
		}
	}
	return b.String()
}

// Subject names the thing as a compiler would miss it: the header, else the program, .pc
// file or library, else what it is called.
func (n Need) Subject() string {
	switch {
	case n.kind == compiler:
		return "a " + n.Name
	case n.Header != "":
		return n.Header
	case len(n.Programs) > 0:
		return n.Programs[0]
	case len(n.PkgConfig) > 0:
		return n.PkgConfig[0] + ".pc"
	case len(n.Libraries) > 0:
		return n.Libraries[0]
	}
	return n.Name
}

// For returns the packages for one package manager.
func (p Packages) For(manager string) []string {
	switch manager {
	case "apk":
		return p.APK
	case "apt", "dpkg":
		return p.APT
	case "rpm":
		return p.RPM
	case "conda":
		return p.Conda
	}
	return nil
}

// String lists the packages of operating systems: "apk: hdf5-dev, apt: libhdf5-dev".
func (p Packages) String() string {
	var out []string
	for _, m := range []string{"apk", "apt", "rpm"} {
		if list := p.For(m); len(list) > 0 {
			out = append(out, m+": "+strings.Join(list, " "))
		}
	}
	return strings.Join(out, ", ")
}
