package distill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/osv"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// maxRounds bounds how often a proposed version is replaced because an advisory
// affects it, too.
const maxRounds = 8

// repair is the search for a version without known vulnerabilities.
type repair struct {
	osv.Package
	advisories []*audit.Advisory // that affect it or what was tried
	floor      python.Version    // the lowest version that is not affected
	found      bool
}

// propose looks for fixed versions: with requirements such that fit them, else the
// nearest. Of build requirements it is always the nearest: what is built decides
// which versions of them fit.
func (a *auditing) propose(ctx context.Context, affected, tools []osv.Package) (map[audit.Key]audit.Proposal, error) {
	out := map[audit.Key]audit.Proposal{}
	if _, err := a.nearest(ctx, tools, out); err != nil {
		return nil, err
	}
	repairs, err := a.nearest(ctx, affected, out)
	if err != nil || a.asked == nil {
		return out, err
	}
	return out, a.resolveAgain(ctx, repairs, out)
}

// nearest proposes the nearest fixed versions.
func (a *auditing) nearest(ctx context.Context, affected []osv.Package, out map[audit.Key]audit.Proposal) ([]*repair, error) {
	var repairs []*repair
	for _, p := range affected {
		r := &repair{Package: p, advisories: a.facts.Advisories[keyOf(p)]}
		r.found = a.raise(r, p.Version)
		repairs = append(repairs, r)
	}
	if err := a.confirm(ctx, repairs); err != nil {
		return nil, err
	}
	for _, r := range repairs {
		if r.found {
			out[keyOf(r.Package)] = audit.Proposal{Version: r.floor.String(), How: "the nearest version that is fixed"}
		}
	}
	return repairs, nil
}

// raise sets the floor to the lowest version above v that no advisory seen so far
// affects, false if there is none.
func (a *auditing) raise(r *repair, v python.Version) bool {
	candidates := newerThan(a.facts.Index[r.Name], v)
	if candidates == nil {
		for _, x := range r.advisories {
			candidates = append(candidates, x.FixedAfter(r.Name, v)...)
		}
		slices.SortFunc(candidates, python.Version.Compare)
	}
	for _, c := range candidates {
		if !slices.ContainsFunc(r.advisories, func(x *audit.Advisory) bool { return x.Affects(r.Name, c) }) {
			r.floor = c
			return true
		}
	}
	return false
}

// confirm asks the database about the proposed versions, and raises those that
// other advisories affect.
func (a *auditing) confirm(ctx context.Context, repairs []*repair) error {
	open := slices.DeleteFunc(slices.Clone(repairs), func(r *repair) bool { return !r.found })
	for round := 0; len(open) > 0; round++ {
		var list []osv.Package
		for _, r := range open {
			list = append(list, osv.Package{Name: r.Name, Version: r.floor})
		}
		found, err := a.find(ctx, list)
		if err != nil {
			return err
		}
		var again []*repair
		for k, r := range open {
			if len(found[k]) == 0 {
				continue
			}
			r.advisories = append(slices.Clone(r.advisories), found[k]...)
			if r.found = round < maxRounds && a.raise(r, r.floor); r.found {
				again = append(again, r)
			}
		}
		open = again
	}
	return nil
}

// resolveAgain looks for an answer with fixed versions: all of them at once, else
// each on its own.
func (a *auditing) resolveAgain(ctx context.Context, repairs []*repair, out map[audit.Key]audit.Proposal) error {
	fixable := slices.DeleteFunc(slices.Clone(repairs), func(r *repair) bool { return !r.found })
	if len(fixable) == 0 {
		return nil
	}
	a.Teller.Step("", "resolving with fixed versions")
	client, err := a.client(a.options.Index, a.asked.options)
	if err != nil {
		return err
	}
	defer client.Flush()
	src := newSource(client, nil, nil)
	res, err := a.solveWith(ctx, src, fixable)
	var none *resolve.NoSolution
	switch {
	case err == nil:
		for _, r := range fixable {
			out[keyOf(r.Package)] = a.picked(res, r)
		}
		return nil
	case !errors.As(err, &none):
		return err
	}
	for _, r := range fixable {
		res, err := a.solveWith(ctx, src, []*repair{r})
		if err == nil {
			out[keyOf(r.Package)] = a.picked(res, r)
			continue
		}
		if !errors.As(err, &none) {
			return err
		}
		story, _, _ := strings.Cut(none.Story, "\n")
		out[keyOf(r.Package)] = audit.Proposal{How: "no fixed version fits the requirements: " + strings.TrimSuffix(story, ":")}
	}
	return nil
}

// solveWith resolves with the floors of repairs, and as little else changed as
// may be. A pick that is affected raises its floor, and it is tried again.
func (a *auditing) solveWith(ctx context.Context, src *source, repairs []*repair) (*resolve.Resolution, error) {
	opts, err := resolveOptions(a.asked, a.options.Index, a.options.Choice)
	if err != nil {
		return nil, err
	}
	opts.Locked = a.facts.Lock.Preferences(a.facts.Targets)
	for round := 0; ; round++ {
		constraints := slices.Clone(a.asked.constraints)
		for _, r := range repairs {
			c, err := python.ParseRequirement(fmt.Sprintf("%s>=%s", r.Name, r.floor.Public()))
			if err != nil {
				return nil, err
			}
			c.Pos.File = "a fixed version" // what a story calls it
			constraints = append(constraints, c)
		}
		res, err := resolve.Solve(ctx, src, resolve.Request{
			Targets: a.facts.Targets, Requirements: a.asked.requirements, Constraints: constraints,
			Overrides: a.asked.overrides, Options: opts,
		})
		if err != nil {
			return nil, err
		}
		again, err := a.raisePicked(ctx, res, repairs)
		if err != nil || !again || round == maxRounds {
			return res, err
		}
	}
}

// raisePicked raises the floors of repairs whose picks are affected.
func (a *auditing) raisePicked(ctx context.Context, res *resolve.Resolution, repairs []*repair) (again bool, err error) {
	var list []osv.Package
	var of []*repair
	for _, r := range repairs {
		for _, p := range res.Picks {
			if p.Name == r.Name {
				list, of = append(list, osv.Package{Name: p.Name, Version: p.Version}), append(of, r)
			}
		}
	}
	found, err := a.find(ctx, list)
	if err != nil {
		return false, err
	}
	for k, r := range of {
		if len(found[k]) > 0 && r.floor.Compare(list[k].Version) <= 0 {
			r.advisories = append(slices.Clone(r.advisories), found[k]...)
			again = a.raise(r, list[k].Version) || again
		}
	}
	return again, nil
}

// picked is what the resolver chose for a repair.
func (a *auditing) picked(res *resolve.Resolution, r *repair) audit.Proposal {
	var versions []string
	for _, p := range res.Picks {
		if p.Name == r.Name {
			versions = append(versions, p.Version.String())
		}
	}
	if len(versions) == 0 {
		return audit.Proposal{How: "locking again gets rid of it: with fixed versions of the others nothing asks for it"}
	}
	return audit.Proposal{Version: strings.Join(versions, " and "), How: "which fits the requirements"}
}
