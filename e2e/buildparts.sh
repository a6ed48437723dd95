# Sourced by builds.sh: packages that are built, by which engine, and out of which cache.

# An engine at which nothing answers: a run that succeeds with it has built nothing.
NOBODY=DISTILL_BUILD_ENGINE=unix:///nowhere/buildkitd.sock

platforms_of() {  # platforms_of SET
  [[ -z ${E2E_PLATFORM:-} ]] || { echo "$E2E_PLATFORM"; return; }
  [[ ${E2E_BUILDS:-} != short || $1 == build-small ]] || { echo linux/amd64; return; }
  echo linux/amd64,linux/arm64
}
archs_of() { platforms_of "$1" | sed 's,linux/,,g; s/,/ /g'; }

# lay SET FOLDER TO [VARIABLE=VALUE...]: with the cache of all, and the lock of the first run if there is one
lay() {
  local n=$1 d=$2 to=$3; shift 3
  mkdir -p "$d"
  [[ ! -s $WORK/$n/one/pylock.toml || -e $d/pylock.toml ]] || cp "$WORK/$n/one/pylock.toml" "$d/"
  distill_run "$n" "$d" "$IMAGES" "$to" DISTILL_CACHE_DIR="$WORK/cache" DISTILL_PLATFORM="$(platforms_of "$n")" DISTILL_VERBOSE=true "$@"
}
digest_of() { sed 's/.*@//' "$1/stdout"; }
same_result() { same_text "$(digest_of "$1")" "$(digest_of "$2")"; }

# told FOLDER: the builds that a run says it has done
told() { grep -E '(^| )building [a-z]' "$1/stderr"; }
builds_nothing() { ! told "$1"; }

native_of() {  # native_of SET: libraries that must come along, by soname
  case $1 in
    build-small) echo libodbc.so.2 libcgraph.so.6 libgvc.so.6 ;;
    build-large) echo libhdf5_serial.so.103 libsz.so.2 libaec.so.0 ;;
  esac
}
has_libraries() {  # has_libraries ARCH IMAGE SONAME...: and the base has none of them
  local a=$1 i=$2; shift 2
  run_in "$a" "$i" python3 -c 'import ctypes, sys
for name in sys.argv[1:]: ctypes.CDLL(name)' "$@" </dev/null
}

part_sets() {
  local n published=$REGISTRY
  for n in ${E2E_SETS:-build-small build-large build-alpine}; do
    WHEELS=$REGISTRY/wheels
    if [[ -n ${E2E_WHEELS:-} && $n != build-small ]]; then
      registry "$E2E_WHEELS"
      WHEELS=$REGISTRY/wheels REGISTRY=$published
    fi
    one_set "$n"
  done
}

one_set() {  # one_set NAME
  local n=$1 d=$WORK/$1/one a
  group "$n"
  check "$n: distill builds and publishes it" lay "$n" "$d" "$REGISTRY/$n:1.0.0" DISTILL_WHEEL_CACHE="$WHEELS" || return 1
  note "$(seconds "$d") s, peak memory $(mb "$(rss "$d")")"
  check "$n: stdout is the digest reference alone" one_reference "$d/stdout" "$REGISTRY/$n"
  check "$n: the lock says what the builds were made with, by hash" /usr/bin/python3 "$HERE/buildlock.py" "$d/pylock.toml" "$d/$n.txt" "$(platforms_of "$n")"
  for a in $(archs_of "$n"); do
    use "$n" "$a"
    [[ -z $(native_of "$n") ]] || check "$n $a: $(native_of "$n") came along" has_libraries "$a" "$REGISTRY/$n:1.0.0-$(arch_tag "$a")" $(native_of "$n")
  done
  check "$n: the same once more, --locked, where nothing can be built" lay "$n" "$d" "$REGISTRY/$n:1.0.1" "$NOBODY" DISTILL_LOCKED=true &&
    check "$n: gives the same digest" same_text "$(manifest "$REGISTRY/$n:1.0.0" | jq -r ._digest)" "$(digest_of "$d")"
  note "$(seconds "$d") s"
  check "$n: another machine, an empty cache, where nothing can be built, with the wheel cache" \
    lay "$n" "$WORK/$n/other" oci:out DISTILL_CACHE_DIR="$WORK/other" DISTILL_WHEEL_CACHE="$WHEELS" "$NOBODY" &&
    check "$n: gives the same digest" same_result "$d" "$WORK/$n/other"
  note "$(seconds "$WORK/$n/other") s"
  rm -rf "$WORK/other"
  keep "$n"
  pod rmi -af >/dev/null 2>&1
}

# The same wheels, and so the same image, whoever runs the compiler.
elsewhere() {  # elsewhere SET ENGINE NAME PLATFORM
  local n=$1 e=$2 d=$WORK/$1/$3 one=$WORK/$1/one
  [[ $4 == "$(platforms_of "$n")" && -s $one/stdout ]] || one=$WORK/$1/plain-${4//[^a-z0-9]/}
  [[ -s $one/stdout ]] || check "$n: $4 by namespaces" lay "$n" "$one" oci:out DISTILL_PLATFORM="$4" DISTILL_BUILD_ENGINE=namespaces || return 1
  check "$n: $4 by $3" lay "$n" "$d" oci:out DISTILL_PLATFORM="$4" DISTILL_BUILD_ENGINE="$e" DISTILL_CACHE_DIR="$WORK/cache-$3" || return 1
  note "$(seconds "$d") s"
  check "$n: it has really built" told "$d"
  check "$n: $3 gives the same digest as namespaces" same_result "$one" "$d"
}

part_engines() {
  local e
  group 'other engines'
  for e in podman chroot; do
    elsewhere build-small "$e" "$e" linux/amd64
    rm -rf "$WORK/cache-$e"
  done
}

forgotten() {  # the daemons collect their garbage when they like to
  local left
  for _ in {1..60}; do
    left=$(find "$WORK/nodes" -path '*snapshots*' -name task.json -print)
    [[ -n $left ]] || return 0
    sleep 1
  done
  printf '%s\n' "$left"
  return 1
}

part_buildkit() {
  export BUILDKIT_STATE=$WORK/nodes BUILDKIT_LOGS=$WORK
  . "$HERE/buildkitd.sh"
  group 'BuildKit: two daemons'
  check 'they start' buildkit_start || return 1
  PIDS+=("$(cat "$WORK/nodes/amd64.pid")" "$(cat "$WORK/nodes/arm64.pid")")
  elsewhere build-small "$(buildkit_addresses)" buildkit "$(platforms_of build-small)"
  check 'no source and no wheel stays in them' forgotten
  buildkit_stop
  rm -rf "$WORK/cache-buildkit"
}
