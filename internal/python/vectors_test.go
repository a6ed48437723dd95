package python

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// vectors calls check with every case of the sample in testdata, and with all
// cases of $DISTILL_SHARED/vectors if that is set. Contested cases (those with
// "other") follow packaging 26.3 too.
func vectors[T any](t *testing.T, name string, check func(t *testing.T, c *T)) {
	t.Helper()
	files := []string{filepath.Join("testdata", name+".json")}
	if dir := os.Getenv("DISTILL_SHARED"); dir != "" {
		files = append(files, filepath.Join(dir, "vectors", name+".dev.json"))
	} else {
		t.Log("DISTILL_SHARED is not set: only the sample is checked")
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct{ Cases []T }
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(doc.Cases) == 0 {
			t.Fatalf("%s: no cases", file)
		}
		for i := range doc.Cases {
			check(t, &doc.Cases[i])
		}
	}
}
