# Sourced by the demo, the end-to-end tests and the benchmarks: the tools they run beside distill, a
# registry on loopback, containers. Nothing is left behind: at exit the registry is stopped and the
# working folder, which holds podman's storage too, goes away.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$ROOT/fixtures/images/host.sh"
DISTILL=${DISTILL:-$ROOT/bin/distill}
IMAGES=${IMAGES:-$CACHE/oci}
REQS=$ROOT/fixtures/requirements

need_tools() {
  need_root
  need_packages podman runc skopeo umoci docker-registry qemu-user-static binfmt-support \
    jq curl time python3 ca-certificates "$@"
  emulator
}

PIDS=()
work_folder() {  # work_folder NAME: makes $WORK
  WORK=$(mktemp -d "${DISTILL_TMP:-/var/tmp}/distill-$1-XXXXXX")
  # where skopeo finds podman's images
  CONTAINERS="containers-storage:[overlay@$WORK/store/root+$WORK/store/run]"
  trap cleanup EXIT
  trap 'exit 130' INT TERM
}
cleanup() {
  local rc=$? p
  for p in "${PIDS[@]}"; do kill "$p" 2>/dev/null || true; wait "$p" 2>/dev/null || true; done
  unmount_to 0
  if [[ -d ${WORK:-} ]]; then
    [[ ! -d $WORK/store ]] || { pod rm -af; pod umount -af; } >/dev/null 2>&1 || true
    awk -v w="$WORK/" 'index($2, w) == 1 {print $2}' /proc/mounts | sort -r | xargs -r umount -l 2>/dev/null || true
    rm -rf --one-file-system "$WORK"
  fi
  exit "$rc"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# registry [FOLDER]: starts Debian's docker-registry on a free port of loopback; $REGISTRY is its name. It keeps
# what it gets in FOLDER (default $WORK/registry).
registry() {
  local port dir=${1:-$WORK/registry}; port=$(free_port)
  mkdir -p "$dir"
  cat >"$WORK/registry-$port.yml" <<C
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $dir}}
http: {addr: "127.0.0.1:$port"}
C
  docker-registry serve "$WORK/registry-$port.yml" >"$WORK/registry.log" 2>&1 &
  PIDS+=($!)
  REGISTRY=localhost:$port
  for _ in {1..100}; do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
    sleep 0.1
  done
  cat "$WORK/registry.log" >&2
  die "docker-registry does not answer on port $port"
}
# what the registry holds, in bytes of blobs
registry_bytes() { find "$WORK/registry" -path '*/blobs/*' -name data -printf '%s\n' | awk '{n += $1} END {print n + 0}'; }

pod() { podman --root "$WORK/store/root" --runroot "$WORK/store/run" --storage-driver overlay --runtime runc "$@"; }
run_in() {  # run_in ARCH [podman's options] IMAGE COMMAND...: without a network, stdin passed on
  local arch=$1; shift
  pod run -i --rm --arch "$arch" --pull never --network none --ulimit nofile=1024:4096 --ulimit nproc=1024:1024 --log-driver none "$@"
}
pull() { pod pull -q --tls-verify=false "$@"; }

manifest() { python3 "$ROOT/scripts/manifest.py" "$@"; }
layer_bytes() { manifest "$@" | jq ._size; }  # REF ARCH: compressed bytes of the layers of one platform
mb() { awk -v n="$1" 'BEGIN {printf "%.1f MB", n / 1e6}'; }
