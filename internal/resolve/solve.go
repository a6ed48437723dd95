package resolve

import "context"

// Solve picks versions and artifacts. The answer depends on the request and on
// what the source says, never on the order in which it says it. Requirements that
// can't be met give a *[NoSolution].
func Solve(ctx context.Context, src Source, req Request) (*Resolution, error) {
	panic("contract")
}
