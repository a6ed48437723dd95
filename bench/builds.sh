#!/usr/bin/env bash
# Measures builds from source in pydev: native, emulated, out of the local cache and out of a wheel cache. Prints a
# Markdown table, and keeps each number as a JSON line in dist/bench/builds.jsonl.
#
#   bench/builds.sh [NAME==VERSION ...]     default: what fixtures/requirements/build-small and build-large build
#
#   BENCH_ARCHES="amd64 arm64"   amd64 is native here, arm64 runs in qemu
#
# Needs root and the package index. The times of builds are those that distill tells: preparing and building, without
# fetching; those of caches are of whole runs for all architectures, from reading the images to the layout on disk.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/../scripts/lib.sh"

ARCHES=${BENCH_ARCHES:-amd64 arm64}
RESULTS=$ROOT/dist/bench/builds.jsonl
PACKAGES=("$@")
((${#PACKAGES[@]})) || mapfile -t PACKAGES < <(grep -hE '^[a-zA-Z].*==' "$REQS"/build-{small,large}.txt)

# run FOLDER PACKAGE [FLAG...]: leaves stderr and time
run() {
  local d=$1 p=$2; shift 2
  mkdir -p "$d"
  printf -- '--no-binary %s\n%s\nnumpy~=1.26\n' "${p%%=*}" "$p" >"$d/r.txt"
  (cd "$d" && rm -rf out && /usr/bin/time -o time -f '%e' "$DISTILL" --from "oci:$IMAGES/pydev" --onto "oci:$IMAGES/pyslim" --req r.txt --to oci:out \
    --platform "$(printf 'linux/%s,' $ARCHES | sed 's/,$//')" --lock pylock.toml --wheel-cache "$REGISTRY/wheels" -v "$@" >/dev/null 2>stderr) ||
    { grep -v ' | ' "$d/stderr" | tail -5 >&2; return 1; }
}
# took FOLDER ARCH: seconds of preparing and building
took() { sed -nE "s,.* linux/$2 +(preparing|building) [^|]*: took ([0-9.]+)s\$,\2,p" "$1/stderr" | awk '{n += $1} END {if (NR) printf "%.1f", n}'; }
record() { jq -cn --arg package "$1" --arg key "$2" --arg seconds "$3" --arg load "$(cut -d' ' -f1 /proc/loadavg)" '$ARGS.named' >>"$RESULTS"; }

main() {
  local p d a row native factor
  need_tools
  work_folder bench
  registry
  mkdir -p "$(dirname "$RESULTS")"; : >"$RESULTS"
  printf '| | native s | emulated s | factor | local cache s | wheel cache s |\n| --- | --: | --: | --: | --: | --: |\n'
  for p in "${PACKAGES[@]}"; do
    d=$WORK/$p native='' row="| ${p/==/ }"
    run "$d" "$p" --cache-dir "$WORK/cache" || continue
    for a in amd64 arm64; do
      t=$(took "$d" $a); record "$p" "$a" "$t"
      row+=" | ${t:--}"
      [[ $a != amd64 ]] || native=$t
    done
    factor=$(awk -v n="$native" -v e="$t" 'BEGIN {if (n > 0 && e > 0) printf "%.1f", e / n; else print "-"}')
    run "$d" "$p" --cache-dir "$WORK/cache"; record "$p" local "$(<"$d/time")"
    row+=" | $factor | $(<"$d/time")"
    run "$d" "$p" --cache-dir "$d/cache"; record "$p" shared "$(<"$d/time")"
    echo "$row | $(<"$d/time") |"
    rm -rf "$d"
  done
}
main
