# Sourced by run.sh: why it is not enough that a build succeeds. pyodbc's wheel needs libodbc.so.2, which
# nothing in the requirements names and the slim base lacks. The usual Dockerfile builds, and the image
# fails when it is run; the one that distill made of the same three inputs runs, on both architectures.

showcase() {
  need_packages buildah
  . "$ROOT/scripts/multistage.sh"
  check 'showcase: pydev and pyslim are loaded' load_images amd64 || return
  check 'showcase: a multi-stage Dockerfile with pip builds dev-etl without a word' multistage dev-etl pip amd64
  check 'showcase: and what it built fails when it is run' fails_for_odbc localhost/dev-etl-pip:amd64
}
fails_for_odbc() {
  ! smoke amd64 "$1" "$REQS/dev-etl.smoke.py" && cat "$WORK/said" && grep -q 'libodbc.so.2: cannot open shared object file' "$WORK/said"
}
