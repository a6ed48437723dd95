package pypi

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/transport"
	"github.com/r-seed-1713b764/distill/internal/wheel"
)

// maxMetadata bounds METADATA (SAFETY rule 3).
const maxMetadata = 16 << 20

// Places where metadata is found, as Metadata.Origin has them.
const (
	originWheel     = "METADATA"
	originPkgInfo   = "PKG-INFO"
	originPyproject = "pyproject.toml"
	originRequires  = "requires.txt"
	originDynamic   = "" // remembered: only a build can tell
)

// Metadata returns the core metadata of a wheel or of a source archive. ErrDynamic
// means only a build can tell. It costs no request if the file, or its metadata,
// was here before; else one for the .metadata file that the index offers; else
// about one and a half for parts of the wheel, or one for the whole file.
func (c *Client) Metadata(ctx context.Context, f File) (Metadata, error) {
	if err := c.init(); err != nil {
		return Metadata{}, err
	}
	if m, ok := c.known(f); ok {
		if c.Log != nil {
			c.Log("metadata of %s: in the cache", f.Name)
		}
		return m, dynamic(f, m)
	}
	m, err := c.state.metadata.do(ctx, flightKey(f), keepNothing, func() (Metadata, error) {
		m, err := c.findMetadata(ctx, f)
		if err != nil {
			return m, err
		}
		c.logf("metadata of %s: %s", f.Name, cmp.Or(m.Origin, "only a build can tell"))
		c.remember(f, m)
		return m, nil
	})
	if err != nil {
		return Metadata{}, err
	}
	return m, dynamic(f, m)
}

func dynamic(f File, m Metadata) error {
	if m.Origin == originDynamic {
		return fmt.Errorf("%s: %w", f.Name, ErrDynamic)
	}
	return nil
}

// findMetadata gets metadata from where it costs least.
func (c *Client) findMetadata(ctx context.Context, f File) (m Metadata, err error) {
	if !isWheel(f.Name) {
		return c.sdistMetadata(ctx, f)
	}
	raw, err := c.rawMetadata(ctx, f)
	if err != nil {
		return m, err
	}
	m = Metadata{Core: condense(raw), Guaranteed: true, Origin: originWheel}
	return m, checkIdentity(f, m.Core)
}

// rawMetadata returns METADATA of a wheel.
func (c *Client) rawMetadata(ctx context.Context, f File) ([]byte, error) {
	if name, local := localName(f.URL); local {
		return localMetadata(f, name)
	}
	if digest, ok := c.stored(f); ok {
		return c.blobMetadata(f, digest)
	}
	if c.Offline {
		return nil, fmt.Errorf("metadata of %s from %s: %w", f.Name, transport.Redact(f.URL), ErrOffline)
	}
	if f.CoreMetadata != nil {
		b, err := c.offeredMetadata(ctx, f)
		if !errors.Is(err, transport.ErrNotFound) {
			return b, err
		}
		c.logf("%s: the index offers metadata that is not there", f.Name)
	}
	return c.rangedMetadata(ctx, f)
}

// localMetadata reads a wheel of the find-links.
func localMetadata(f File, name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return damaged(wheel.Metadata(f.Name, file, info.Size()))
}

func (c *Client) blobMetadata(f File, digest string) ([]byte, error) {
	b, err := c.Cache.OpenBlob("sha256:" + digest)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	defer b.Close()
	return damaged(wheel.Metadata(f.Name, b, b.Size))
}

// damaged makes errors about an archive ours.
func damaged(b []byte, err error) ([]byte, error) {
	if errors.Is(err, wheel.ErrDamaged) {
		return nil, damagedWheel{err}
	}
	return b, err
}

// damagedWheel is an error of package wheel, whose text says all already.
type damagedWheel struct{ error }

func (d damagedWheel) Unwrap() error      { return d.error }
func (damagedWheel) Is(target error) bool { return target == ErrDamaged }

// offeredMetadata fetches the .metadata file of PEP 658.
func (c *Client) offeredMetadata(ctx context.Context, f File) ([]byte, error) {
	u, err := url.Parse(f.URL)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: not a URL", f.Name, ErrDamaged)
	}
	u.Path += ".metadata"
	if u.RawPath != "" {
		u.RawPath += ".metadata"
	}
	b, resp, err := c.getAll(ctx, &c.state.counts.metadata, u.String(), nil, maxMetadata)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %w: the answer is %d", transport.RedactURL(u), ErrDamaged, resp.StatusCode)
	}
	for _, algorithm := range []string{"sha256", "sha384", "sha512", "md5"} {
		want, offered := f.CoreMetadata[algorithm]
		if !offered {
			continue
		}
		h := newHash(algorithm)
		h.Write(b)
		if have := fmt.Sprintf("%x", h.Sum(nil)); have != want {
			g := f
			g.Name += ".metadata"
			return nil, c.mismatch(g, algorithm, want, have)
		}
	}
	return b, nil
}

// condense keeps the header lines that decide about dependencies, with the lines
// that continue them. It ends where the headers end: at an empty line, or one that
// is none.
func condense(b []byte) []byte {
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	var out []byte
	keep, field := false, false
	for len(b) > 0 {
		var line []byte
		line, b = cutLine(b)
		folded := len(line) > 0 && (line[0] == ' ' || line[0] == '\t')
		if !folded {
			colon := bytes.IndexByte(line, ':')
			if field = isField(line[:max(colon, 0)]); field {
				keep = isKept(line[:colon])
			}
		}
		if !field {
			break // the description follows
		}
		if keep {
			out = append(append(out, line...), '\n')
		}
	}
	return out
}

// isField tells whether a line may begin like this to be a header (RFC 5322).
func isField(key []byte) bool {
	return len(key) > 0 && !bytes.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' })
}

// cutLine takes the first line off, which ends with LF, CR LF or CR.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexAny(b, "\r\n")
	if i < 0 {
		return b, nil
	}
	line, rest = b[:i], b[i+1:]
	if b[i] == '\r' && len(rest) > 0 && rest[0] == '\n' {
		rest = rest[1:]
	}
	return line, rest
}

// isKept tells whether a header decides about dependencies.
func isKept(key []byte) bool {
	for _, k := range [...]string{"Metadata-Version", "Name", "Version", "Requires-Python", "Requires-Dist", "Provides-Extra", "Dynamic"} {
		if len(k) == len(key) && strings.EqualFold(k, string(key)) {
			return true
		}
	}
	return false
}

// header returns the first value of a header in condensed metadata.
func header(core []byte, name string) string {
	for line := range bytes.Lines(core) {
		key, value, ok := bytes.Cut(line, []byte(":"))
		if ok && strings.EqualFold(string(key), name) {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}

// checkIdentity refuses metadata of something else than the file's name says.
func checkIdentity(f File, core []byte) error {
	name, err := python.ParseName(header(core, "Name"))
	if err != nil {
		return fmt.Errorf("%s: %w: its metadata has no usable name (%w)", f.Name, ErrDamaged, err)
	}
	want, ok := versionOf(f.Name, name)
	if !ok {
		return fmt.Errorf("%s: %w: its metadata is that of %s", f.Name, ErrDamaged, name)
	}
	have, err := python.ParseVersion(header(core, "Version"))
	if err != nil || have.Compare(want) != 0 {
		return fmt.Errorf("%s: %w: its metadata is that of version %.80q", f.Name, ErrDamaged, header(core, "Version"))
	}
	return nil
}
