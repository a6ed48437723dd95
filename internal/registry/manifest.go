package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// MaxManifest is the most that a manifest or index may have (SAFETY rule 3, and
// what registries accept).
const MaxManifest = 4 << 20

// Manifest is a manifest or an index as it is stored.
type Manifest struct {
	MediaType types.MediaType // as the registry says; the document may have its own idea
	Digest    v1.Hash
	Bytes     []byte
}

// accepted are the types of documents that are asked for.
var accepted = strings.Join([]string{
	string(types.OCIImageIndex), string(types.OCIManifestSchema1),
	string(types.DockerManifestList), string(types.DockerManifestSchema2),
}, ", ")

// Head returns what a tag or digest stands for, without its content. A tag or
// digest that is not there gives ErrNotFound.
func (r *Repository) Head(ctx context.Context, ref string) (v1.Descriptor, error) {
	c := r.manifestCall(http.MethodHead, ref)
	resp, err := r.do(ctx, c)
	if err != nil {
		return v1.Descriptor{}, err
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusOK {
		return v1.Descriptor{}, r.answer(c, resp)
	}
	digest, err := v1.NewHash(resp.Header.Get("Docker-Content-Digest"))
	if err != nil || resp.ContentLength < 0 {
		// The specification wants the header, some proxies drop it.
		m, err := r.Manifest(ctx, ref)
		if err != nil {
			return v1.Descriptor{}, err
		}
		return v1.Descriptor{MediaType: m.MediaType, Digest: m.Digest, Size: int64(len(m.Bytes))}, nil
	}
	if want, err := v1.NewHash(ref); err == nil && want != digest {
		return v1.Descriptor{}, r.wrongDigest(c.op, digest.String())
	}
	return v1.Descriptor{MediaType: mediaType(resp), Digest: digest, Size: resp.ContentLength}, nil
}

// Manifest returns the document a tag or digest stands for. Its bytes have been
// checked against ref if that is a digest, and against what the registry says.
func (r *Repository) Manifest(ctx context.Context, ref string) (*Manifest, error) {
	c := r.manifestCall(http.MethodGet, ref)
	w := r.newWait()
	for {
		m, err := r.manifest(ctx, c, ref)
		if err == nil {
			return m, nil
		}
		// The body may break off after a good header.
		var broken *networkError
		if !errors.As(err, &broken) {
			return nil, err
		}
		if err := w.again(ctx, err); err != nil {
			return nil, err
		}
	}
}

func (r *Repository) manifest(ctx context.Context, c call, ref string) (*Manifest, error) {
	resp, err := r.do(ctx, c)
	if err != nil {
		return nil, err
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusOK {
		return nil, r.answer(c, resp)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, MaxManifest+1))
	if err != nil {
		return nil, &networkError{r.base.Host, c.op, err}
	}
	if len(data) > MaxManifest {
		return nil, fmt.Errorf("%s: %s: has more than %d bytes: %w", r.base.Host, c.op, MaxManifest, ErrDigest)
	}
	want := ref
	if !strings.Contains(ref, ":") {
		want = resp.Header.Get("Docker-Content-Digest")
	}
	digest, err := digestOf(want, data)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", r.base.Host, c.op, err)
	}
	if want != "" && want != digest.String() {
		return nil, r.wrongDigest(c.op, digest.String())
	}
	return &Manifest{MediaType: mediaType(resp), Digest: digest, Bytes: data}, nil
}

// PutManifest stores a document under a tag or its digest. Everything it names
// must be there.
func (r *Repository) PutManifest(ctx context.Context, ref string, mediaType types.MediaType, data []byte) error {
	c := r.manifestCall(http.MethodPut, ref)
	c.header = http.Header{"Content-Type": {string(mediaType)}}
	c.size = int64(len(data))
	c.body = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	resp, err := r.do(ctx, c)
	if err != nil {
		return err
	}
	defer drain(resp)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return r.answer(c, resp)
	}
	got := resp.Header.Get("Docker-Content-Digest")
	if want, err := digestOf(got, data); got != "" && (err != nil || want.String() != got) {
		return r.wrongDigest(c.op, got)
	}
	return nil
}

func (r *Repository) manifestCall(method, ref string) call {
	return call{
		op:     method + " manifest " + r.name.RepositoryStr() + separator(ref) + ref,
		method: method,
		url:    r.path("/manifests/%s", ref),
		header: http.Header{"Accept": {accepted}},
	}
}

func separator(ref string) string {
	if strings.Contains(ref, ":") {
		return "@"
	}
	return ":"
}

func (r *Repository) wrongDigest(op, got string) error {
	return fmt.Errorf("%s: %s: the registry has %s there: %w", r.base.Host, op, quoteUnlessDigest(got), ErrDigest)
}

func quoteUnlessDigest(s string) string {
	if _, err := v1.NewHash(s); err == nil {
		return s
	}
	return fmt.Sprintf("%q", cut(s))
}

func mediaType(resp *http.Response) types.MediaType {
	t, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	return types.MediaType(strings.TrimSpace(t))
}

// digestOf hashes data in the manner of want, which is a digest or "" (sha256).
func digestOf(want string, data []byte) (v1.Hash, error) {
	if want == "" {
		sum := sha256.Sum256(data)
		return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}, nil
	}
	h, err := v1.NewHash(want)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("digest %q: %w", cut(want), ErrDigest)
	}
	hasher, err := v1.Hasher(h.Algorithm)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("digest %q: %w", cut(want), ErrDigest)
	}
	hasher.Write(data)
	return v1.Hash{Algorithm: h.Algorithm, Hex: hex.EncodeToString(hasher.Sum(nil))}, nil
}
