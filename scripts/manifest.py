#!/usr/bin/env python3
"""manifest.py oci:FOLDER|HOST:PORT/NAME:TAG [ARCH]: what stands there, as one JSON object.

Without ARCH the document itself, with its digest added under `_digest`; with it the manifest of that
architecture, with `_digest`, its configuration under `_config`, the sum of its layers' compressed
sizes under `_size`, and the platform that the index states under `_platform`. Reads OCI layouts, and
registries on loopback by plain HTTP. The content is checked against the digest asked for."""
import hashlib
import json
import os
import sys
import urllib.request

ACCEPT = ", ".join("application/vnd." + t for t in (
    "oci.image.index.v1+json", "oci.image.manifest.v1+json",
    "docker.distribution.manifest.list.v2+json", "docker.distribution.manifest.v2+json"))


def read_layout(folder):
    with open(os.path.join(folder, "index.json")) as f:
        top = json.load(f)["manifests"]
    if len(top) != 1:
        sys.exit("manifest.py: %s: %d images" % (folder, len(top)))

    def read(_, digest):
        with open(os.path.join(folder, "blobs", *(digest or top[0]["digest"]).split(":")), "rb") as f:
            return f.read()
    return read


def read_registry(host, name, tag):
    def read(kind, digest):
        url = "http://%s/v2/%s/%s/%s" % (host, name, kind, digest or tag)
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": ACCEPT})) as r:
            return r.read()
    return read


def main(ref, arch=None):
    if ref.startswith("oci:"):
        read = read_layout(ref[4:])
    else:
        host, rest = ref.split("/", 1)
        read = read_registry(host, *rest.rsplit(":", 1))

    def load(kind, digest=None):
        data = read(kind, digest)
        got = "sha256:" + hashlib.sha256(data).hexdigest()
        if digest not in (None, got):
            sys.exit("manifest.py: %s: %s holds %s" % (ref, digest, got))
        return json.loads(data), got

    doc, digest = load("manifests")
    if arch:
        plat = None
        while "manifests" in doc:
            fits = [m for m in doc["manifests"] if m.get("platform", {}).get("architecture", arch) == arch]
            if not fits:
                sys.exit("manifest.py: %s: no %s" % (ref, arch))
            plat = fits[0].get("platform")
            doc, digest = load("manifests", fits[0]["digest"])
        doc["_platform"] = plat
        doc["_config"] = load("blobs", doc["config"]["digest"])[0]
        doc["_size"] = sum(layer["size"] for layer in doc["layers"])
    doc["_digest"] = digest
    print(json.dumps(doc))


main(*sys.argv[1:])
