package layers

import (
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/plan"
)

// configure returns the configuration of the new image: that of the base, which
// has n layers, with the new layers and what the options change.
func configure(base *v1.ConfigFile, n int, p *plan.Plan, blobs []*Blob, opts Options) (*v1.ConfigFile, error) {
	if len(base.RootFS.DiffIDs) != n {
		return nil, fmt.Errorf("base image: %d layers, but its configuration lists %d", n, len(base.RootFS.DiffIDs))
	}
	c := base.DeepCopy()
	if err := setPlatform(c, p.Platform); err != nil {
		return nil, err
	}
	c.Created = v1.Time{Time: opts.Epoch.UTC()}
	// What the machine that built the base was called is not carried on.
	c.Container, c.DockerVersion = "", ""
	c.Config.Hostname, c.Config.Domainname, c.Config.Image = "", "", ""

	c.RootFS.Type = "layers"
	c.History = baseHistory(c.History, n, c.Created)
	for i, b := range blobs {
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, b.DiffID)
		if b.history != nil {
			c.History = append(c.History, *b.history)
			continue
		}
		c.History = append(c.History, v1.History{
			Created:   c.Created,
			CreatedBy: strings.TrimRight("distill "+opts.Version, " ") + ": " + p.Layers[i].Name,
			Comment:   p.Layers[i].Comment,
		})
	}
	if c.RootFS.DiffIDs == nil {
		c.RootFS.DiffIDs = []v1.Hash{} // the schema wants a list
	}
	if err := change(&c.Config, opts.Config); err != nil {
		return nil, err
	}
	return c, setRecord(c, p, opts.Record)
}

// setRecord writes the record of this image; that of a base which distill made
// speaks about other layers.
func setRecord(c *v1.ConfigFile, p *plan.Plan, r *Record) error {
	delete(c.Config.Labels, RecordLabel)
	if r == nil {
		return nil
	}
	text, err := record(r, c.RootFS.DiffIDs, p)
	if err != nil {
		return err
	}
	if c.Config.Labels == nil {
		c.Config.Labels = map[string]string{}
	}
	c.Config.Labels[RecordLabel] = text
	return nil
}

// setPlatform checks platform ("linux/arm64", with or without variant) against
// the base, and says v8 where an arm64 base left the variant out.
func setPlatform(c *v1.ConfigFile, platform string) error {
	want, err := v1.ParsePlatform(platform)
	if err != nil || want.OS == "" || want.Architecture == "" {
		return fmt.Errorf("platform %q is not of the form os/architecture", platform)
	}
	if c.OS == "" && c.Architecture == "" { // scratch
		c.OS, c.Architecture, c.Variant = want.OS, want.Architecture, want.Variant
	}
	if c.OS != want.OS || c.Architecture != want.Architecture {
		return fmt.Errorf("base image is for %s/%s, not for %s", c.OS, c.Architecture, platform)
	}
	if c.Variant == "" {
		c.Variant = want.Variant
	}
	if c.Architecture == "arm64" && c.Variant == "" {
		c.Variant = "v8"
	}
	return nil
}

// baseHistory returns the base's history with as many entries for layers as it
// has layers: some builders write none, and readers that count them stumble.
func baseHistory(history []v1.History, n int, created v1.Time) []v1.History {
	var out []v1.History
	layers := 0
	for _, h := range history {
		if h.Created.IsZero() {
			h.Created = created
		}
		if !h.EmptyLayer {
			if layers++; layers > n {
				h.EmptyLayer = true
			}
		}
		out = append(out, h)
	}
	for ; layers < n; layers++ {
		out = append(out, v1.History{Created: created, Comment: "layer of the base image"})
	}
	return out
}

func change(c *v1.Config, ch ConfigChange) error {
	if ch.Entrypoint != nil {
		// As in a Dockerfile: the arguments were meant for the old one.
		c.Entrypoint, c.Cmd = slices.Clone(*ch.Entrypoint), nil
	}
	if ch.Cmd != nil {
		c.Cmd = slices.Clone(*ch.Cmd)
	}
	if ch.User != nil {
		c.User = *ch.User
	}
	if ch.Workdir != nil {
		if !strings.HasPrefix(*ch.Workdir, "/") {
			return fmt.Errorf("working directory %q is not absolute", *ch.Workdir)
		}
		c.WorkingDir = *ch.Workdir
	}
	for _, kv := range ch.Env {
		name, _, ok := strings.Cut(kv, "=")
		if !ok || name == "" {
			return fmt.Errorf("environment %q is not of the form NAME=value", kv)
		}
		i := slices.IndexFunc(c.Env, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		if i >= 0 {
			c.Env[i] = kv
		} else {
			c.Env = append(c.Env, kv)
		}
	}
	for k, v := range ch.Labels {
		if c.Labels == nil {
			c.Labels = map[string]string{}
		}
		c.Labels[k] = v
	}
	return nil
}
