# Sourced by the end-to-end tests: counting, running distill on one of the sets, and what is checked of a
# result. A check is a command; what it prints is shown when it fails.

PASSED=0 FAILED=0 FAULTS=()
group() { printf '\n== %s  [%d s]\n' "$*" "$SECONDS"; }
note() { printf '      %s\n' "$*"; }
check() {  # check WHAT COMMAND...
  local what=$1 rc=0; shift
  "$@" >"$WORK/out" 2>&1 || rc=$?
  if ((rc == 0)); then
    PASSED=$((PASSED + 1)); printf 'ok    %s\n' "$what"
  else
    FAILED=$((FAILED + 1)); FAULTS+=("$what"); printf 'FAIL  %s\n' "$what"; tail -15 "$WORK/out" | sed 's/^/      | /'
  fi
  return "$rc"
}
finish() {
  printf '\n'
  ((FAILED == 0)) || printf 'FAIL  %s\n' "${FAULTS[@]}"
  printf 'end-to-end tests took %d s\n%d passed, %d failed\n' "$SECONDS" "$PASSED" "$FAILED"
  ((FAILED == 0 && PASSED > 0))
  exit
}
keep() {  # keep NAME: what distill said and measured, if somebody wants it
  [[ -n ${E2E_KEEP:-} ]] || return 0
  mkdir -p "$E2E_KEEP/$1"
  (cd "$WORK/$1/one" && cp -r stdout stderr time metadata.json pylock.toml inside-*.json "$E2E_KEEP/$1/") 2>/dev/null || true
}

# --- running distill on one set of requirements ---
from_of() { case $1 in *alpine*) echo alpine-py ;; *) echo pydev ;; esac; }
onto_of() { case $1 in *alpine*) echo alpine-py-slim ;; *) echo pyslim ;; esac; }
arch_tag() { case $1 in arm64) echo arm64v8 ;; *) echo "$1" ;; esac; }

# distill_run NAME FOLDER IMAGES TO [VARIABLE=VALUE...]: runs it in FOLDER, with its cache there, on
# copies of the requirements; leaves stdout, stderr, time, metadata.json, pylock.toml in FOLDER. LIMIT is the time it may take.
distill_run() {
  local n=$1 d=$2 i=$3 to=$4; shift 4
  mkdir -p "$d"; cp "$REQS/$n"*.txt "$d/"
  (cd "$d" && env DISTILL_CACHE_DIR="$d/cache" "$@" timeout "${LIMIT:-1200}" /usr/bin/time -o time -f '%e %M %U %S' \
    "$DISTILL" --from "oci:$i/$(from_of "$n")" --onto "oci:$i/$(onto_of "$n")" --req "$n.txt" --to "$to" \
    --lock pylock.toml --metadata-file metadata.json >stdout 2>stderr) || { tail -5 "$d/stderr"; return 1; }
}
seconds() { awk 'END {print $1}' "$1/time"; }

use() {  # use NAME ARCH: pull it as people do, run it, look inside
  local n=$1 a=$2 d=$WORK/$1/one ref=$REGISTRY/$1:1.0.0 base
  base=$WORK/base-$(onto_of "$n")-$a
  base_inside "$n" "$a"
  check "$n $a: podman pulls the variant and, by --arch, the same from the index" same_image "$a" "$ref-$(arch_tag "$a")" "$ref"
  check "$n $a: its smoke script prints OK" smoke "$a" "$ref-$(arch_tag "$a")" "$REQS/$n.smoke.py"
  check "$n $a: no compiler, header or -dev package is in it but the base's" no_tools "$ref-$(arch_tag "$a")" "$base.tools"
  run_in "$a" "$ref-$(arch_tag "$a")" python3 - <"$HERE/inside.py" >"$d/inside-$a.json" 2>"$d/inside-$a.err"
  check "$n $a: exactly the closure of the requirements is in it, undamaged, as locked" \
    /usr/bin/python3 "$HERE/closure.py" "$d/$n.txt" "$d/inside-$a.json" "$base.json" "$d/pylock.toml"
}

# --- what is checked ---
rss() { awk 'END {printf "%.0f", $2 * 1024}' "$1/time"; }
below() { echo "$1 is not below $2"; (($1 < $2)); }
same_text() { echo "$1 and $2"; [[ -n $1 && $1 == "$2" ]]; }
one_reference() {  # FILE NAME
  cat "$1"
  [[ $(wc -l <"$1") == 1 ]] && grep -Eqx "$2@sha256:[0-9a-f]{64}" "$1"
}

good_index() {  # REF DIGEST
  local doc; doc=$(manifest "$1") || return 1
  jq . <<<"$doc"
  jq -e --arg d "$2" '
    ._digest == $d and .mediaType == "application/vnd.oci.image.index.v1+json"
    and ([.manifests[].platform | "\(.os)/\(.architecture)/\(.variant // "")"] | sort) == ["linux/amd64/", "linux/arm64/v8"]
    and (.annotations | has("org.opencontainers.image.base.digest"))' <<<"$doc" >/dev/null
}
same_digest() {  # INDEX ARCH VARIANT
  same_text "$(manifest "$1" "$2" | jq -r ._digest)" "$(manifest "$3" | jq -r ._digest)"
}

same_image() {  # ARCH VARIANT INDEX
  local one two
  one=$(pull "$2") && two=$(pull --arch "$1" "$3") && same_text "$one" "$two"
}
smoke() {  # ARCH IMAGE SCRIPT
  run_in "$1" "$2" python3 - <"$3" >"$WORK/said" 2>&1; local rc=$?
  tail -5 "$WORK/said"
  ((rc == 0)) && [[ $(tail -1 "$WORK/said") == OK* ]]
}
tools_in() {  # IMAGE: what belongs to building and not to running: paths, and names of packages
  local m; m=$(pod image mount "$1") || return 1
  (cd "$m" && find . -xdev \( -path ./proc -o -path ./sys \) -prune -o \( \
    -name 'cc1*' -o -name 'collect2' -o -name 'lto1' -o -path '*/bin/*gcc*' -o -path '*/bin/*g++*' -o -path '*/bin/c++' -o -path '*/bin/cc' \
    -o -path '*/bin/*gfortran*' -o -path '*/bin/ld' -o -path '*/bin/ld.*' -o -path '*/bin/as' -o -path '*/bin/make' -o -path '*/bin/git' -o -name zig \
    -o -path './usr/include/*.h' -o -path '*/pkgconfig/*.pc' -o -path './usr/lib/*/lib*.a' -o -path './usr/lib/lib*.a' \) -print)
  [[ ! -e $m/var/lib/dpkg/status ]] || grep -E '^Package: .*-dev$' "$m/var/lib/dpkg/status"
  [[ ! -e $m/lib/apk/db/installed ]] || grep -E '^P:(.*-dev|gcc|zig|build-base)$' "$m/lib/apk/db/installed"
  pod image umount "$1" >/dev/null
}
no_tools() {  # IMAGE LIST: none but those of the base, which stand in LIST
  # greenlet's wheel installs a header of its own
  tools_in "$1" >"$WORK/tools" || return 1
  ! grep -v '/include/python3\.[0-9]*/greenlet/greenlet\.h$' "$WORK/tools" | grep -vxF -f <(cat "$2"; echo none)
}
base_inside() {  # NAME ARCH: what inside.py and tools_in say of the base, once
  local base out; base=$(onto_of "$1"); out=$WORK/base-$base-$2.json
  [[ ! -s $out ]] || return 0
  skopeo copy -q --all --dest-tls-verify=false "oci:$IMAGES/$base:latest" "docker://$REGISTRY/base/$base:1" &&
    pull --arch "$2" "$REGISTRY/base/$base:1" >/dev/null &&
    run_in "$2" "$REGISTRY/base/$base:1" python3 - <"$HERE/inside.py" >"$out"
  tools_in "$REGISTRY/base/$base:1" >"${out%.json}.tools"
}

nothing_new() {  # BYTES METADATA
  local b; b=$(registry_bytes)
  echo "the registry held $1 bytes and holds $b; metadata: $(jq -c '[.. | .uploaded? // empty]' "$2")"
  [[ $b == "$1" ]] && jq -e '[.. | objects | .uploaded? // empty | numbers] | add // 0 | . == 0' "$2" >/dev/null
}
unpacks() {  # REF ARCH FOLDER
  mkdir -p "$3" &&
    skopeo --override-arch "$2" copy -q --src-tls-verify=false "docker://$1" "oci:$3/layout:x" &&
    umoci unpack --image "$3/layout:x" "$3/bundle" && [[ -n $(ls "$3/bundle/rootfs/usr") ]]
  local rc=$?
  rm -rf "$3"
  return $rc
}
