#!/usr/bin/env bash
# Two BuildKit daemons on this machine that stand for two nodes: one announces linux/amd64, the other
# linux/arm64. The daemon is built from its source, the version that go.mod names.
#
#   e2e/buildkitd.sh start        builds and starts what is not there; prints the addresses for --build-engine
#   e2e/buildkitd.sh stop         stops both and forgets what they keep
#   e2e/buildkitd.sh run CMD...   start, CMD with DISTILL_E2E_BUILDKIT=ADDRESSES, stop
#
# Sourced, it gives the functions buildkit_start, buildkit_stop and buildkit_addresses.
#
#   BUILDKIT_STATE=FOLDER   where the daemons keep their state and sockets (default ~/.cache/distill-e2e/nodes);
#                           overlayfs has to work there
#   BUILDKIT_LOGS=FOLDER    their logs (default BUILDKIT_STATE)
#
# Needs root, Go, and runc and qemu-user-static, which it installs with apt where they are missing.

BUILDKIT_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILDKIT_CACHE=${BUILDKIT_CACHE:-$HOME/.cache/distill-e2e}
BUILDKIT_STATE=${BUILDKIT_STATE:-$BUILDKIT_CACHE/nodes}
BUILDKIT_LOGS=${BUILDKIT_LOGS:-$BUILDKIT_STATE}

buildkit_version() { (cd "$BUILDKIT_HERE/.." && go list -m -f '{{.Version}}' github.com/moby/buildkit); }

# buildkit_install: what a node needs of this machine
buildkit_install() {
  local missing=()
  command -v runc >/dev/null || missing+=(runc)
  if [ "$(uname -m)" != aarch64 ] && ! grep -qs '^enabled' /proc/sys/fs/binfmt_misc/qemu-aarch64; then
    missing+=(qemu-user-static binfmt-support)
  fi
  ((${#missing[@]} == 0)) && return
  { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >&2 || return
  if [ "$(uname -m)" != aarch64 ]; then
    [ -e /proc/sys/fs/binfmt_misc/register ] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    update-binfmts --enable qemu-aarch64 >&2
  fi
}

# buildkit_build: the daemon, once a version. Go installs no program of a module that has excludes, so
# it is built as a dependency of an empty module with the same ones.
buildkit_build() {
  local version to src module
  version=$(buildkit_version) && [ -n "$version" ] || return
  to=$BUILDKIT_CACHE/buildkitd-$version
  if [ ! -x "$to" ]; then
    src=$(mktemp -d) || return
    (
      set -e
      cd "$src"
      printf 'module node\n\ngo 1.26.0\n' >go.mod
      printf '//go:build tools\n\npackage node\n\nimport _ "github.com/moby/buildkit/cmd/buildkitd"\n' >node.go
      module=$(go mod download -json "github.com/moby/buildkit@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
      sed -n '/^exclude (/,/^)/p' "$module/go.mod" >>go.mod
      go get "github.com/moby/buildkit/cmd/buildkitd@$version"
      mkdir -p "$BUILDKIT_CACHE"
      CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/moby/buildkit/version.Version=$version" \
        -o "$to.new" github.com/moby/buildkit/cmd/buildkitd
      mv "$to.new" "$to"
    ) >"$src/log" 2>&1 || { tail -5 "$src/log" >&2; rm -rf "$src"; return 1; }
    rm -rf "$src"
  fi
  echo "$to"
}

buildkit_addresses() { echo "unix://$BUILDKIT_STATE/amd64.sock,unix://$BUILDKIT_STATE/arm64.sock"; }

# buildkit_node ARCH DAEMON: starts one in the background. Its PID stands in ARCH.pid.
buildkit_node() {
  local a=$1 daemon=$2 i
  if [ -s "$BUILDKIT_STATE/$a.pid" ] && kill -0 "$(cat "$BUILDKIT_STATE/$a.pid")" 2>/dev/null; then return; fi
  rm -f "$BUILDKIT_STATE/$a.sock"
  "$daemon" --root "$BUILDKIT_STATE/$a" --addr "unix://$BUILDKIT_STATE/$a.sock" --otel-socket-path "$BUILDKIT_STATE/$a.otel.sock" \
    --oci-worker=true --containerd-worker=false --oci-worker-snapshotter=overlayfs --oci-worker-binary=runc --oci-worker-net=host \
    --oci-worker-platform="linux/$a" </dev/null >"$BUILDKIT_LOGS/$a.log" 2>&1 &
  echo $! >"$BUILDKIT_STATE/$a.pid"
  for ((i = 0; i < 300; i++)); do
    [ -S "$BUILDKIT_STATE/$a.sock" ] && grep -q 'running server' "$BUILDKIT_LOGS/$a.log" && return
    kill -0 "$(cat "$BUILDKIT_STATE/$a.pid")" 2>/dev/null || break
    sleep 0.2
  done
  echo "the BuildKit daemon for $a does not start:" >&2
  tail -3 "$BUILDKIT_LOGS/$a.log" >&2
  return 1
}

buildkit_start() {
  local daemon
  buildkit_install && daemon=$(buildkit_build) || return
  mkdir -p "$BUILDKIT_STATE" "$BUILDKIT_LOGS"
  buildkit_node amd64 "$daemon" && buildkit_node arm64 "$daemon" || { buildkit_stop; return 1; }
}

# buildkit_halt ARCH: ends one and waits for it
buildkit_halt() {
  local pid i
  [ -s "$BUILDKIT_STATE/$1.pid" ] || return 0
  pid=$(cat "$BUILDKIT_STATE/$1.pid")
  kill "$pid" 2>/dev/null
  for ((i = 0; i < 100; i++)); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  kill -9 "$pid" 2>/dev/null
  rm -f "$BUILDKIT_STATE/$1".{pid,sock,otel.sock,otel.sock.lock}
}

buildkit_stop() {
  buildkit_halt amd64
  buildkit_halt arm64
  # a daemon that was killed leaves mounts
  awk -v w="$BUILDKIT_STATE/" 'index($2, w) == 1 {print $2}' /proc/mounts | sort -r | xargs -r umount -l
  rm -rf "$BUILDKIT_STATE/amd64" "$BUILDKIT_STATE/arm64"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  case ${1:-} in
    start) buildkit_start && buildkit_addresses ;;
    stop) buildkit_stop ;;
    run)
      shift
      trap buildkit_stop EXIT
      buildkit_start || exit
      DISTILL_E2E_BUILDKIT=$(buildkit_addresses) "$@"
      ;;
    *) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
fi
