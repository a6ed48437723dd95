#!/usr/bin/env bash
# Measures distill beside what one would do otherwise on the same images: a Dockerfile of two stages with
# pip, with uv, and with uv held to the versions of the development image. Prints Markdown tables, and
# keeps each number as a JSON line in dist/bench/results.jsonl.
#
#   bench/run.sh [NAME ...]            sets of fixtures/requirements for pydev (default: all five)
#
#   BENCH_TOOLS="distill pip uv uv-same"   what is measured (this is the default); there are also
#       distill-plain (no byte code), distill-max (--trim max), uv-code (uv-same with byte code), and
#       floor: the files that the smoke script opens in distill's image, beyond the base
#   BENCH_UNPACK=                          without the time that decompressing the images takes
#   BENCH_ARCHES="amd64 arm64"             for which the Dockerfiles are built; arm64 runs in qemu
#
# Needs root. Times are those of this machine on this day; sizes are those of gzipped layers.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/../scripts/lib.sh"

SETS=("$@")
((${#SETS[@]})) || SETS=(dev-flask dev-etl dev-lambda dev-science dev-scoring)
TOOLS=${BENCH_TOOLS:-distill pip uv uv-same}
ARCHES=${BENCH_ARCHES:-amd64 arm64}
UNPACK=${BENCH_UNPACK-1}
RESULTS=$ROOT/dist/bench/results.jsonl

record() {  # record SET TOOL ARCH KEY JSON
  jq -cn --arg set "$1" --arg tool "$2" --arg arch "$3" --arg key "$4" --argjson value "$5" '$ARGS.named' >>"$RESULTS"
}
SPENT=0
timed() {  # timed COMMAND...: leaves the wall time in seconds in $SPENT
  local t=$EPOCHREALTIME rc=0
  "$@" || rc=$?
  SPENT=$(awk -v a="$t" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", b - a}')
  return $rc
}

# what decompressing the development image's layers takes: the least that reading it costs
unpack_layers() {  # unpack_layers PROCESSES
  local a l=()
  for a in amd64 arm64; do
    mapfile -t -O "${#l[@]}" l < <(manifest "oci:$IMAGES/pydev" "$a" | jq -r '.layers[].digest | sub(":"; "/")' | sed "s,^,$IMAGES/pydev/blobs/,")
  done
  printf '%s\n' "${l[@]}" | xargs -P "$1" -I{} sh -c 'gzip -dc <"{}" >/dev/null'
}

# distill_run NAME KEY [FLAG...]: both platforms into $WORK/distill/out; what it took goes to time-KEY
distill_run() {
  local n=$1 k=$2 d=$WORK/distill; shift 2
  (cd "$d" && DISTILL_CACHE_DIR=$d/cache /usr/bin/time -o "time-$k" -f '{"seconds": %e, "cpu": %U, "rss": %M}' \
    "$DISTILL" --from "oci:$IMAGES/pydev" --onto "oci:$IMAGES/pyslim" --req "$n.txt" --to oci:out --metadata-file "$k.json" "$@" >/dev/null 2>"$k.log") ||
    { tail -5 "$d/$k.log" >&2; return 1; }
}
measure_distill() {  # measure_distill NAME TOOL KEY ARCH...: size and start of what distill_run made
  local n=$1 t=$2 k=$3 a d=$WORK/distill; shift 3
  for a; do
    record "$n" "$t" "$a" size "$(jq --arg p "linux/$a" '.platforms[] | select(.platform | startswith($p)) |
      {added, packages: (.packages | map({(.name): .version}) | add)}' "$d/$k.json")"
    skopeo --override-arch "$a" copy -q "oci:$d/out" "${CONTAINERS}localhost/$n-$t:$a"
    judge "$n" "$t" "$a"
  done
}

distill_set() {  # distill_set NAME: cold, then warm, both platforms into an OCI layout
  local n=$1 d=$WORK/distill k
  rm -rf "$d"; mkdir -p "$d"; cp "$REQS/$n"*.txt "$d/"
  [[ -z $UNPACK ]] || for p in 1 2; do timed unpack_layers "$p"; record "$n" distill both "unpack_$p" "$SPENT"; done
  for k in cold warm; do
    distill_run "$n" $k || { record "$n" distill both failed true; return 0; }
    record "$n" distill both "$k" "$(cat "$d/time-$k")"
  done
  measure_distill "$n" distill warm amd64 arm64
  if wanted floor; then floor "$n"; fi
  for k in plain max; do
    wanted "distill-$k" || continue
    rm -rf "$d/out"
    if [[ $k == plain ]]; then distill_run "$n" $k --no-compile; else distill_run "$n" $k --trim max; fi &&
      measure_distill "$n" "distill-$k" $k amd64 arm64
  done
  rm -rf "$d"
}

wanted() { [[ " $TOOLS " == *" $1 "* ]]; }

# floor NAME: what the smoke script opens in distill's amd64 image beyond the base, packed as one layer
floor() {
  local d=$WORK/floor; rm -rf "$d"; mkdir -p "$d"
  skopeo --override-arch amd64 copy -q "oci:$WORK/distill/out" "oci:$d/result:x"
  skopeo --override-arch amd64 copy -q "oci:$IMAGES/pyslim" "oci:$d/slim:x"
  umoci unpack --image "$d/result:x" "$d/root" >/dev/null 2>&1; umoci unpack --image "$d/slim:x" "$d/base" >/dev/null 2>&1
  strace -f -qq -y -e trace=openat,execve,readlink -o "$d/trace" chroot "$d/root/rootfs" /usr/bin/env -i \
    PATH=/usr/local/bin:/usr/bin:/bin HOME=/tmp python3 - <"$REQS/$1.smoke.py" >/dev/null 2>&1 || true
  record "$1" floor amd64 size "{\"added\": $(python3 "$HERE/floor.py" "$d/trace" "$d/root/rootfs" "$d/base/rootfs")}"
  rm -rf "$d"
}

judge() {  # judge SET TOOL ARCH: does localhost/SET-TOOL:ARCH run, how long does it take to start
  local out i
  out=$(run_in "$3" "localhost/$1-$2:$3" python3 - <"$REQS/$1.smoke.py" 2>&1 | tail -1) || true
  record "$1" "$2" "$3" smoke "$(jq -Rn --arg s "$out" '$s')"
  [[ $out == OK* && $3 == amd64 ]] || return 0
  for i in 1 2 3; do
    timed run_in "$3" "localhost/$1-$2:$3" python3 - <"$REQS/$1.smoke.py" >/dev/null 2>&1
    record "$1" "$2" "$3" start "$SPENT"
  done
}

dockerfile_set() {  # dockerfile_set NAME TOOL ARCH
  local n=$1 t=$2 a=$3 l=$WORK/layout base
  if ! timed multistage "$n" "$t" "$a"; then
    record "$n" "$t" "$a" failed "$(tail -3 "$WORK/multistage.log" | jq -Rs .)"
    return 0
  fi
  record "$n" "$t" "$a" build "$SPENT"
  rm -rf "$l"; skopeo copy -q "${CONTAINERS}localhost/$n-$t:$a" "oci:$l:x"
  base=$(manifest "oci:$IMAGES/pyslim" "$a" | jq '.layers | length')
  record "$n" "$t" "$a" size "$(manifest "oci:$l" "$a" | jq --argjson b "$base" --argjson p "$(packages_of "localhost/$n-$t:$a" "$a")" \
    '{added: ([.layers[$b:][].size] | add), packages: $p}')"
  judge "$n" "$t" "$a"
  rm -rf "$l"; pod rmi -f "localhost/$n-$t:$a" >/dev/null
}
packages_of() {
  run_in "$2" "$1" python3 - <<<'import importlib.metadata as m, json; print(json.dumps({d.metadata["Name"]: d.version for d in m.distributions()}))'
}

main() {
  local n t a
  need_tools buildah strace
  work_folder bench
  . "$ROOT/scripts/multistage.sh"
  mkdir -p "$(dirname "$RESULTS")"; : >"$RESULTS"
  if wanted distill; then
    [[ -z $UNPACK ]] || timed unpack_layers 2   # into the page cache
    for n in "${SETS[@]}"; do say "$n with distill"; distill_set "$n"; done
  fi
  for a in $ARCHES; do
    [[ " $TOOLS " == *pip* || " $TOOLS " == *uv* ]] || break
    say "loading pydev and pyslim, $a"
    timed load_images "$a"; record - load "$a" load "$SPENT"
    for n in "${SETS[@]}"; do
      for t in $TOOLS; do
        [[ $t != distill* && $t != floor ]] || continue
        say "$n with $t, $a"; dockerfile_set "$n" "$t" "$a"
      done
    done
    pod rmi -af >/dev/null
  done
  python3 "$HERE/table.py" "$RESULTS"
}
main
