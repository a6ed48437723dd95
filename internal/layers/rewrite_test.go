package layers

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/plan"
)

// upper is a rule that may stop before the end of what it reads.
type upper struct {
	name string
	stop int64
}

func (u upper) Name() string { return u.name }

func (u upper) Reader(r io.Reader) io.Reader {
	b, err := io.ReadAll(io.LimitReader(r, u.stop))
	if err != nil {
		return io.MultiReader(bytes.NewReader(bytes.ToUpper(b)), &failing{err})
	}
	return bytes.NewReader(bytes.ToUpper(b))
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

func rewritingPlan(list ...*files.File) *plan.Plan {
	return &plan.Plan{Platform: "linux/amd64", Layers: []plan.Layer{{Name: "x", Files: files.NewSet(list)}}}
}

func TestRewrittenFilesHaveAKeyWithoutBeingRead(t *testing.T) {
	unread := file("a", "text")
	unread.Content = nil // to open it would panic
	key := func(f *files.File, rule upper) string {
		return Key(&rewritingPlan(files.Rewritten(f, rule, 4)).Layers[0], Options{Epoch: epoch})
	}
	one := key(unread, upper{"upper", 4})
	if one == "" || one != key(file("a", "text"), upper{"upper", 4}) {
		t.Errorf("key %q", one)
	}
	for _, other := range []string{
		key(unread, upper{"upper 2", 4}), key(file("a", "tent"), upper{"upper", 4}),
		Key(&rewritingPlan(unread).Layers[0], Options{Epoch: epoch}),
	} {
		if other == one {
			t.Error("the same key for other content")
		}
	}
	nameless := file("a", "text")
	nameless.SHA256 = ""
	if got := key(nameless, upper{"upper", 4}); got != "" {
		t.Errorf("key %q of content that nobody knows", got)
	}
}

func TestRewrittenFilesAreFoundInTheStore(t *testing.T) {
	for _, nameless := range []bool{false, true} {
		store := newMemory()
		opts := Options{Epoch: epoch}
		f := file("a", "text and more")
		if nameless {
			f.SHA256 = ""
		}
		p := rewritingPlan(files.Rewritten(f, upper{"upper", 4}, 4))
		first := digestOf(t, assemble(t, p, store, opts))
		missing, err := Missing(p, store, opts)
		if err != nil || (len(missing) > 0) != nameless {
			t.Errorf("missing: %v, %v", missing, err)
		}
		if !nameless {
			f.Content = content{text: "not read again"}
		}
		if second := digestOf(t, assemble(t, p, store, opts)); second != first || store.puts != 1 {
			t.Errorf("%s, then %s; %d written", first, second, store.puts)
		}
		plain := digestOf(t, assemble(t, rewritingPlan(file("a", "TEXT")), newMemory(), opts))
		if plain != first {
			t.Errorf("rewritten %s, the same content as it is %s", first, plain)
		}
	}
}

func TestWhatIsRewrittenIsChecked(t *testing.T) {
	wrong := file("a", "text and more")
	wrong.Content = content{text: "text and less"} // beyond what the rule reads
	broken := file("a", "text")
	broken.Content = content{text: "text", how: func(r io.Reader) io.Reader { return io.MultiReader(r, &failing{io.ErrClosedPipe}) }}
	for want, f := range map[string]*files.File{
		"a has sha256 ":     files.Rewritten(wrong, upper{"upper", 4}, 4),
		"a: io: read":       files.Rewritten(broken, upper{"upper", 9}, 4),
		"a ends after 4 of": files.Rewritten(file("a", "text"), upper{"upper", 9}, 5),
	} {
		store := newMemory()
		_, err := Assemble(empty.Image, rewritingPlan(f), store, Options{Epoch: epoch})
		if err == nil || !strings.Contains(err.Error(), want) || store.puts > 0 {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
