package distill

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/pypi"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// hashers are the algorithms of --hash, as in pip.
var hashers = map[string]func() hash.Hash{"sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New}

// checkHashes compares a file that was fetched with the hashes that requirements and
// constraints give for its project. The resolver does so with what the index says; what
// that does not list, or what comes from no index, can only be compared now. digest is a
// sha256, in hex.
func (r *resolved) checkHashes(ctx context.Context, name python.Name, f pypi.File, digest string) error {
	for _, list := range [][]python.Requirement{r.asked.requirements, r.asked.constraints} {
		for _, q := range list {
			if q.Name != name || len(q.Hashes) == 0 {
				continue
			}
			ok, err := r.hasHash(ctx, q.Hashes, f, digest)
			if err != nil {
				return err
			}
			if !ok {
				return &Failure{
					Kind: Damaged,
					Text: fmt.Sprintf("%s:%d: %s: %s has sha256:%s, which is none of the --hash values given", q.Pos.File, q.Pos.Line, name, f.Name, strings.TrimPrefix(digest, "sha256:")),
					Hint: hintLines("find out why the file is another one; if it is right, give its hash"),
				}
			}
		}
	}
	return nil
}

// hasHash tells whether a file has one of the hashes.
func (r *resolved) hasHash(ctx context.Context, want map[string][]string, f pypi.File, digest string) (bool, error) {
	for algorithm, list := range want {
		sum := strings.TrimPrefix(digest, "sha256:")
		if algorithm != "sha256" {
			make, ok := hashers[algorithm]
			if !ok {
				continue
			}
			file, size, _, err := r.client.Download(ctx, f) // it is in the cache
			if err != nil {
				return false, err
			}
			h := make()
			_, err = io.Copy(h, io.NewSectionReader(file, 0, size))
			file.Close()
			if err != nil {
				return false, err
			}
			sum = hex.EncodeToString(h.Sum(nil))
		}
		if slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, sum) }) {
			return true, nil
		}
	}
	return false, nil
}
