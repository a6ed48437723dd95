package wheelhouse

import (
	"context"
	"errors"
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
func (h *House) tools(ctx context.Context, q Question, uploaded time.Time) (*resolve.Resolution, error) {
	var end time.Time
	for _, t := range q.Targets {
		if p := h.o.Platforms[t]; p.Env != nil {
			if e := era(uploaded, p.Env.Python.Version); end.IsZero() || e.After(end) {
				end = e
			}
		}
	}
	if !end.IsZero() {
		for _, d := range later {
			q.Before = end.Add(d)
			r, err := h.o.Resolve(ctx, q)
			var none *resolve.NoSolution
			if !errors.As(err, &none) {
				return r, err
			}
		}
	}
	q.Before = time.Time{}
	return h.o.Resolve(ctx, q)
}
