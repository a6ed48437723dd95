#!/usr/bin/env bash
# What distill locks, other tools must take: packaging reads the file, uv and pip would install from it, and
# pip accepts the pins as a consistent set. Needs the package index; the last line is "N passed, N failed".
#
#   e2e/locks.sh [NAME ...]    sets of bench/requirements (default: the ones that pip answers within a minute)
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$HERE")
DISTILL=${DISTILL:-$ROOT/bin/distill}
SETS=("$@")
((${#SETS[@]})) || SETS=(black trio jupyter boto3)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

PASSED=0 FAILED=0
check() {  # check WHAT COMMAND...
  local what=$1; shift
  if "$@" >"$WORK/said" 2>&1; then
    PASSED=$((PASSED + 1)); echo "ok    $what"
  else
    FAILED=$((FAILED + 1)); echo "FAIL  $what"; tail -n 15 "$WORK/said" | sed 's/^/      /'
  fi
}

python3 -m venv "$WORK/venv" || { apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null && python3 -m venv "$WORK/venv"; }
"$WORK/venv/bin/pip" install -q --disable-pip-version-check --upgrade pip packaging uv || exit 1
PY=$("$WORK/venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

cat >"$WORK/valid.py" <<'P'
"""valid.py PYLOCK PINS: the file is what the standard says; writes its pins for this machine."""
import sys, tomllib
from packaging.pylock import Pylock
lock = Pylock.from_dict(tomllib.load(open(sys.argv[1], "rb")))
with open(sys.argv[2], "w") as f:
    for p in lock.packages:
        if p.marker is None or p.marker.evaluate():
            print(f"{p.name}=={p.version}", file=f)
P

export DISTILL_CACHE_DIR=$WORK/cache
for n in "${SETS[@]}"; do
  l=$WORK/pylock.$n.toml
  check "$n: distill locks it for amd64 and arm64" "$DISTILL" lock -r "$ROOT/bench/requirements/$n.in" \
    --python-version "$PY" --libc glibc-2.36 -o "$l" -q || continue
  check "$n: packaging reads the lock" "$WORK/venv/bin/python" "$WORK/valid.py" "$l" "$WORK/$n.pins"
  check "$n: uv would install from it" "$WORK/venv/bin/uv" pip install -q --python "$WORK/venv/bin/python" --dry-run -r "$l"
  check "$n: pip would install from it" "$WORK/venv/bin/pip" install -q --dry-run --ignore-installed --disable-pip-version-check -r "$l"
  check "$n: pip accepts the pins" "$WORK/venv/bin/pip" install -q --dry-run --ignore-installed --disable-pip-version-check \
    -c "$WORK/$n.pins" -r "$ROOT/bench/requirements/$n.in"
  check "$n: --locked finds nothing to change" "$DISTILL" lock -r "$ROOT/bench/requirements/$n.in" \
    --python-version "$PY" --libc glibc-2.36 -o "$l" -q --locked
done
echo "$PASSED passed, $FAILED failed"
((FAILED == 0))
