#!/usr/bin/env bash
# Compares what internal/elfdeps says of dynamic loaders with the real ones of glibc and musl: compiles
# each case of its testdata/loader and runs it, those about the loader's own files in a changed root.
#
# Needs root and an amd64 Debian machine; installs the compilers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh
need_root
need_packages gcc libc6-dev libc-bin musl-tools
DISTILL_E2E=1 go test -count=1 -run 'TestRealLoadersAgree|TestLdconfigReadsWhatEncodeCacheWrites' ./internal/elfdeps
