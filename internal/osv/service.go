package osv

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/transport"
)

// Service is a service with the API of osv.dev, version 1. What it answers is
// taken as it is: which versions are affected is its decision.
type Service struct {
	URL       string            // DefaultURL if empty; with or without /v1, or that of /v1/query alone
	Transport http.RoundTripper // nil: transport.New
	warnings
}

// Limits of the API as documented (32 MiB, 1,000 queries), and those that keep a
// service from sending for ever.
const (
	maxAnswer   = 64 << 20
	maxBatch    = 1000
	maxPages    = 100
	maxParallel = 8
)

// query is a question of the API.
type query struct {
	Package   project `json:"package"`
	Version   string  `json:"version"`
	PageToken string  `json:"page_token,omitempty"`
	index     int     // of the package it is about
}

type project struct {
	Name      string `json:"name"`
	Ecosystem string `json:"ecosystem"`
}

// Find returns the advisories that affect each package, by ID: with the batch
// interface, or package by package where a service has none.
func (s *Service) Find(ctx context.Context, list []Package) ([][]*audit.Advisory, error) {
	var queries []query
	for i, p := range list {
		versions := []python.Version{p.Version}
		if p.Version.Local() != "" {
			versions = append(versions, p.Version.Public()) // nobody lists builds
		}
		for _, v := range versions {
			queries = append(queries, query{Package: project{string(p.Name), "PyPI"}, Version: v.String(), index: i})
		}
	}
	base, single := s.base()
	out := make([][]*audit.Advisory, len(list))
	if !single {
		err := s.batch(ctx, base, queries, out)
		if !errors.Is(err, errNoBatch) {
			return out, err
		}
	}
	return out, s.each(ctx, base, queries, out)
}

// base is the URL with /v1; single is set if only /v1/query was named.
func (s *Service) base() (base string, single bool) {
	base = strings.TrimRight(s.URL, "/")
	if base == "" {
		base = DefaultURL
	}
	base, single = strings.CutSuffix(base, "/query")
	if !single && !strings.HasSuffix(base, "/v1") {
		base += "/v1"
	}
	return base, single
}

// errNoBatch is the error of a service without the batch interface.
var errNoBatch = errors.New("no batch interface")

// batch asks for the IDs of all queries at once, then for each advisory.
func (s *Service) batch(ctx context.Context, base string, queries []query, out [][]*audit.Advisory) error {
	ids := make([][]string, len(out))
	for page := 0; len(queries) > 0; page++ {
		if page == maxPages {
			return fmt.Errorf("%s: more than %d pages of answers: %w", transport.Redact(base), maxPages, ErrDamaged)
		}
		var more []query
		for part := range slices.Chunk(queries, maxBatch) {
			next, err := s.ask(ctx, base, part, ids)
			if err != nil {
				return err
			}
			more = append(more, next...)
		}
		queries = more
	}
	all := slices.Concat(ids...)
	slices.Sort(all)
	all = slices.Compact(all)
	records := make([]*audit.Advisory, len(all))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxParallel)
	for i, id := range all {
		g.Go(func() error {
			b, err := s.send(ctx, http.MethodGet, base+"/vulns/"+url.PathEscape(id), nil, maxRecord)
			if errors.Is(err, transport.ErrNotFound) {
				return errNoBatch
			}
			if err == nil {
				records[i] = s.parse(b)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i := range out {
		for _, id := range ids[i] {
			k, _ := slices.BinarySearch(all, id)
			out[i] = appendLive(out[i], records[k])
		}
		out[i] = distinct(out[i])
	}
	return nil
}

// ask sends one batch, adds the IDs it gets and returns the queries whose answer
// goes on.
func (s *Service) ask(ctx context.Context, base string, part []query, ids [][]string) ([]query, error) {
	b, err := s.send(ctx, http.MethodPost, base+"/querybatch", map[string]any{"queries": part}, maxAnswer)
	var te *transport.Error
	if errors.As(err, &te) && slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented}, te.Status) {
		return nil, errNoBatch
	}
	if err != nil {
		return nil, err
	}
	var answer struct {
		Results []struct {
			Vulns []struct {
				ID string `json:"id"`
			} `json:"vulns"`
			NextPageToken string `json:"next_page_token"`
		} `json:"results"`
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return nil, fmt.Errorf("%s/querybatch: the answer is not that of an OSV service: %w: %w", transport.Redact(base), err, ErrDamaged)
	}
	if len(answer.Results) != len(part) {
		return nil, fmt.Errorf("%s/querybatch: %d answers to %d queries: %w", transport.Redact(base), len(answer.Results), len(part), ErrDamaged)
	}
	var more []query
	for i, r := range answer.Results {
		q := part[i]
		for _, v := range r.Vulns {
			if !isID(v.ID) {
				return nil, fmt.Errorf("%s/querybatch: %q names no advisory: %w", transport.Redact(base), cut(v.ID), ErrDamaged)
			}
			ids[q.index] = append(ids[q.index], v.ID)
		}
		if r.NextPageToken != "" {
			q.PageToken = r.NextPageToken
			more = append(more, q)
		}
	}
	return more, nil
}

// each asks for one package after the other.
func (s *Service) each(ctx context.Context, base string, queries []query, out [][]*audit.Advisory) error {
	found := make([][]*audit.Advisory, len(queries))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxParallel)
	for i, q := range queries {
		g.Go(func() (err error) {
			found[i], err = s.one(ctx, base, q)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, q := range queries {
		for _, a := range found[i] {
			out[q.index] = appendLive(out[q.index], a)
		}
		out[q.index] = distinct(out[q.index])
	}
	return nil
}

// one asks for one package, page by page.
func (s *Service) one(ctx context.Context, base string, q query) ([]*audit.Advisory, error) {
	var out []*audit.Advisory
	for range maxPages {
		b, err := s.send(ctx, http.MethodPost, base+"/query", q, maxAnswer)
		if err != nil {
			return nil, err
		}
		var answer struct {
			Vulns         []json.RawMessage `json:"vulns"`
			NextPageToken string            `json:"next_page_token"`
		}
		if err := json.Unmarshal(b, &answer); err != nil {
			return nil, fmt.Errorf("%s/query: the answer is not that of an OSV service: %w: %w", transport.Redact(base), err, ErrDamaged)
		}
		for _, raw := range answer.Vulns {
			out = append(out, s.parse(raw))
		}
		if answer.NextPageToken == "" {
			return out, nil
		}
		q.PageToken = answer.NextPageToken
	}
	return nil, fmt.Errorf("%s/query: more than %d pages about %s: %w", transport.Redact(base), maxPages, q.Package.Name, ErrDamaged)
}

// appendLive leaves out what could not be read or was withdrawn.
func appendLive(list []*audit.Advisory, a *audit.Advisory) []*audit.Advisory {
	if a == nil || a.Withdrawn {
		return list
	}
	return append(list, a)
}

// parse reads a record; one that is none is noted and nil.
func (s *Service) parse(b []byte) *audit.Advisory {
	a, notes, err := ParseRecord(b)
	if err != nil {
		s.add("the service sent a record that can't be read: %v", err)
		return nil
	}
	for _, n := range notes {
		s.add("%s", n)
	}
	return a
}

// send makes a request with a JSON body and returns the whole answer.
func (s *Service) send(ctx context.Context, method, to string, body any, limit int64) ([]byte, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	rt := s.Transport
	if rt == nil {
		rt = transport.New(transport.Options{})
	}
	resp, err := transport.Do(transport.Client(rt), req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s: more than %d bytes: %w", transport.Redact(to), limit, ErrDamaged)
	}
	return b, err
}
