package audit

import (
	"fmt"
	"path"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
)

// brokenLink reports symbolic links that lead nowhere.
var brokenLink = verifyRule{
	Rule: Rule{
		Code: "broken-link", Severity: High,
		Title: "A symbolic link leads nowhere",
		Help:  "What opens the path fails. Keep the target with --include, or leave the link out with --exclude.",
	},
	verify: checkLinks,
}

func checkLinks(v *verifier) []Finding {
	var out []Finding
	for f := range v.env.Files.All() {
		if !f.IsSymlink() || v.o.Inherited(f.Path) {
			continue
		}
		if _, _, ok := v.env.Files.Lookup(f.Path); ok || isRuntimeLink(f) {
			continue
		}
		x := v.finding(f.Path, fmt.Sprintf("leads to %s, which is not there", f.Link), "keep the target (--include), or leave the link out (--exclude)")
		if v.owner[f.Path] == nil && !strings.Contains(path.Base(f.Path), ".so") && !strings.Contains(f.Path, "/bin/") {
			x.Severity = Medium
		}
		out = append(out, x)
	}
	return out
}

// isRuntimeLink tells links into what exists in a running container only.
func isRuntimeLink(f *files.File) bool {
	target := f.Link
	if !strings.HasPrefix(target, "/") {
		target = path.Join("/", path.Dir(f.Path), target)
	}
	for _, d := range [...]string{"/proc/", "/dev/", "/sys/", "/run/", "/var/run/", "/tmp/"} {
		if strings.HasPrefix(target, d) {
			return true
		}
	}
	return false
}
