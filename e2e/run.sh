#!/usr/bin/env bash
# End-to-end tests on the large images, through everything a user would use: distill, a real registry,
# skopeo, podman, umoci; amd64 natively and arm64 in qemu. `make e2e` makes what they need first.
#
#   e2e/run.sh [NAME ...]     sets of fixtures/requirements (default: all six)
#
#   E2E_SKIP_SHOWCASE=1  leave out the comparison with a multi-stage Dockerfile (5 minutes)
#   E2E_KEEP=FOLDER      keep what distill said, measured and locked there
#
# Needs root. The last line is "N passed, N failed".
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/../scripts/lib.sh"
. "$HERE/checks.sh"
. "$HERE/refusals.sh"
. "$HERE/showcase.sh"

SETS=("$@")
((${#SETS[@]})) || SETS=(dev-flask dev-etl dev-lambda dev-science dev-scoring dev-alpine)
RSS_LIMIT=200000000   # bytes; peak memory must not grow with the image

# --- one set ------------------------------------------------------------------------------------
ship() {  # ship NAME: the main job, into a registry
  local n=$1 d=$WORK/$1/one to=$REGISTRY/$1:1.0.0 a
  check "$n: distill publishes it" distill_run "$n" "$d" "$IMAGES" "$to" || return 1
  note "$(seconds "$d") s, peak memory $(mb "$(rss "$d")")"
  check "$n: stdout is the digest reference alone" one_reference "$d/stdout" "$REGISTRY/$n"
  check "$n: peak memory stays under $(mb $RSS_LIMIT)" below "$(rss "$d")" $RSS_LIMIT
  check "$n: the index lists amd64 and arm64/v8 and the base" good_index "$to" "$(sed 's/.*@//' "$d/stdout")"
  for a in amd64 arm64; do
    check "$n: $to-$(arch_tag $a) is the variant of the index" same_digest "$to" "$a" "$to-$(arch_tag $a)"
  done
}

again() {  # again NAME: the same bytes elsewhere, and nothing to do the next time
  local n=$1 one=$WORK/$1/one two=$WORK/$1/elsewhere/deeper b
  mkdir -p "$two"; ln -sfn "$IMAGES" "$two/images"
  check "$n: another folder, later, an empty cache, one processor" distill_run "$n" "$two" images oci:out GOMAXPROCS=1 TZ=Pacific/Chatham LC_ALL=C &&
    check "$n: gives the same digest" same_text "$(sed 's/.*@//' "$one/stdout")" "$(sed 's/.*@//' "$two/stdout")"
  note "$(seconds "$two") s"
  check "$n: and the same lock" cmp "$one/pylock.toml" "$two/pylock.toml"
  b=$(registry_bytes)
  check "$n: a third run" distill_run "$n" "$one" "$IMAGES" "$REGISTRY/$n:1.0.0" &&
    check "$n: uploads nothing" nothing_new "$b" "$one/metadata.json"
  note "$(seconds "$one") s"
}

others() {  # others NAME: skopeo and umoci read the result
  local n=$1 ref=$REGISTRY/$1:1.0.0 a l=$WORK/$1/copied
  mkdir -p "$l"
  check "$n: skopeo inspects it" skopeo inspect --tls-verify=false "docker://$ref"
  check "$n: skopeo copies all of it out of the registry" skopeo copy -q --all --src-tls-verify=false "docker://$ref" "oci:$l/all:1.0.0"
  check "$n: skopeo copies all of it out of the layout" skopeo copy -q --all "oci:$WORK/$n/elsewhere/deeper/out" "dir:$l/dir"
  rm -rf "$l/dir"
  for a in amd64 arm64; do
    check "$n $a: umoci unpacks it" unpacks "$ref-$(arch_tag $a)" "$a" "$l/$a"
  done
}

main() {
  local n a
  need_tools python3-packaging
  work_folder e2e
  registry
  for n in "${SETS[@]}"; do
    group "$n"
    if ship "$n"; then
      for a in amd64 arm64; do use "$n" "$a"; done
      again "$n"
      others "$n"
      [[ $n != dev-etl || -n ${E2E_SKIP_SHOWCASE:-} ]] || showcase
    fi
    keep "$n"
    pod rmi -af >/dev/null 2>&1; rm -rf "${WORK:?}/$n"
  done
  group 'bad input'
  refusals
  finish
}
main
