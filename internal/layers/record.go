package layers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/plan"
)

// RecordLabel is the label of an image's configuration that holds its [Record]. A
// label, since it is in the one document that every tool copies whole: annotations
// get lost in archives and in docker's own storage.
const RecordLabel = "io.github.r-seed-1713b764.distill.record"

// recordFormat changes when an older reader would misread a record.
const recordFormat = 1

// maxRecord bounds a record; one has some hundred bytes, and what the user put
// into labels and variables.
const maxRecord = 1 << 20

// Record says which layers of an image are the base's and what was changed in its
// configuration, so that the others can be put on another base.
type Record struct {
	Format int `json:"format"`
	// BaseLayers and OwnLayers count from the bottom; MergedLayers of the own
	// ones, at the top, hold files of the base with something added.
	BaseLayers   int `json:"baseLayers"`
	OwnLayers    int `json:"ownLayers"`
	MergedLayers int `json:"mergedLayers,omitempty"`
	// Chain is the chain ID of all layers (image-spec, config.md): if it is another
	// now, somebody has changed the image since.
	Chain string `json:"chain"`
	// Config is what was asked for, before names became numbers.
	Config ConfigChange `json:"config"`
	// App are the paths that the application was put at: "app".
	App []string `json:"app,omitempty"`
	// InBase are packages that the application uses and the base brings, as
	// "six 1.16.0".
	InBase []string `json:"inBase,omitempty"`
}

// ReadRecord returns the record of an image, or why it has none that can be
// believed.
func ReadRecord(c *v1.ConfigFile) (*Record, error) {
	text, ok := c.Config.Labels[RecordLabel]
	switch {
	case !ok:
		return nil, fmt.Errorf("its configuration has no label %s, which distill writes", RecordLabel)
	case len(text) > maxRecord:
		return nil, fmt.Errorf("the label %s has %d bytes, more than %d", RecordLabel, len(text), maxRecord)
	}
	var r Record
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return nil, fmt.Errorf("label %s: %w", RecordLabel, err)
	}
	n := len(c.RootFS.DiffIDs)
	switch {
	case r.Format != recordFormat:
		return nil, fmt.Errorf("label %s is of format %d, and only %d is known", RecordLabel, r.Format, recordFormat)
	case r.BaseLayers < 0 || r.OwnLayers < 0 || r.MergedLayers < 0 || r.MergedLayers > r.OwnLayers || r.OwnLayers > n:
		return nil, fmt.Errorf("label %s does not fit the image's %d layers", RecordLabel, n)
	case r.BaseLayers+r.OwnLayers < n:
		return nil, fmt.Errorf("%d of its %d layers were added later by something else", n-r.BaseLayers-r.OwnLayers, n)
	case r.BaseLayers+r.OwnLayers != n || r.Chain != chainID(c.RootFS.DiffIDs):
		return nil, fmt.Errorf("its layers are not those that distill wrote")
	}
	return &r, nil
}

// record returns the label for an image of these layers, the last len(p.Layers) of
// which are new.
func record(r *Record, diffIDs []v1.Hash, p *plan.Plan) (string, error) {
	out := *r
	out.Format = recordFormat
	out.OwnLayers = len(p.Layers)
	out.BaseLayers = len(diffIDs) - out.OwnLayers
	out.MergedLayers = 0
	for i := len(p.Layers) - 1; i >= 0 && p.Layers[i].Merged; i-- {
		out.MergedLayers++
	}
	out.Chain = chainID(diffIDs)
	text, err := json.Marshal(out)
	return string(text), err
}

// chainID is the chain ID of layers, "" for none.
func chainID(diffIDs []v1.Hash) string {
	chain := ""
	for i, id := range diffIDs {
		if i == 0 {
			chain = id.String()
			continue
		}
		sum := sha256.Sum256([]byte(chain + " " + id.String()))
		chain = "sha256:" + hex.EncodeToString(sum[:])
	}
	return chain
}
