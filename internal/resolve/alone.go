package resolve

import (
	"context"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// onTarget shows a source as if one of its targets were the only one.
type onTarget struct {
	src    Source
	target int
}

// Installed returns what stands in the image of the target.
func (o onTarget) Installed(name python.Name) *Project {
	p := o.src.Installed(name)
	if p == nil {
		return nil
	}
	out := &Project{Index: p.Index, Note: p.Note}
	var lists [][]*Artifact
	for i, v := range p.Versions {
		if list := o.artifacts(p, i); len(list) > 0 {
			out.Versions = append(out.Versions, v)
			lists = append(lists, list)
		}
	}
	if len(lists) == 0 {
		return nil
	}
	out.Artifacts = func(i int) []*Artifact { return lists[i] }
	return out
}

// Project returns all versions with the artifacts that the target could use.
func (o onTarget) Project(ctx context.Context, name python.Name, url string) (*Project, error) {
	p, err := o.src.Project(ctx, name, url)
	if err != nil {
		return nil, err
	}
	out := *p
	out.Artifacts = func(i int) []*Artifact { return o.artifacts(p, i) }
	return &out, nil
}

// Requires asks the source about the artifact as it knows it.
func (o onTarget) Requires(ctx context.Context, c *Candidate, a *Artifact) (*Needs, error) {
	if a.Kind == ImageFiles {
		there := *a
		there.Target = o.target
		a = &there
	}
	return o.src.Requires(ctx, c, a)
}

func (o onTarget) artifacts(p *Project, i int) []*Artifact {
	var out []*Artifact
	for _, a := range p.Artifacts(i) {
		if a.Kind != ImageFiles {
			out = append(out, a)
		} else if a.Target == o.target {
			here := *a
			here.Target = 0
			out = append(out, &here)
		}
	}
	return out
}
