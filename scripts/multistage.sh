# Sourced where distill is compared with what one would do otherwise: a Dockerfile of two stages, in which
# pip or uv fills a virtual environment in the development image, and the base gets it by COPY --from.

CA=${PIP_CERT:-${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}}
BUILD_VARIABLES=(PIP_CERT SSL_CERT_FILE PIP_INDEX_URL UV_DEFAULT_INDEX HTTP_PROXY HTTPS_PROXY NO_PROXY)
STORE=(--root "$WORK/store/root" --runroot "$WORK/store/run" --storage-driver overlay)

load_images() {  # load_images ARCH: pydev and pyslim into podman's storage, once
  local n
  for n in pyslim pydev; do
    pod image exists "localhost/$n:$1" ||
      skopeo --override-arch "$1" copy -q "oci:$IMAGES/$n:latest" "${CONTAINERS}localhost/$n:$1" || return 1
  done
}

# dockerfile NAME TOOL ARCH: TOOL is pip, uv, uv-same, which keeps the versions of the development image, or
# uv-code, which also writes byte code
dockerfile() {
  echo "FROM localhost/pydev:$3 AS build"
  printf 'ARG %s\n' "${BUILD_VARIABLES[@]}"
  echo "COPY *.txt /req/"
  case $2 in
    pip) echo "RUN python3 -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir -r /req/$1.txt" ;;
    uv | uv-same | uv-code)
      echo "RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir uv && /opt/uv/bin/uv venv /opt/venv"
      if [[ $2 == uv ]]; then echo "RUN : >/req/versions"; else echo "RUN python3 -m pip freeze --all | grep == >/req/versions"; fi
      echo "RUN VIRTUAL_ENV=/opt/venv /opt/uv/bin/uv pip install $([[ $2 != uv-code ]] || echo --compile-bytecode) --no-cache -c /req/versions -r /req/$1.txt" ;;
  esac
  cat <<D
FROM localhost/pyslim:$3
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
D
}

multistage() {  # multistage NAME TOOL ARCH: builds localhost/NAME-TOOL:ARCH; its log is $WORK/multistage.log
  local ctx=$WORK/context v args=(--build-arg PIP_CERT=/ca.crt --build-arg SSL_CERT_FILE=/ca.crt)
  rm -rf "$ctx"; mkdir -p "$ctx"; cp "$REQS/$1"*.txt "$ctx/"
  dockerfile "$@" >"$ctx/Dockerfile"
  for v in "${BUILD_VARIABLES[@]:2}"; do [[ -z ${!v:-} ]] || args+=(--build-arg "$v=${!v}"); done
  buildah "${STORE[@]}" bud --isolation chroot --network host --arch "$3" --no-cache -v "$CA:/ca.crt:ro" \
    "${args[@]}" -t "localhost/$1-$2:$3" "$ctx" >"$WORK/multistage.log" 2>&1
}
