#!/usr/bin/env bash
# Is what `distill verify` says true? Removes files of distilled images one by one, and compares what
# verify says with really running the smoke script: e2e/mutate.py. Needs root and the images of `make images`.
#
#   e2e/mutate.sh [NAME ...]     sets of fixtures/requirements (default: dev-flask)
#
#   MUTATE_COUNT=30     files of each kind that are removed (default: 5)
#   MUTATE_VERBOSE=1    a line for each file
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/../scripts/lib.sh"
need_root
work_folder mutate
((failed = 0))
for n in "${@:-dev-flask}"; do
  echo "== $n"
  export DISTILL_CACHE_DIR=$WORK/cache TMPDIR=$WORK
  args=()
  [[ ! -e $REQS/$n.constraints.txt ]] || args=(-c "$REQS/$n.constraints.txt")
  "$DISTILL" --from "oci:$IMAGES/pydev" --onto "oci:$IMAGES/pyslim" --req "$REQS/$n.txt" "${args[@]}" \
    --platform linux/amd64 --to "oci:$WORK/$n" -q >/dev/null || exit 1
  python3 "$HERE/mutate.py" "$DISTILL" "$WORK/$n" "$REQS/$n.smoke.py" -n "${MUTATE_COUNT:-5}" ${MUTATE_VERBOSE:+-v} || failed=1
  rm -rf "${WORK:?}/$n"
done
exit $failed
