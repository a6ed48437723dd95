package image_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/image"
)

// overlayCase is one case of testdata/overlay.txt.
type overlayCase struct {
	name, want, err string
	layers          [][]string
}

func overlayCases(t *testing.T) []overlayCase {
	t.Helper()
	data, err := os.ReadFile("testdata/overlay.txt")
	if err != nil {
		t.Fatal(err)
	}
	var list []overlayCase
	inWant := false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		verb, rest, _ := strings.Cut(line, " ")
		if verb == "case" {
			list = append(list, overlayCase{name: rest})
			inWant = false
			continue
		}
		c := &list[len(list)-1]
		switch {
		case line == "layer":
			c.layers = append(c.layers, nil)
		case line == "want":
			inWant = true
		case verb == "error":
			c.err = rest
		case inWant:
			c.want += strings.TrimSpace(line) + "\n"
		default:
			c.layers[len(c.layers)-1] = append(c.layers[len(c.layers)-1], strings.TrimSpace(line))
		}
	}
	return list
}

func TestOverlay(t *testing.T) {
	for _, c := range overlayCases(t) {
		t.Run(c.name, func(t *testing.T) {
			k := newKit(t)
			var layers []layerOf
			for _, lines := range c.layers {
				layers = append(layers, layerOf{tar: tarOf(t, lines...)})
			}
			ref := k.finish(k.image("linux/amd64", layers, nil))
			i, err := load(t, ref, image.Options{})
			if c.err != "" {
				if !errors.Is(err, image.ErrDamaged) || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want one about %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(t, i.Files); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}
