#!/usr/bin/env bash
# End-to-end tests of bases of every kind: with Python, without, without a shell, and nothing at all. Each
# image is published, pulled and run with its smoke script; amd64 natively and arm64 in qemu.
#
#   e2e/bases.sh                       a selection that has each base once
#   e2e/bases.sh all                   every set on every base that can serve it
#   e2e/bases.sh FROM:ONTO:SET ...     these, as in pydev:scratch:dev-flask
#
#   E2E_KEEP=FOLDER   keep what distill said and measured there
#
# Needs root and the images of `make images`. The last line is "N passed, N failed".
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/../scripts/lib.sh"
. "$HERE/checks.sh"
. "$HERE/refusals.sh"

# Each kind of base once, each set at least once on a base without Python.
SELECTION=(
  pydev:debian-base:dev-etl pydev:distroless-like:dev-flask pydev:scratch:dev-science pydev:scratch:dev-lambda
  conda-like:conda-slim:dev-lambda conda-like:alpine-base:dev-flask
  alpine-py:alpine-py-slim:dev-alpine alpine-py:alpine-base:dev-alpine
)
every() {  # conda-like has no ODBC, which dev-etl needs
  local set onto
  for onto in debian-base distroless-like scratch; do
    for set in dev-flask dev-etl dev-lambda dev-science dev-scoring; do echo "pydev:$onto:$set"; done
  done
  for onto in conda-slim alpine-base; do
    for set in dev-flask dev-lambda dev-science dev-scoring; do echo "conda-like:$onto:$set"; done
  done
  for onto in alpine-py-slim alpine-base; do echo "alpine-py:$onto:dev-alpine"; done
}

place() { case $1 in scratch) echo scratch ;; *) echo "oci:$IMAGES/$1" ;; esac; }

lay() {  # lay FROM ONTO SET FOLDER REFERENCE
  mkdir -p "$4"; cp "$REQS/$3"*.txt "$4/"
  (cd "$4" && env DISTILL_CACHE_DIR="$WORK/cache" timeout 1200 "$DISTILL" --from "$(place "$1")" --onto "$(place "$2")" \
    --req "$3.txt" --to "$5" --metadata-file metadata.json >stdout 2>stderr) || { tail -5 "$4/stderr"; return 1; }
}

# layer FOLDER ARCH FIELD: of the interpreter's layer
layer() {
  jq -r --arg p "linux/$2" --arg f "$3" '.platforms[] | select(.platform == $p) | .layers[] | select(.name | startswith("python ")) | .[$f]' "$1/metadata.json"
}
added() { jq -r --arg p "linux/$2" '.platforms[] | select(.platform == $p) | .added' "$1/metadata.json"; }

# The interpreter's layer depends on the two images alone.
LAYERS=()
same_layer() {  # same_layer BASE DIGEST
  local l
  for l in "${LAYERS[@]}"; do
    [[ ${l% *} != "$1" ]] || { same_text "${l#* }" "$2"; return; }
  done
  LAYERS+=("$1 $2")
}

# What Python's own modules need beside the standard library, by a user that owns nothing, on a root that
# takes nothing.
BARE='import ctypes, decimal, lzma, bz2, os, pwd, socket, sqlite3, ssl, sys, tempfile, threading, time, zlib, zoneinfo
assert os.getuid() == 65534 and pwd.getpwuid(0).pw_name == "root"
sqlite3.connect(":memory:").execute("select 1")
ssl.create_default_context()
assert socket.gethostbyname("localhost") == "127.0.0.1"
with tempfile.TemporaryFile() as f: f.write(b"x")
t = threading.Thread(target=time.sleep, args=(10,), daemon=True); t.start()
assert sys.flags.utf8_mode or sys.getfilesystemencoding() == "utf-8"
print("OK")'
bare() {  # bare ARCH IMAGE
  local said
  said=$(run_in "$1" --read-only --read-only-tmpfs=false --tmpfs /tmp:rw,mode=1777 --user 65534:65534 "$2" python3 -c "$BARE" 2>&1)
  echo "$said"
  [[ $said == OK ]]
}

on_base() {  # on_base FROM ONTO SET
  local from=$1 onto=$2 set=$3 d=$WORK/$2/$3 ref=$REGISTRY/$2/$3:1 a image digest
  check "$set: $from onto $onto" lay "$from" "$onto" "$set" "$d" "$ref" || return 1
  for a in amd64 arm64; do
    image=$ref-$(arch_tag $a) digest=$(layer "$d" $a digest)
    pull --arch $a "$image" >/dev/null
    check "$set on $onto, $a: its smoke script prints OK" smoke $a "$image" "$REQS/$set.smoke.py"
    if [[ -n $digest ]]; then
      check "$set on $onto, $a: the interpreter's layer is that of every set" same_layer "$from:$onto:$a" "$digest"
      check "$set on $onto, $a: the standard library runs as nobody, on a root that is not writable" bare $a "$image"
      note "added $(mb "$(added "$d" $a)"), $(mb "$(layer "$d" $a size)") of it the interpreter"
    fi
  done
  [[ -z ${E2E_KEEP:-} ]] || { mkdir -p "$E2E_KEEP/$onto-$set" && cp "$d"/{stderr,metadata.json} "$E2E_KEEP/$onto-$set/"; }
  pod rmi -af >/dev/null 2>&1
}

other_bases() {
  local one=(--platform linux/amd64 --req r.txt --to oci:out)
  check 'glibc for musl is refused' refused 7 'needs glibc .*has musl' --from "oci:$IMAGES/pydev" --onto "oci:$IMAGES/alpine-base" "${one[@]}"
  check 'musl for glibc is refused' refused 7 'needs musl .*has glibc' --from "oci:$IMAGES/alpine-py" --onto "oci:$IMAGES/debian-base" "${one[@]}"
  check 'another libc with the same Python is refused' refused 7 'runs Python on' --from "oci:$IMAGES/conda-like" --onto "oci:$IMAGES/alpine-py-slim" "${one[@]}"
}

main() {
  local c from onto set cases=("$@")
  case ${1:-} in
    '') cases=("${SELECTION[@]}") ;;
    all) mapfile -t cases < <(every) ;;
  esac
  need_tools
  work_folder bases
  registry
  printf '%s\n' "${cases[@]}"
  for c in "${cases[@]}"; do
    IFS=: read -r from onto set <<<"$c"
    group "$set, $from onto $onto"
    on_base "$from" "$onto" "$set"
  done
  group 'bases that do not fit'
  other_bases
  finish
}
main "$@"
