package pylock

import (
	"fmt"
	"strings"
	"testing"
)

// buildLock is the text of a lock with one package that is built, and two build
// requirements; what is in it can be replaced.
const buildLock = `lock-version = "1.0"
created-by = "distill"
[[packages]]
name = "a"
version = "1"
sdist = { url = "https://example.org/a-1.tar.gz", hashes = { sha256 = "00" } }
[[packages.tool.distill.builds]]
platforms = ["linux/amd64"]
asked = ["t>=1"]
requires = [{ name = "t", version = "1" }]
[tool.distill]
platforms = ["linux/amd64", "linux/arm64"]
[[tool.distill.build-packages]]
name = "t"
version = "1"
sdist = { url = "https://example.org/t-1.tar.gz", hashes = { sha256 = "00" } }
[[tool.distill.build-packages.tool.distill.builds]]
platforms = ["linux/amd64"]
requires = [{ name = "u", version = "2" }]
[[tool.distill.build-packages]]
name = "u"
version = "2"
sdist = { url = "https://example.org/u-2.tar.gz", hashes = { sha256 = "00" } }
`

func TestReadRefusesBuilds(t *testing.T) {
	if _, err := Read([]byte(buildLock)); err != nil {
		t.Fatal(err)
	}
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	entry := "[[tool.distill.build-packages]]\nname = \"x%[1]d\"\nversion = \"1\"\n" +
		"sdist = { url = \"https://example.org/x%[1]d-1.tar.gz\", hashes = { sha256 = \"00\" } }\n"
	for _, c := range []struct{ old, text, want string }{
		{`{ name = "t", version = "1" }`, `{ name = "t", version = "2" }`, "packages[0].tool.distill.builds[0].requires[0]: t 2 is not in tool.distill.build-packages"},
		{`{ name = "t", version = "1" }`, `{ name = "t" }`, "packages[0].tool.distill.builds[0].requires[0].version: it is missing"},
		{`{ name = "t", version = "1" }`, `{ name = "t", version = "1" }, { name = "t", version = "1" }`, "builds[0].requires[1]: t stands there already"},
		{`{ name = "t", version = "1" }`, `1`, "requires[0]: this is a number"},
		{`{ name = "t", version = "1" }`, many(600, `{ name = "x%d", version = "1" },`), "builds[0].requires: there are 600, more than 512"},
		{`["t>=1"]`, `["t>=one"]`, "packages[0].tool.distill.builds[0].asked[0]"},
		{`["t>=1"]`, `["t` + strings.Repeat(" ", 5000) + `"]`, "asked[0]: it has 5001 bytes, more than 4096"},
		{`["t>=1"]`, "[" + many(300, `"x%d",`) + "]", "builds[0].asked: there are 300, more than 256"},
		{`platforms = ["linux/amd64"]` + "\nasked", "asked", "packages[0].tool.distill.builds[0].platforms: there are none"},
		{"[tool.distill]\nplatforms = [", "[tool.distill]\nplatforms = [" + many(100, `"p%d",`), "tool.distill.platforms: there are 102, more than the 64 for which"},
		{`platforms = ["linux/amd64"]` + "\nasked", "platforms = [\"linux/s390x\"]\nasked", `platforms[0]: "linux/s390x" is no platform of the lock`},
		{`platforms = ["linux/amd64"]` + "\nasked", "platforms = [\"linux/amd64\", \"linux/amd64\"]\nasked", `builds[0].platforms[1]: "linux/amd64" stands there already`},
		{"[tool.distill]", "[[packages.tool.distill.builds]]\nplatforms = [\"linux/amd64\"]\n[tool.distill]", `packages[0].tool.distill.builds[1].platforms[0]: "linux/amd64" stands`},
		{`{ name = "u", version = "2" }`, `{ name = "t", version = "1" }`, "tool.distill.build-packages[0]: on linux/amd64 t 1 is built with t 1, which can't"},
		{"name = \"u\"\nversion = \"2\"\n", "name = \"u\"\n", "tool.distill.build-packages[1].version: it is missing"},
		{`sdist = { url = "https://example.org/u-2.tar.gz", hashes = { sha256 = "00" } }`, `vcs = { type = "git" }`, "build-packages[1]: a build requirement is a file, not a vcs"},
		{`sdist = { url = "https://example.org/u-2.tar.gz", hashes = { sha256 = "00" } }`, "", "build-packages[1]: u has either sdist and wheels"},
		{`u-2.tar.gz", hashes = { sha256 = "00" } }`, `u-2.tar.gz" }`, "build-packages[1].sdist.hashes: no hash"},
		{"", strings.ReplaceAll(fmt.Sprintf(entry, 1)+fmt.Sprintf(entry, 1), "x1", "u"), "build-packages[3]: u 1 is tool.distill.build-packages[2] already"},
		{"", many(5000, entry), "tool.distill.build-packages: there are 5002, more than 4096"},
	} {
		text := strings.Replace(buildLock, c.old, c.text, 1)
		if c.old == "" {
			text = buildLock + c.text
		}
		_, err := Read([]byte(text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: got %.200v, want %q", c.text, err, c.want)
		}
	}
}

// A chain as long as there may be entries, which a recursive check would follow, and
// a circle over all of them.
func TestReadOfLongChainsOfBuilds(t *testing.T) {
	chain := func(n int, last string) []byte {
		var b strings.Builder
		b.WriteString("lock-version = \"1.0\"\ncreated-by = \"x\"\npackages = []\n[tool.distill]\nplatforms = [\"linux/amd64\"]\n")
		for i := range n {
			fmt.Fprintf(&b, "[[tool.distill.build-packages]]\nname = \"x%[1]d\"\nversion = \"1\"\nsdist = { url = \"u/x%[1]d-1.tar.gz\", hashes = { sha256 = \"00\" } }\n", i)
			next := fmt.Sprintf("x%d", i+1)
			if i == n-1 {
				next = last
			}
			if next != "" {
				fmt.Fprintf(&b, "[[tool.distill.build-packages.tool.distill.builds]]\nplatforms = [\"linux/amd64\"]\nrequires = [{ name = %q, version = \"1\" }]\n", next)
			}
		}
		return []byte(b.String())
	}
	if _, err := Read(chain(maxBuildPackages, "")); err != nil {
		t.Error(err)
	}
	if _, err := Read(chain(maxBuildPackages, "x0")); err == nil || !strings.Contains(err.Error(), "x4095 1 is built with x0 1, which can't be built without it") {
		t.Errorf("got %v", err)
	}
}

func TestCircleOverTwoPlatformsIsNone(t *testing.T) {
	text := buildLock + "[[tool.distill.build-packages.tool.distill.builds]]\nplatforms = [\"linux/arm64\"]\nrequires = [{ name = \"t\", version = \"1\" }]\n"
	if _, err := Read([]byte(text)); err != nil {
		t.Error(err)
	}
	if _, err := Read([]byte(strings.ReplaceAll(text, "linux/arm64", "linux/amd64"))); err == nil {
		t.Error("a circle on one platform is read")
	}
}
