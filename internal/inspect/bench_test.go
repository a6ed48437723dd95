package inspect

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkRead is an image with 200 distributions of 50 files each.
func BenchmarkRead(b *testing.B) {
	var text, record strings.Builder
	text.WriteString(glibcImage("2.36", "3.11.2", ""))
	record.WriteString("-- record --\n")
	for d := range 200 {
		fmt.Fprintf(&text, "-- %sd%d-1.0.dist-info/METADATA --\nName: d%d\nVersion: 1.0\nRequires-Dist: d%d>=1\n", site, d, d, d+1)
		fmt.Fprintf(&record, "%sd%d-1.0.dist-info/RECORD d%d-1.0.dist-info/METADATA", site, d, d)
		for f := range 50 {
			fmt.Fprintf(&text, "-- %sd%d/m%d.py --\npass\n", site, d, f)
			fmt.Fprintf(&record, " d%d/m%d.py", d, f)
		}
		record.WriteString("\n")
	}
	s := parseSample(text.String() + record.String())
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		e, err := Read(s.set, Options{})
		if err != nil || len(e.Distributions) != 200 {
			b.Fatal(err, len(e.Distributions))
		}
	}
}
