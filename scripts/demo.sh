#!/usr/bin/env bash
# The whole job on real input: two small images are made, a registry is started, distill turns the
# development image into the slim one for amd64 and arm64, and what came out is run (`make demo`).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

step() { printf '\n== %s\n' "$*"; }
shown() { printf '$ %s\n' "$*"; "$@"; }

need_tools mmdebstrap pigz
work_folder demo
export DISTILL_CACHE_DIR=$WORK/cache

step 'Two images, as in life: what developers work in, and the slim base of what is shipped'
"$ROOT/fixtures/images/demo.sh"
step 'A registry on this machine'
registry
echo "$REGISTRY"

step 'distill: the packages that the requirements need, from the one onto the other, for both architectures'
cd "$REQS"
shown "$DISTILL" --from "oci:$IMAGES/demo-dev" --onto "oci:$IMAGES/demo-slim" --req demo.txt --to "$REGISTRY/demo:1.0.0"

step 'Running what was shipped'
echo 'import ctypes; ctypes.CDLL("libodbc.so.2")' >"$WORK/odbc.py"
skopeo copy -q "oci:$IMAGES/demo-slim:latest" "${CONTAINERS}localhost/demo-slim:latest"
if run_in amd64 localhost/demo-slim python3 - <"$WORK/odbc.py" >"$WORK/out" 2>&1; then
  die 'the slim base has libodbc.so.2 already: the demo would show nothing'
fi
echo "the base alone:      $(tail -1 "$WORK/out")"
for a in amd64 arm64; do
  tag=1.0.0-$a; [[ $a == amd64 ]] || tag=1.0.0-arm64v8
  pull --arch "$a" "$REGISTRY/demo:$tag" >/dev/null
  said=$(run_in "$a" "$REGISTRY/demo:$tag" python3 - <demo.smoke.py)
  [[ $said == OK ]] || die "demo.smoke.py in demo:$tag printed $said"
  printf '%-20s demo.smoke.py prints %s; %s instead of %s\n' "demo:$tag:" "$said" \
    "$(mb "$(layer_bytes "$REGISTRY/demo:$tag" "$a")")" "$(mb "$(layer_bytes "oci:$IMAGES/demo-dev" "$a")")"
done
echo
echo "make demo: done in $SECONDS s"
