# Sourced by run.sh: what cannot work must say so in one paragraph, with the right exit code, and leave
# nothing behind.

refused() {  # refused CODE PATTERN ARGUMENT...: run in a folder of its own, on the small base
  local code=$1 pattern=$2 d=$WORK/refused rc=0; shift 2
  rm -rf "$d" "$WORK/refused-cache"; mkdir -p "$d"; echo 'click==8.1.7' >"$d/r.txt"
  (cd "$d" && DISTILL_CACHE_DIR=$WORK/refused-cache timeout 120 "$DISTILL" "$@" >"$WORK/stdout" 2>"$WORK/stderr") || rc=$?
  cat "$WORK/stderr"
  echo "exit code $rc, expected $code"
  [[ $rc == "$code" && ! -s $WORK/stdout && $(ls -A "$d") == r.txt ]] || { ls -A "$d"; return 1; }
  grep -v '^hint: ' "$WORK/stderr" | tail -1 | grep -Eq "^distill: .*($pattern)" || { echo "no line 'distill: ... $pattern'"; return 1; }
  ! grep -Eq '^panic|goroutine [0-9]' "$WORK/stderr"
}

damaged_layout() {  # damaged_layout NAME KIND: pyslim with one blob changed; prints the folder
  local l=$WORK/damaged-$1 b
  rm -rf "$l"; cp -r "$IMAGES/pyslim" "$l"
  case $1 in
    layer) b=$(manifest "oci:$l" amd64 | jq -r '.layers[0].digest') ;;
    manifest) b=$(manifest "oci:$l" amd64 | jq -r ._digest) ;;
  esac
  python3 - "$l/blobs/${b/://}" <<'P'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(0, 2)
    f.seek(f.tell() // 2)
    c = f.read(1)
    f.seek(-1, 1)
    f.write(bytes([c[0] ^ 1]))
P
  echo "$l"
}

full_disk() {
  local m=$WORK/small rc=0
  mkdir -p "$m"; mnt -t tmpfs -o size=1m tmpfs "$m"
  refused "$@" --to "oci:$m/out" || rc=1
  [[ -z $(ls -A "$m") ]] || { echo 'left behind:'; ls -AR "$m"; rc=1; }
  unmount_to $((${#MOUNTS[@]} - 1))
  return $rc
}

refusals() {
  local small=(--from "oci:$IMAGES/pyslim" --onto "oci:$IMAGES/pyslim" --platform linux/amd64)
  check 'a requirements file that is not there' refused 2 'absent.txt' "${small[@]}" --req absent.txt --to oci:out
  check 'a reference that is none' refused 2 'UPPER' --from 'oci-nothing:UPPER CASE' --onto "oci:$IMAGES/pyslim" --req r.txt --to oci:out
  check 'an image that is not there' refused 2 'nowhere' --from oci:nowhere --onto "oci:$IMAGES/pyslim" --req r.txt --to oci:out
  check 'a platform that the image lacks' refused 2 's390x' "${small[@]:0:4}" --platform linux/s390x --req r.txt --to oci:out
  check 'a base of another C library' refused 7 'needs glibc .*has musl' "${small[@]:0:2}" --onto "oci:$IMAGES/alpine-base" --platform linux/amd64 --req r.txt --to oci:out
  check 'a layer with one bit changed' refused 7 'sha256:' "${small[@]:0:2}" --onto "oci:$(damaged_layout layer)" --platform linux/amd64 --req r.txt --to oci:out
  check 'a manifest with one bit changed' refused 7 'sha256:' --from "oci:$(damaged_layout manifest)" "${small[@]:2}" --req r.txt --to oci:out
  check 'a registry that nobody serves' refused 4 'localhost:1' "${small[@]}" --req r.txt --to localhost:1/x:1
  check 'a project that does not exist' refused 3 'distill-no-such-project' "${small[@]}" --req <(echo 'distill-no-such-project-7d1f') --to oci:out
  check 'a full disk' full_disk 7 'no space left' "${small[@]}" --req r.txt
}
