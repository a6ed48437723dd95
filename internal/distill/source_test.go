package distill

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/transport"
)

func TestAnIndexThatGivesNoAnswerHasAHint(t *testing.T) {
	for _, c := range []struct {
		err  *transport.Error
		want string // what the hint holds
	}{
		{&transport.Error{Kind: transport.Auth, Status: 401}, "netrc"},
		{&transport.Error{Kind: transport.Auth, Status: 403}, "netrc"},
		{&transport.Error{Kind: transport.Server, Status: 500}, "try again"},
		{&transport.Error{Kind: transport.Network, Err: errors.New("connection refused")}, "try again"},
		{&transport.Error{Kind: transport.Server, Status: 418}, "--index-url"},
	} {
		err := fmt.Errorf("resolving: %w", &unanswered{fmt.Errorf("project x: %w", c.err)})
		if h := hintsOf(err); len(h) != 1 || !strings.Contains(h[0], c.want) {
			t.Errorf("%v: got hints %q, want one with %q", err, h, c.want)
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%v does not wrap its cause", err)
		}
	}
	if h := hintsOf(&unanswered{errors.New("odd")}); len(h) != 0 {
		t.Errorf("got hints %q of an unknown failure", h)
	}
}
