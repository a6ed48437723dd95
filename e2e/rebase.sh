#!/usr/bin/env bash
# End-to-end tests of what comes after the first build: an application with a user of its own, the same
# layers on a patched base, one more small requirement, zstd. Through a real registry, skopeo and podman; amd64
# natively and arm64 in qemu. Needs root and the images of `make images`. The last line is "N passed, N failed".
#
#   E2E_KEEP=FOLDER      keep what was measured there
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/../scripts/lib.sh"
. "$HERE/checks.sh"

arch_tag() { case $1 in arm64) echo arm64v8 ;; *) echo "$1" ;; esac; }
distill() { env DISTILL_CACHE_DIR="$WORK/cache" timeout 1200 "$DISTILL" "$@"; }
now() { date +%s.%N; }
took() { awk -v a="$1" -v b="$(now)" 'BEGIN {printf "%.1f", b - a}'; }
# layers REF ARCH: their digests, one a line; those above the base's, and without the last, if asked for
layers() { manifest "$1" "$2" | jq -r '.layers[].digest'; }
own() { layers "$1" "$2" | tail -n "+$(($3 + 1))" | head -n -1; }
# pulled OLD NEW ARCH: the bytes that a node which has OLD fetches of NEW: layers and configuration
pulled() {
  manifest "$2" "$3" | jq --argjson have "$(manifest "$1" "$3" | jq '[.layers[].digest]')" \
    '[.layers[] | select(.digest as $d | $have | index($d) | not) | .size] + [.config.size] | add'
}

application() {  # an application of two files that says who it is
  mkdir -p "$WORK/app/.git" "$WORK/app/lib/__pycache__"
  echo secret >"$WORK/app/.git/config"
  echo secret >"$WORK/app/.env"
  echo .env >"$WORK/app/.dockerignore"
  echo 'NAME = "orders"' >"$WORK/app/lib/settings.py"
  cat >"$WORK/app/main.py" <<'P'
import getpass, grp, os, ssl, sys
sys.path.insert(0, "/app")
from flask import Flask
from lib.settings import NAME
client = Flask(NAME).test_client()
assert client.get("/").status_code == 404
assert not os.path.exists("/app/.git") and not os.path.exists("/app/.env") and not os.path.exists("/app/lib/__pycache__")
assert os.getcwd() == "/app" and os.path.expanduser("~") == "/app", (os.getcwd(), os.path.expanduser("~"))
try:
    open("/app/main.py", "a")
    sys.exit("the application can change itself")
except PermissionError:
    pass
print("OK", getpass.getuser(), os.getuid(), grp.getgrgid(os.getgid()).gr_name, ssl.OPENSSL_VERSION.split()[0], *sys.argv[1:])
P
}
runs() {  # ARCH IMAGE: as its own user and entrypoint
  run_in "$1" "$2" one 'two words' >"$WORK/said" 2>&1; local rc=$?
  cat "$WORK/said"
  ((rc == 0)) && [[ $(tail -1 "$WORK/said") == "OK app 10001 app OpenSSL one two words" ]]
}
user_is_a_number() { same_text "$(manifest "$1" "$2" | jq -r ._config.config.User)" 10001:10001; }

build_app() {
  application
  cp "$REQS/dev-flask.txt" "$WORK/"
  check 'distill ships an application' distill --from "oci:$IMAGES/pydev" --onto "$REGISTRY/base:1" --req "$WORK/dev-flask.txt" \
    --app "$WORK/app:/app" --user app --workdir /app --entrypoint 'python3 main.py' --env SETTING=kept --label kept=yes --to "$REGISTRY/app:1" || return 1
  for a in amd64 arm64; do
    check "$a: the user is a number, so that kubernetes sees that it is not root" user_is_a_number "$REGISTRY/app:1" $a
    pull --arch $a "$REGISTRY/app:1-$(arch_tag $a)" >/dev/null
    check "$a: it runs as its user, in its folder, and can't change itself" runs $a "$REGISTRY/app:1-$(arch_tag $a)"
  done
}

rebased() {
  local start before a new=$REGISTRY/app:1-patched
  check 'a patched base' "$HERE/newbase.py" "$IMAGES/pyslim" "$WORK/patched" etc/security-update=2 'usr/lib/{machine}-linux-gnu/libssl.so.3+' env:BASE=2
  check 'is published' skopeo copy -q --all --dest-tls-verify=false "oci:$WORK/patched:latest" "docker://$REGISTRY/base:2"
  before=$(registry_bytes); start=$(now)
  check 'distill rebase puts the application on it' distill rebase "$REGISTRY/app:1" --onto "$REGISTRY/base:2" --to "$new" || return 1
  note "$(took "$start") s"
  start=$(now)
  check 'and again' distill rebase "$REGISTRY/app:1" --onto "$REGISTRY/base:2" --to "$new"
  note "$(took "$start") s with what it has read before"
  check 'no layer is sent, nor stored twice: it is mounted' below "$(($(registry_bytes) - before))" 40000
  for a in amd64 arm64; do
    check "$a: the layers are the same blobs" same_text "$(own "$REGISTRY/app:1" $a 2 | sha256sum)" "$(own "$new" $a 3 | sha256sum)"
    check "$a: below them is the new base" same_text "$(layers "$REGISTRY/base:2" $a | sha256sum)" "$(layers "$new" $a | head -3 | sha256sum)"
    pull --arch $a "$new-$(arch_tag $a)" >/dev/null
    check "$a: it runs" runs $a "$new-$(arch_tag $a)"
    check "$a: with the new base's files and variables, and those of the build" has_both $a "$new-$(arch_tag $a)"
  done
}
has_both() {
  run_in "$1" --entrypoint python3 "$2" -c 'import os; print(open("/etc/security-update").read(), os.environ["BASE"], os.environ["SETTING"])' >"$WORK/said" &&
    same_text "$(cat "$WORK/said")" '2 2 kept'
}

copies() {  # the record of what is whose survives other tools
  local l=$WORK/copies; mkdir -p "$l"
  check 'skopeo copies it into an archive of docker' skopeo copy -q --src-tls-verify=false --override-arch amd64 "docker://$REGISTRY/app:1" "docker-archive:$l/docker.tar:app:1"
  check '... which can be put on the new base' distill rebase "docker-archive:$l/docker.tar" --onto "$REGISTRY/base:2" --platform linux/amd64 --to "oci:$l/docker"
  check '... with the same content' same_text "$(diff_ids "oci:$l/docker")" "$(diff_ids "$REGISTRY/app:1-patched")"
  pull --arch amd64 "$REGISTRY/app:1-amd64" >/dev/null
  check 'podman pushes it elsewhere' pod push -q --tls-verify=false "$REGISTRY/app:1-amd64" "docker://$REGISTRY/podman:1"
  check '... which can be put on the new base' distill rebase "$REGISTRY/podman:1" --onto "$REGISTRY/base:2" --platform linux/amd64 --to "oci:$l/podman"
  check '... with the same content' same_text "$(diff_ids "oci:$l/podman")" "$(diff_ids "$REGISTRY/app:1-patched")"
}
diff_ids() { manifest "$1" amd64 | jq -c ._config.rootfs.diff_ids; }

refuses() {  # refuses WHAT WANTED IMAGE BASE: fails, says WANTED, publishes nothing
  local what=$1 wanted=$2; shift 2
  check "$what" refused "$wanted" "$@"
}
refused() {
  local wanted=$1 rc=0; shift
  distill rebase "$1" --onto "$2" "${@:3}" --to "oci:$WORK/refused" -q >"$WORK/said" 2>&1 || rc=$?
  cat "$WORK/said"
  ((rc > 0 && rc < 126)) && grep -Eq "$wanted" "$WORK/said" && [[ ! -e $WORK/refused ]]
}
refusals() {
  local one="--platform linux/amd64"
  "$HERE/newbase.py" "$IMAGES/pyslim" "$WORK/older" 'older:usr/lib/{machine}-linux-gnu/libc.so.6' || return
  "$HERE/newbase.py" "$IMAGES/pyslim" "$WORK/hides" app/main.py=mine
  refuses 'a base with an older C library is refused' 'needs GLIBC_2\.[0-9]+ of libc\.so\.6, the new base has' "$REGISTRY/app:1" "oci:$WORK/older" $one
  refuses 'a base with the other C library is refused' 'made for C library glibc, the new base has musl' "$REGISTRY/app:1" "oci:$IMAGES/alpine-py-slim"
  refuses 'a base without Python is refused' 'needs cpython 3\.11, the new base has no Python' "$REGISTRY/app:1" "oci:$IMAGES/debian-base"
  refuses 'a base that has such a file itself is refused' '"app/main.py" would hide a file of the new base' "$REGISTRY/app:1" "oci:$WORK/hides"
  refuses 'an image that distill did not make is refused' 'has no label' "oci:$IMAGES/pydev" "$REGISTRY/base:2"
  skopeo copy -q --src-tls-verify=false --override-arch amd64 "docker://$REGISTRY/app:1" "oci:$WORK/more:1" &&
    umoci insert --image "$WORK/more:1" "$WORK/dev-flask.txt" /etc/more.txt >/dev/null 2>&1
  refuses 'an image with a layer of somebody else is refused' 'added later by something else' "oci:$WORK/more:1" "$REGISTRY/base:2" $one
}

small_change() {  # one more small requirement
  local d=$WORK/scoring up down a start
  mkdir -p "$d"; cp "$REQS"/dev-scoring*.txt "$d/"
  { cat "$d/dev-scoring.txt"; echo 'cachetools'; } >"$d/more.txt"
  check 'dev-scoring is shipped' distill --from "oci:$IMAGES/pydev" --onto "$REGISTRY/base:1" --req "$d/dev-scoring.txt" --to "$REGISTRY/scoring:1" || return 1
  start=$(registry_bytes)
  check '... and with cachetools' distill --from "oci:$IMAGES/pydev" --onto "$REGISTRY/base:1" --req "$d/more.txt" --to "$REGISTRY/scoring:2" --metadata-file "$d/metadata.json"
  up=$(jq '[.platforms[].uploaded] | add' "$d/metadata.json")
  note "uploaded $up bytes for both platforms; the registry holds $(($(registry_bytes) - start)) bytes more"
  check 'which uploads less than 0.1 MB a platform' below "$up" 200000
  for a in amd64 arm64; do
    down=$(pulled "$REGISTRY/scoring:1" "$REGISTRY/scoring:2" $a)
    note "$a: a node that has the image before pulls $down bytes of $(layer_bytes "$REGISTRY/scoring:2" $a)"
    check "$a: and a node pulls less than 0.1 MB" below "$down" 100000
  done
}

zstd() {
  local a ref=$REGISTRY/app:zstd
  check 'zstd' distill --from "oci:$IMAGES/pydev" --onto "$REGISTRY/base:1" --req "$WORK/dev-flask.txt" --app "$WORK/app:/app" --user app --workdir /app \
    --entrypoint 'python3 main.py' --compression zstd --to "$ref" || return
  check 'zstd: the same digest again, with an empty cache and one processor' zstd_again "$ref"
  for a in amd64 arm64; do
    note "$a: $(layer_bytes "$ref" $a) bytes, with gzip $(layer_bytes "$REGISTRY/app:1" $a)"
    pull --arch $a "$ref-$(arch_tag $a)" >/dev/null
    check "zstd $a: podman runs it" runs $a "$ref-$(arch_tag $a)"
  done
  check 'zstd: it can be put on the new base' distill rebase "$ref" --onto "$REGISTRY/base:2" --to "$ref-patched"
  check 'zstd: and all that is new is zstd' all_zstd "$ref-patched"
}
zstd_again() {
  env GOMAXPROCS=1 DISTILL_CACHE_DIR="$WORK/cache-zstd" "$DISTILL" --from "oci:$IMAGES/pydev" --onto "$REGISTRY/base:1" --req "$WORK/dev-flask.txt" --app "$WORK/app:/app" \
    --user app --workdir /app --entrypoint 'python3 main.py' --compression zstd --to "oci:$WORK/zstd" -q >"$WORK/said" &&
    same_text "$(sed 's/.*@//' "$WORK/said")" "$(manifest "$1" | jq -r ._digest)"
}
all_zstd() {
  manifest "$1" amd64 | jq -e '[.layers[3:][].mediaType] | unique == ["application/vnd.oci.image.layer.v1.tar+zstd"]'
}

main() {
  need_tools
  work_folder rebase
  registry
  skopeo copy -q --all --dest-tls-verify=false "oci:$IMAGES/pyslim:latest" "docker://$REGISTRY/base:1" || die 'no base'
  group 'an application'
  if build_app; then
    group 'on a patched base'
    rebased && copies
    group 'what does not fit'
    refusals
    group zstd
    zstd
  fi
  group 'one more small requirement'
  small_change
  finish
}
main
