package distill

import (
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// checkBase tells whether packages of the development image's Python can run on
// the base at all.
func checkBase(platform string, dev, base *inspect.Environment, devRef, baseRef string) error {
	d, b := dev.Python, base.Python
	switch {
	case d == nil:
		return unsupportedf("", "%s for %s has no Python", devRef, platform)
	case b == nil: // [Host.bringPython] leaves no such base
		return unsupportedf("name a base image with Python "+minor(d)+": --onto REF", "%s for %s has no Python", baseRef, platform)
	case minor(d) != minor(b) || d.Implementation != b.Implementation:
		return unsupportedf("take a base image with Python "+minor(d),
			"%s for %s has Python %s, but %s has %s", baseRef, platform, b.Version, devRef, d.Version)
	case d.Libc.Family != b.Libc.Family:
		return unsupportedf("take a base image of the same C library",
			"%s for %s runs Python on %s, but %s on %s", baseRef, platform, b.Libc.Family, devRef, d.Libc.Family)
	}
	return nil
}

// minor is the part of an interpreter's version that extensions depend on.
func minor(i *inspect.Interpreter) string { return i.Markers.PythonVersion }
