"""Runs inside an image, on its own Python and standard library: what is installed, what it asks for, and
which files that a RECORD lists are absent or changed; one JSON object on stdout."""
import base64
import hashlib
import importlib.metadata as md
import json
import os
import platform
import re
import sys


def damaged(dist):
    for f in dist.files or ():
        if not f.hash or f.suffix == ".pyc":
            continue
        path = str(dist.locate_file(f))
        try:
            with open(path, "rb") as src:
                got = hashlib.new(f.hash.mode, src.read()).digest()
        except OSError as e:
            yield "%s: %s" % (f, e.strerror)
            continue
        if base64.urlsafe_b64encode(got).decode().rstrip("=") != f.hash.value:
            yield "%s: another hash than in RECORD" % f


seen, dists, bad = set(), [], []
for d in md.distributions():
    name = re.sub(r"[-_.]+", "-", d.metadata["Name"]).lower()
    if name in seen:  # shadowed by an earlier folder of sys.path
        continue
    seen.add(name)
    dists.append({"name": name, "version": d.version, "requires": d.requires or []})
    bad += ["%s: %s" % (name, text) for text in damaged(d)]
impl = sys.implementation.version
json.dump({"dists": sorted(dists, key=lambda d: d["name"]), "damaged": bad, "environment": {
    "implementation_name": sys.implementation.name,
    "implementation_version": "%d.%d.%d" % impl[:3],
    "os_name": os.name,
    "platform_machine": platform.machine(),
    "platform_release": platform.release(),
    "platform_system": platform.system(),
    "platform_version": platform.version(),
    "python_full_version": platform.python_version(),
    "platform_python_implementation": platform.python_implementation(),
    "python_version": ".".join(platform.python_version_tuple()[:2]),
    "sys_platform": sys.platform}}, sys.stdout)
