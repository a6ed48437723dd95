package python

import (
	"reflect"
	"sync"
	"testing"
)

func TestMetadataParserSaysTheSame(t *testing.T) {
	texts := []string{
		"Metadata-Version: 2.1\nName: a\nVersion: 1.0\nRequires-Dist: b>=1\nRequires-Dist: c; extra == 'x'\nProvides-Extra: x\n",
		"Metadata-Version: 2.1\nName: a\nVersion: 2.0\nRequires-Dist: b>=1\nRequires-Dist: d[e] >1 ; python_version > '3'\n",
		"Name: a\nVersion: 3.0\nRequires-Dist: b>=1\nRequires-Dist: ???\n",
		"Name: a\n",
	}
	var p MetadataParser
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for _, text := range texts {
				got, err1 := p.Parse([]byte(text))
				want, err2 := ParseMetadata([]byte(text))
				if !reflect.DeepEqual(got, want) || (err1 == nil) != (err2 == nil) || err1 != nil && err1.Error() != err2.Error() {
					t.Errorf("%q: got %+v, %v, want %+v, %v", text, got, err1, want, err2)
				}
			}
		})
	}
	wait.Wait()
}
