#!/usr/bin/env python3
"""newbase.py FOLDER NEW CHANGE...: an OCI layout with one more layer on each of its images.

    FILE=TEXT       the file has this content
    FILE+           the file as the image has it, with a byte more at its end (a shared library still works)
    older:FILE      the file with the names of its newest symbol versions (GLIBC_2.2x, 2.3x) replaced, so that
                    it looks like an older build; it is not meant to run
    env:NAME=VALUE  a variable of the configuration

{machine} in a FILE is x86_64 or aarch64.
"""
import gzip
import hashlib
import io
import json
import os
import posixpath
import re
import shutil
import sys
import tarfile


def path(folder, digest):
    return os.path.join(folder, "blobs", *digest.split(":"))


class Layout:
    def __init__(self, folder):
        self.folder = folder

    def load(self, digest):
        with open(path(self.folder, digest)) as f:
            return json.load(f)

    def put(self, data):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        with open(path(self.folder, digest), "wb") as f:
            f.write(data)
        return {"digest": digest, "size": len(data)}


def find(layout, manifest, name):
    """The member called name and its content, in the highest layer that has it; links are followed."""
    for _ in range(10):
        for layer in reversed(manifest["layers"]):
            with tarfile.open(path(layout.folder, layer["digest"])) as t:
                for m in t:
                    if m.name.lstrip("./") != name:
                        continue
                    if m.issym():
                        name = posixpath.normpath(posixpath.join("/", posixpath.dirname(name), m.linkname)).lstrip("/")
                        break
                    return m, t.extractfile(m).read()
                else:
                    continue
                break
        else:
            sys.exit("newbase.py: no %s" % name)
    sys.exit("newbase.py: too many links")


def changed(layout, manifest, change):
    if change.startswith("older:"):
        member, data = find(layout, manifest, change[len("older:"):])
        return member, re.sub(rb"GLIBC_2\.[23]([0-9])\0", rb"GLIBC_2.1\1\0", data)
    if change.endswith("+"):
        member, data = find(layout, manifest, change[:-1])
        return member, data + b"\n"
    name, text = change.split("=", 1)
    return tarfile.TarInfo(name), text.encode()


def layer(layout, manifest, changes):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as t:
        for c in changes:
            member, data = changed(layout, manifest, c)
            new = tarfile.TarInfo(member.name.lstrip("./"))
            new.mode, new.size = member.mode, len(data)
            t.addfile(new, io.BytesIO(data))
    return out.getvalue()


def main(folder, new, *changes):
    env = [c[len("env:"):] for c in changes if c.startswith("env:")]
    changes = [c for c in changes if not c.startswith("env:")]
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(folder, new)
    layout = Layout(new)
    with open(os.path.join(new, "index.json")) as f:
        top = json.load(f)
    index = layout.load(top["manifests"][0]["digest"])
    for entry in index["manifests"]:
        manifest = layout.load(entry["digest"])
        config = layout.load(manifest["config"]["digest"])
        machine = {"amd64": "x86_64", "arm64": "aarch64"}[config["architecture"]]
        tar = layer(layout, manifest, [c.replace("{machine}", machine) for c in changes])
        config["rootfs"]["diff_ids"].append("sha256:" + hashlib.sha256(tar).hexdigest())
        config.setdefault("history", []).append({"created_by": "security update"})
        config["config"].setdefault("Env", []).extend(env)
        manifest["layers"].append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                                   **layout.put(gzip.compress(tar, mtime=0))})
        manifest["config"].update(layout.put(json.dumps(config).encode()))
        entry.update(layout.put(json.dumps(manifest).encode()))
    top["manifests"][0].update(layout.put(json.dumps(index).encode()))
    with open(os.path.join(new, "index.json"), "w") as f:
        json.dump(top, f)


main(*sys.argv[1:])
