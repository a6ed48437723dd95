package resolve

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// lockStep is a world like that of boto3 and botocore: each version of one needs
// its own version of the other, all of which but the oldest are impossible.
func lockStep(n int) *worldCase {
	c := &worldCase{world: newWorld()}
	c.req.Targets = []Target{testTarget("linux/amd64", "3.11.2", glibc(36)), testTarget("linux/arm64", "3.11.2", glibc(36))}
	for i := range n {
		c.world.release(fmt.Sprintf("boto 1.%d | needs core>=1.%d,<1.%d | needs path>=1,<2 | needs transfer>=1", i, i, i+1), "")
		url := "url>=2,<3"
		if i < 3 {
			url = "url>=1,<3"
		}
		c.world.release(fmt.Sprintf("core 1.%d | needs path>=1,<2 | needs date>=2 | needs %s", i, url), "")
	}
	for _, line := range []string{"path 1.0", "date 2.0", "transfer 1.0 | needs core", "url 1.0", "url 2.0"} {
		c.world.release(line, "")
	}
	c.req.Requirements = append(c.req.Requirements, mustRequirement("url<2"), mustRequirement("boto"))
	return c
}

// wide is a world of many packages that get along.
func wide(n int) *worldCase {
	c := &worldCase{world: newWorld()}
	c.req.Targets = []Target{testTarget("linux/amd64", "3.11.2", glibc(36)), testTarget("linux/arm64", "3.11.2", glibc(36))}
	for i := range n {
		for v := range 5 {
			line := fmt.Sprintf("p%d %d", i, v+1)
			for k := 1; k <= 3 && i+k < n; k++ {
				line += fmt.Sprintf(" | needs p%d>=%d", i+k, v)
			}
			c.world.release(line, "")
		}
		c.req.Requirements = append(c.req.Requirements, mustRequirement(fmt.Sprintf("p%d", i)))
	}
	return c
}

func benchmark(b *testing.B, c *worldCase, answer bool) {
	b.ReportAllocs()
	for b.Loop() {
		r, err := Solve(context.Background(), c.world, c.req)
		var none *NoSolution
		if answer != (err == nil) || err != nil && !errors.As(err, &none) {
			b.Fatal(err)
		}
		if r != nil {
			b.ReportMetric(float64(r.Stats.Versions), "versions")
		}
	}
}

func BenchmarkLockStep300(b *testing.B)  { benchmark(b, lockStep(300), true) }
func BenchmarkLockStep3000(b *testing.B) { benchmark(b, lockStep(3000), true) }
func BenchmarkWide2000(b *testing.B)     { benchmark(b, wide(2000), true) }
func BenchmarkPigeons6(b *testing.B)     { benchmark(b, hard(6), false) }
func BenchmarkPigeons7(b *testing.B)     { benchmark(b, hard(7), false) }
