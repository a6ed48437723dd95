package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
)

// world is an index of packages that are made up. All have wheels for any platform.
// GET /-/requirements gives what is to be resolved. The families:
//
//	wide:N      N requirements on N packages of 20 versions, each of which needs
//	            three others, and nothing conflicts
//	lockstep:N  a package of N versions, each needs the same version of another one,
//	            and of that one all but the oldest conflict with a requirement
//	tangle:N    N packages of 12 versions that need narrow ranges of each other,
//	            drawn by lot; one solution is planted
type world struct {
	age          int
	requirements string
	projects     map[string][][]string // versions, oldest first, and what each needs
	pages        map[string]*page
}

func newWorld(spec string, age int) (*world, error) {
	family, size, _ := strings.Cut(spec, ":")
	n, err := strconv.Atoi(size)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("world %q has no size", spec)
	}
	w := &world{age: age, projects: map[string][][]string{}, pages: map[string]*page{}}
	switch family {
	case "wide":
		w.wide(n)
	case "lockstep":
		w.lockstep(n)
	case "tangle":
		w.tangle(n)
	default:
		return nil, fmt.Errorf("world %q is of no known family", spec)
	}
	for name, versions := range w.projects {
		w.pages[name] = newPage(pageOf(name, versions))
	}
	return w, nil
}

func name(i int) string { return fmt.Sprintf("made-up-%04d", i) }

func (w *world) wide(n int) {
	lot := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range n {
		w.requirements += fmt.Sprintf("%s>=%d\n", name(i), lot.IntN(10))
		versions := make([][]string, 20)
		for v := range versions {
			for range 3 {
				versions[v] = append(versions[v], fmt.Sprintf("%s>=%d", name(lot.IntN(n)), lot.IntN(15)))
			}
		}
		w.projects[name(i)] = versions
	}
}

func (w *world) lockstep(n int) {
	w.requirements = "front\nshared<2\n"
	var front, back [][]string
	for v := range n {
		front = append(front, []string{fmt.Sprintf("back==%d", v)})
		back = append(back, []string{fmt.Sprintf("shared>=%d", min(v+1, 5))})
	}
	w.projects["front"], w.projects["back"] = front, back
	w.projects["shared"] = make([][]string, 10)
}

// tangle plants one version of each package; what a planted version needs holds
// for the planted ones, what others need is arbitrary.
func (w *world) tangle(n int) {
	const versions = 12
	lot := rand.New(rand.NewPCG(7, uint64(n)))
	planted := make([]int, n)
	for i := range planted {
		planted[i] = lot.IntN(versions)
	}
	for i := range n {
		all := make([][]string, versions)
		for v := range all {
			for range 3 {
				other := lot.IntN(n)
				low := lot.IntN(versions - 3)
				if v == planted[i] {
					low = max(0, planted[other]-lot.IntN(4))
				}
				if other != i {
					all[v] = append(all[v], fmt.Sprintf("%s>=%d,<%d", name(other), low, low+4))
				}
			}
		}
		w.projects[name(i)] = all
	}
	for i := range max(1, n/4) {
		w.requirements += name(i) + "\n"
	}
}

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/-/requirements" {
		send(rw, []byte(w.requirements))
		return
	}
	if name, ok := project(r); ok && w.pages[name] != nil {
		w.pages[name].serve(rw, r, w.age)
		return
	}
	if name, version, ok := fileOf(r.URL.Path); ok && version < len(w.projects[name]) {
		send(rw, metadataOf(name, version, w.projects[name][version]))
		return
	}
	http.NotFound(rw, r)
}

func wheelName(name string, version int) string {
	return fmt.Sprintf("%s-%d-py3-none-any.whl", strings.ReplaceAll(name, "-", "_"), version)
}

// fileOf takes the path of a .metadata file apart.
func fileOf(path string) (name string, version int, ok bool) {
	rest, is := strings.CutPrefix(path, "/files/")
	rest, meta := strings.CutSuffix(rest, ".metadata")
	parts := strings.Split(rest, "-")
	if !is || !meta || len(parts) < 2 {
		return "", 0, false
	}
	version, err := strconv.Atoi(parts[1])
	return strings.ReplaceAll(parts[0], "_", "-"), version, err == nil && version >= 0
}

func metadataOf(name string, version int, needs []string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Metadata-Version: 2.1\nName: %s\nVersion: %d\nRequires-Python: >=3.8\n", name, version)
	for _, need := range needs {
		fmt.Fprintf(&b, "Requires-Dist: %s\n", need)
	}
	return b.Bytes()
}

func pageOf(name string, versions [][]string) []byte {
	type row struct {
		Filename       string            `json:"filename"`
		URL            string            `json:"url"`
		Hashes         map[string]string `json:"hashes"`
		RequiresPython string            `json:"requires-python"`
		CoreMetadata   map[string]string `json:"core-metadata"`
		Size           int               `json:"size"`
		UploadTime     string            `json:"upload-time"`
	}
	digest := func(b []byte) map[string]string {
		sum := sha256.Sum256(b)
		return map[string]string{"sha256": hex.EncodeToString(sum[:])}
	}
	var rows []row
	for v, needs := range versions {
		file := wheelName(name, v)
		rows = append(rows, row{
			file, "/files/" + file, digest([]byte(file)), ">=3.8",
			digest(metadataOf(name, v, needs)), 1000 + v, "2026-01-01T00:00:00.000000Z",
		})
	}
	b, err := json.Marshal(map[string]any{"meta": map[string]string{"api-version": "1.1"}, "name": name, "files": rows})
	if err != nil {
		panic(err) // of strings and numbers only
	}
	return b
}
