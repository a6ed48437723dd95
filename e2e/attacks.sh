# Sourced by builds.sh: builds that can't succeed, and builds that attack. Each has to end with a clear error and to
# leave nothing: no process, no mount, no file.

ALONE=()   # what alone.py is told

# fails CODE PATTERN REQUIREMENT [FLAG...]: CODE is a pattern, too
fails() {
  local code=$1 pattern=$2 rc=0; shift 2
  build_alone "$@" || rc=$?
  cat "$WORK/stderr"
  echo "exit code $rc, expected $code; a message like: $pattern"
  [[ $rc =~ ^($code)$ && ! -s $WORK/stdout ]] || return 1
  [[ $(ls -A "$WORK/run") == r.txt ]] || { echo 'left beside the requirements:'; ls -A "$WORK/run"; return 1; }
  [[ -z $(ls -A "$WORK/tmp") ]] || { echo 'left in TMPDIR:'; ls -A "$WORK/tmp"; return 1; }
  grep -Eq '^distill: ' "$WORK/stderr" && grep -Eq -- "$pattern" "$WORK/stderr" || { echo 'no such message'; return 1; }
  ! grep -Eq '^panic|^goroutine [0-9]|GOT THROUGH' "$WORK/stderr" || return 1
  ! LC_ALL=C grep -Pq '[\x00-\x08\x0b-\x1f\x7f]' "$WORK/stderr" || { echo 'raw control characters'; return 1; }
}
# build_alone REQUIREMENT [FLAG...]: for amd64 alone, in the folder run, with all of alone.py's care
build_alone() {
  local d=$WORK/run r=$1; shift
  rm -rf "$d"; mkdir -p "$d" "$WORK/tmp"; printf '%s\n' "$r" >"$d/r.txt"
  (cd "$d" && TMPDIR=$WORK/tmp timeout -k 5 600 python3 "$HERE/alone.py" "${ALONE[@]}" --folder "$WORK" \
    "$DISTILL" --from "oci:$IMAGES/pydev" --onto "oci:$IMAGES/pyslim" --platform linux/amd64 --req r.txt --to oci:out \
    --build-engine "$ENGINE" --cache-dir "$WORK/cache" --find-links "$WORK/archives" -v "$@" >"$WORK/stdout" 2>"$WORK/stderr")
}
names_log() {  # the last error names a log that is there, and TEXT stands in it
  local log; log=$(sed -n 's/^hint: the whole log: //p' "$WORK/stderr")
  echo "log: $log"; grep -qF -- "$1" "$log"
}

tree_sum() { find "$WORK/cache" -path '*tree*' -printf '%p %y %m %U %G %s %T@ %l\n' | LC_ALL=C sort | sha256sum; }

# --- what fails ---------------------------------------------------------------------------------
part_errors() {
  group 'builds that fail'
  python3 "$ROOT/fixtures/builds/pack.py" "$WORK/archives"
  check 'what the image lacks is said before anything is started' fails 5 'python-ldap 3\.4\.4 .*linux/amd64.*(lber|ldap)\.h.*libldap' python-ldap==3.4.4
  check 'no header: the compiler says which' fails 5 '^ .*ext\.c:2:.*no/such/header\.h: No such file' demo-badheader
  check 'the log is kept and named' names_log 'no/such/header.h'
  check 'C that is none: the line of the compiler' fails 5 '^ .*ext\.c:2:.*unknown_to_all' demo-badcode
  check 'metadata that needs what is not there' fails 5 '^ .*the_module_that_nobody_has' demo-dynamic
  check 'source builds refused' fails '[35]' 'demo-slow' demo-slow --no-build
  interrupts
  full_places
  check 'somebody who is not root builds as well, or hears what to change' not_root
}

interrupts() {
  local one=$WORK/one-of-two
  ALONE=(--signal INT --when 'sleep 15.097')
  check 'Ctrl-C in the middle' fails 130 interrupted demo-slow
  ALONE=(--signal TERM --when 'sleep 15.097')
  check 'SIGTERM in the middle' fails 130 interrupted demo-slow
  ALONE=(--signal KILL --when 'sleep 15.097')
  check 'SIGKILL in the middle leaves no process and no mount' killed demo-slow
  ALONE=()
  check 'after that, two runs at the same time' two_runs
  check 'give the same digest' same_text "$(sed 's/.*@//' "$WORK/first.stdout")" "$(sed 's/.*@//' "$WORK/second.stdout")"
  check 'and have built it once' once
}
killed() {  # what nobody could take away from TMPDIR any more stays there
  local rc=0
  build_alone "$@" || rc=$?
  cat "$WORK/stderr"; echo "exit code $rc"
  rm -rf "${WORK:?}/tmp"
  ((rc == 137))
}
two_runs() {
  local n pids=()
  for n in first second; do
    (mkdir -p "$WORK/$n"; export WORK=$WORK/$n; ln -sfn ../cache "$WORK/cache"; ln -sfn ../archives "$WORK/archives"; build_alone demo-slow) &
    pids+=($!)
  done
  wait "${pids[0]}" && wait "${pids[1]}"; local rc=$?
  for n in first second; do mv "$WORK/$n/stdout" "$WORK/$n.stdout"; mv "$WORK/$n/stderr" "$WORK/$n.stderr"; rm -rf "${WORK:?}/$n"; cat "$WORK/$n.stderr"; done
  return $rc
}
once() {
  grep -Hi 'demo-slow' "$WORK"/{first,second}.stderr
  [[ $(grep -l 'building demo-slow' "$WORK"/{first,second}.stderr | wc -l) == 1 ]]
}

full_places() {
  local m=$WORK/small
  mkdir -p "$m" "$WORK/tmp"
  mnt -t tmpfs -o size=3m tmpfs "$WORK/tmp"
  check 'a full TMPDIR is no matter: builds lie in the folder of the cache' fails 5 'no/such/header.h' demo-badheader
  unmount_to $((${#MOUNTS[@]} - 1))
  mnt -t tmpfs -o size=64m tmpfs "$m"
  check 'a cache without room for the image' fails '[57]' 'no space left|disk' demo-badheader --cache-dir "$m/cache"
  check 'no half of the image stays in it' test -z "$(find "$m" -name 'python3*' -print -quit)"
  unmount_to $((${#MOUNTS[@]} - 1))
}

not_root() {
  local d=$WORK/plain rc=0
  mkdir -p "$d/run" "$d/images"; cp "$DISTILL" "$d/distill"; echo demo-slow >"$d/run/r.txt"
  mnt --bind "$IMAGES" "$d/images"; chmod 711 "$WORK"; chown -R 65534:65534 "$d/run"; mkdir -p "$d/cache"; chown 65534:65534 "$d/cache"
  (cd "$d/run" && env -i PATH="$PATH" HOME=/nonexistent TMPDIR="$d/cache" setpriv --reuid 65534 --regid 65534 --clear-groups timeout 300 "$d/distill" \
    --from "oci:$d/images/pydev" --onto "oci:$d/images/pyslim" --platform linux/amd64 --req r.txt --to oci:out --cache-dir "$d/cache/c" \
    --find-links "$WORK/archives" --build-engine namespaces) || rc=$?
  unmount_to $((${#MOUNTS[@]} - 1))
  echo "exit code $rc"
  ((rc == 0)) || [[ $(cat /proc/sys/user/max_user_namespaces) == 0 || $(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null) == 1 ]]
}

# --- what attacks -------------------------------------------------------------------------------
flags_of() {  # flags_of ATTACK: the limits that end it soon
  case $1 in
    eats) echo --build-memory 512MiB --build-timeout 1m ;;
    fills) echo --build-memory 512MiB --build-timeout 10s ;;
    forks | sleeps | stays | talks) echo --build-timeout 20s ;;
    *) echo --build-timeout 2m ;;
  esac
}

part_hostile() {
  local port secret f n before
  group 'builds that attack'
  port=$(free_port) secret=canary$RANDOM$RANDOM$RANDOM
  mkdir -p "$WORK"/home/{.ssh,.docker} "$WORK/tmp"
  printf 'machine index.example login me password %s\n' "$secret" >"$WORK/home/.netrc"
  for f in canary .bashrc .pypirc .ssh/id_ed25519; do echo "$secret" >"$WORK/home/$f"; done
  /usr/bin/python3 "$HERE/listener.py" "$port" "$WORK/home/socket" "$WORK/heard" >"$WORK/listener" 2>&1 &
  PIDS+=($!)
  for _ in {1..50}; do grep -qs ready "$WORK/listener" && break; sleep 0.1; done
  check 'the listener is there' test -e "$WORK/heard"
  python3 "$ROOT/fixtures/builds/pack.py" "$WORK/archives" HOME="$WORK/home" PORT="$port" SECRET="$(rev <<<"$secret")"
  # the image is unpacked by now, so that what stands in the cache of images should stay as it is
  fails 5 . demo-badheader >/dev/null
  before=$(tree_sum; sha256sum "$WORK"/home/{canary,.bashrc,.netrc} /etc/passwd /etc/group; ls -A "$WORK/home")
  for f in "$ROOT"/fixtures/builds/attacks/*.py; do
    n=$(basename "$f" .py)
    [[ $n != tried && " ${E2E_ATTACKS:-$n} " == *" $n "* ]] || continue
    check "attack: $(sed -n '1s/^# //p' "$f")" attacked "$secret" 5 "$(sed -n 's/^# expect: //p' "$f")" "attack-$n" $(flags_of "$n")
  done
  check 'nobody has spoken to the listener' test ! -s "$WORK/heard"
  check 'home, accounts and the unpacked image are as before' \
    same_text "$before" "$(tree_sum; sha256sum "$WORK"/home/{canary,.bashrc,.netrc} /etc/passwd /etc/group; ls -A "$WORK/home")"
  check 'nothing that an attack has written is anywhere' nothing_written
}
attacked() {  # attacked SECRET CODE PATTERN PROJECT FLAG...: with what a caller has and a build must not see
  local -x HOME=$WORK/home AWS_SECRET_ACCESS_KEY=$1 GITHUB_TOKEN=$1 PIP_INDEX_TOKEN=$1 SSH_AUTH_SOCK=$WORK/home/socket
  shift
  fails "$@"
}
nothing_written() {
  local found
  found=$(find / /tmp /var/tmp /dev/shm /run "$WORK" -xdev \( -path /proc -o -path /sys \) -prune -o -name 'distill-attack*' -print 2>/dev/null)
  echo "$found"
  [[ -z $found ]]
}
