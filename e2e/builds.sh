#!/usr/bin/env bash
# End-to-end tests of builds from source: packages are built in the development image for amd64 and, in
# qemu, for arm64; by each engine; shared through a registry; and foreign code that attacks.
#
#   e2e/builds.sh [PART ...]    parts, default all but engines:
#       sets      build, publish, run; nothing to do the next time; both caches
#       engines   podman and chroot instead of namespaces, amd64
#       buildkit  two daemons that stand for two nodes
#       errors    what is missing, what does not compile, interrupts, full disks, two runs at a time
#       hostile   fixtures/builds/attacks
#
#   E2E_BUILDS=short   of what is built for arm64 in qemu, only build-small
#   E2E_PLATFORM=linux/amd64   build for this alone
#   E2E_WHEELS=FOLDER  keep the wheel cache of build-large and build-alpine there: the next run finds what this one built
#   E2E_SETS=NAMES     the sets of fixtures/requirements to build (default all of build-*)
#   E2E_ENGINE=NAME    the engine of errors and hostile (default auto)
#   E2E_ATTACKS=NAMES  only these of fixtures/builds/attacks
#   E2E_KEEP=FOLDER    keep what distill said, measured and locked there
#
# Needs root and the package index. The last line is "N passed, N failed".
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/../scripts/lib.sh"
. "$HERE/checks.sh"
. "$HERE/refusals.sh"
. "$HERE/buildparts.sh"
. "$HERE/attacks.sh"

PARTS=("$@")
((${#PARTS[@]})) || PARTS=(sets buildkit errors hostile)
ENGINE=${E2E_ENGINE:-auto}
LIMIT=3000   # seconds; h5py in qemu takes a quarter of an hour on a machine with nothing else to do

main() {
  local p
  need_tools python3-packaging
  work_folder builds
  registry
  mkdir -p "$WORK/archives" "$WORK/home"
  for p in "${PARTS[@]}"; do
    case $p in
      sets) part_sets ;;
      engines) part_engines ;;
      buildkit) part_buildkit ;;
      errors) part_errors ;;
      hostile) part_hostile ;;
      *) die "there is no part $p" ;;
    esac
  done
  finish
}
main
