#!/usr/bin/env bash
# Checks distill against material that is kept outside this repository: test vectors of the packaging
# standards, resolver scenarios and hostile inputs. Without it (a plain clone) there is nothing to do: the
# tests carry samples of their own.
#
#   DISTILL_SHARED   folder with vectors/, scenarios/ and hostile/ (default: ../shared)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SHARED=$(realpath -m "${DISTILL_SHARED:-../shared}")
if [[ ! -d $SHARED/vectors ]]; then
  echo "conformance: there is no $SHARED/vectors, so nothing is checked"
  exit 0
fi
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
BIN=$PWD/bin/distill

echo "--- vectors, worlds and faults, by the packages' own tests"
DISTILL_SHARED=$SHARED go test ./internal/python ./internal/resolve ./internal/image ./internal/pypi ./internal/publish

echo "--- resolver scenarios"
(cd "$WORK" && python3 "$SHARED/scenarios/run_scenarios.py" "$SHARED/scenarios/cases" --oracle "$SHARED/scenarios/accepted.json" \
  --distill "$BIN" 2>"$WORK/scenarios.err") || { tail -n 40 "$WORK/scenarios.err"; exit 1; }

# The index cases are asked of the index: the kit's development image holds the same package, and what
# stands there is taken before any index (docs/decisions/0041).
hostile() { python3 "$SHARED/hostile/run_cases.py" --tool distill --work "$WORK/hostile" -q "$@"; }
echo "--- hostile images and registries"
hostile --cmd "$BIN {args}" --family image
hostile --cmd "$BIN {args}" --family registry
echo "--- hostile indexes"
hostile --cmd "$BIN {args} --source wheel,build" --family index
