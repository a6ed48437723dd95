package wheelhouse

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// settled is how long after its release the tools of a source archive, or of a Python,
// are taken to fit: for an archive fixes of the first weeks are let in, for a Python the
// year in which build tools learn about it.
const (
	settledArchive = 30 * 24 * time.Hour
	settledPython  = 365 * 24 * time.Hour
)

// releases are the dates of Python's minor versions 3.8 and later (PEP 569, 596, 619, 664,
// 693, 719, 745).
var releases = []time.Time{
	day(2019, 10, 14), day(2020, 10, 5), day(2021, 10, 4), day(2022, 10, 24), day(2023, 10, 2), day(2024, 10, 7), day(2025, 10, 7),
}

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// era is the time up to which build requirements are taken to fit an archive: later ones
// have had time to break with what it does, and what the same archive is built with would
// change with each of their releases. The zero time knows no limit.
func era(uploaded time.Time, py python.Version) time.Time {
	r := py.Release()
	if uploaded.IsZero() || len(r) < 2 || r[0] != 3 {
		return time.Time{}
	}
	end := uploaded.Add(settledArchive)
	switch minor := int(r[1]) - 8; {
	case minor >= len(releases): // younger than this program
		return time.Time{}
	case minor >= 0:
		if p := releases[minor].Add(settledPython); p.After(end) {
			end = p
		}
	}
	return end
}

// later are the times by which the end of an era is put off, one after the other, if there is
// no answer before it: requirements name versions that came soon after.
var later = []time.Duration{0, 90 * 24 * time.Hour, 365 * 24 * time.Hour, 3 * 365 * 24 * time.Hour}

// tools resolves build requirements: those of the archive's time if they fit each
// other and the platforms, else those of as soon after as there is an answer.
func (h *House) tools(ctx context.Context, o *Order, list []python.Requirement) (*resolve.Resolution, error) {
	q := Question{Requirements: list, Targets: o.Targets, Prefer: o.Prefer}
	if end := h.era(o); !end.IsZero() {
		for _, d := range later {
			q.Before = end.Add(d)
			r, err := h.o.Resolve(ctx, q)
			var none *resolve.NoSolution
			if !errors.As(err, &none) {
				if err == nil && passesLinked(o, r) {
					return h.linkedTools(ctx, o, q, r)
				}
				return r, err
			}
		}
	}
	q.Before = time.Time{}
	return h.o.Resolve(ctx, q)
}

// era is the latest one of an order's platforms.
func (h *House) era(o *Order) (end time.Time) {
	for _, t := range o.Targets {
		p := h.o.Platforms[t]
		if p.Env == nil {
			continue
		}
		e := era(o.File.Uploaded, p.Env.Python.Version)
		if e.IsZero() {
			return e
		}
		if e.After(end) {
			end = e
		}
	}
	return end
}

// linkedTools is r with the versions of Linked that the wheel will run with, whenever they
// came: code that is compiled against the older numpy does not run with a newer one. All
// else stays as it is if it can.
func (h *House) linkedTools(ctx context.Context, o *Order, q Question, r *resolve.Resolution) (*resolve.Resolution, error) {
	q.Before, q.Prefer = time.Time{}, nil
	for _, p := range o.Prefer {
		if slices.Contains(o.Linked, p.Name) {
			q.Prefer = append(q.Prefer, p)
		}
	}
	for _, p := range r.Picks {
		for _, on := range p.On {
			q.Prefer = append(q.Prefer, resolve.Preference{Name: p.Name, Version: p.Version, Target: on.Target})
		}
	}
	again, err := h.o.Resolve(ctx, q)
	var none *resolve.NoSolution
	switch {
	case errors.As(err, &none), err == nil && passesLinked(o, again):
		return r, nil
	}
	return again, err
}

// passesLinked tells whether another version of a project is taken than the one that the
// wheel will run with.
func passesLinked(o *Order, r *resolve.Resolution) bool {
	for at := range o.Targets {
		for _, p := range r.On(at) {
			if !slices.Contains(o.Linked, p.Name) {
				continue
			}
			first := slices.IndexFunc(o.Prefer, func(l resolve.Preference) bool { return l.Name == p.Name && (l.Target == at || l.Target < 0) })
			if first >= 0 && o.Prefer[first].Version.Compare(p.Version) != 0 {
				return true
			}
		}
	}
	return false
}
