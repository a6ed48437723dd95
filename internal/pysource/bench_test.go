package pysource_test

import (
	"os"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/pysource"
)

// BenchmarkScan reads some module of the usual mixture: code, docstrings, imports. Real
// files are named by DISTILL_PYTHON, a colon-separated list.
func BenchmarkScan(b *testing.B) {
	_, class, _ := strings.Cut(sample, "\nclass ")
	src := []byte(sample + strings.Repeat("\nclass "+class, 20))
	if list := os.Getenv("DISTILL_PYTHON"); list != "" {
		src = nil
		for name := range strings.SplitSeq(list, ":") {
			text, err := os.ReadFile(name)
			if err != nil {
				b.Fatal(err)
			}
			src = append(src, text...)
		}
	}
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		pysource.Scan(src)
	}
}

const sample = `"""A module with a docstring.

It has several lines, as they have.
"""
from __future__ import annotations

import os.path as osp
from collections.abc import (
    Iterable,  # one
    Mapping,
)

try:
    import numpy as np
except ImportError:
    np = None


class Reader(Base):
    """Reads."""

    limit: int = 10

    def read(self, name: str, *, flags=()) -> dict[str, "int"]:
        # Not import x, but the opposite.
        out = {k: v for k, v in sorted(flags.items()) if k != "import y"}
        if not out:
            raise ValueError(f"{name!r} has none: {self.limit}")
        return self.parse(out, lambda x: x + 1, name=name)[1:-1]
`
