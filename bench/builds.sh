#!/usr/bin/env bash
# Measures builds from source in pydev: native, emulated, out of the local cache and out of a wheel cache. Prints a
# Markdown table, and keeps each number as a JSON line in dist/bench/builds.jsonl.
#
#   bench/builds.sh [NAME==VERSION ...]     default: what fixtures/requirements/build-small and build-large build
#
#   BENCH_ARCHES="amd64 arm64"   amd64 is native here, arm64 runs in qemu
#
# Needs root and the package index. A build is what distill tells of preparing and building, without fetching; its CPU
# time is that of the run beyond that of one which finds the wheel. A cache is a whole run, from reading the images to
# the layout on disk. Wall times are those of this machine on this day, CPU times hardly depend on the load.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/../scripts/lib.sh"

ARCHES=${BENCH_ARCHES:-amd64 arm64}
RESULTS=$ROOT/dist/bench/builds.jsonl
PACKAGES=("$@")
((${#PACKAGES[@]})) || mapfile -t PACKAGES < <(grep -hE '^[a-zA-Z].*==' "$REQS"/build-{small,large}.txt)

# run FOLDER PACKAGE PLATFORMS [FLAG...]: leaves stderr and time
run() {
  local d=$1 p=$2 on=$3; shift 3
  mkdir -p "$d"
  printf -- '--no-binary %s\n%s\nnumpy~=1.26\n' "${p%%=*}" "$p" >"$d/r.txt"
  (cd "$d" && rm -rf out && /usr/bin/time -o time -f '%e %U %S' "$DISTILL" --from "oci:$IMAGES/pydev" --onto "oci:$IMAGES/pyslim" --req r.txt --to oci:out \
    --platform "$on" --wheel-cache "$REGISTRY/wheels" -v "$@" >/dev/null 2>stderr) || { grep -v ' | ' "$d/stderr" | tail -5 >&2; return 1; }
}
wall() { awk '{print $1}' "$1/time"; }
cpu_of() { awk '{print $2 + $3}' "$1/time"; }
# took FOLDER: seconds of preparing and building
took() { sed -nE "s,.* (preparing|building) [^|]*: took ([0-9.]+)s\$,\2,p" "$1/stderr" | awk '{n += $1} END {printf "%.1f", n}'; }
record() { jq -cn --arg package "$1" --arg key "$2" --arg seconds "$3" --arg load "$(cut -d' ' -f1 /proc/loadavg)" '$ARGS.named' >>"$RESULTS"; }

# one ARCH PACKAGE FOLDER: built, then found; leaves wall and CPU seconds in WALL and CPU
one() {
  local a=$1 p=$2 d=$3 fresh
  run "$d" "$p" "linux/$a" --cache-dir "$WORK/cache" || return 1
  WALL=$(took "$d") fresh=$(cpu_of "$d")
  run "$d" "$p" "linux/$a" --cache-dir "$WORK/cache" || return 1
  CPU=$(awk -v a="$fresh" -v b="$(cpu_of "$d")" 'BEGIN {printf "%.1f", a - b}')
  record "$p" "$a wall" "$WALL"; record "$p" "$a cpu" "$CPU"
}

main() {
  local p d a row first all
  need_tools
  work_folder bench
  registry
  mkdir -p "$(dirname "$RESULTS")"; : >"$RESULTS"
  all=$(printf 'linux/%s,' $ARCHES); all=${all%,}
  # what all builds share: images are read and unpacked, back ends fetched
  for a in $ARCHES; do run "$WORK/warm" thrift==0.20.0 "linux/$a" --cache-dir "$WORK/cache" --source wheel,build; done
  printf '| |'; for a in $ARCHES; do printf ' %s wall s | CPU s |' "$a"; done
  printf ' ratio of CPU | local cache s | wheel cache s |\n| --- |'; for a in $ARCHES; do printf ' --: | --: |'; done; printf ' --: | --: | --: |\n'
  for p in "${PACKAGES[@]}"; do
    d=$WORK/$p row="| ${p/==/ }" first=''
    for a in $ARCHES; do
      one "$a" "$p" "$d" || continue 2
      row+=" | $WALL | $CPU"
      first=${first:-$CPU}
    done
    row+=" | $(awk -v n="$first" -v e="$CPU" 'BEGIN {printf "%.1f", e / n}')"
    run "$d" "$p" "$all" --cache-dir "$WORK/cache"; record "$p" local "$(wall "$d")"
    row+=" | $(wall "$d")"
    run "$d" "$p" "$all" --cache-dir "$d/cache"; record "$p" shared "$(wall "$d")"
    echo "$row | $(wall "$d") |"
    rm -rf "$d"
  done
}
main
