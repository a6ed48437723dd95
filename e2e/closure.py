"""closure.py REQUIREMENTS RESULT.json BASE.json [LOCK]: judges what inside.py said of an image.

Everything that is installed must be in the base or be needed, directly or not, by a line of the
requirements; everything that is needed must be there in a version that fits; no file may differ from
its RECORD; and LOCK (a pylock.toml) must list the same names and versions. Prints one line for each
fault and exits 1, or prints how many projects were looked at. Needs `packaging`."""
import json
import os
import re
import sys
import tomllib

from packaging.markers import Marker
from packaging.requirements import Requirement


def canon(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def lines(path):
    """The requirements and the constraints of a file, options followed."""
    want, bound = [], []
    for line in open(path):
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if line.startswith(("-c ", "-r ")):
            more, also = lines(os.path.join(os.path.dirname(path), line[3:].strip()))
            bound += also + (more if line.startswith("-c") else [])
            want += more if line.startswith("-r") else []
        elif line and not line.startswith("-"):
            want.append(Requirement(line))
    return want, bound


def closure(want, dists, env):
    """(name, what asks for it, specifier) of everything that is reached."""
    todo, done = [(r, "the requirements", {""}) for r in want], set()
    while todo:
        req, by, extras = todo.pop()
        if req.marker and not any(req.marker.evaluate({**env, "extra": e}) for e in extras):
            continue
        name = canon(req.name)
        yield name, by, req.specifier
        extras = {""} | set(req.extras)
        if name not in dists or (name, frozenset(extras)) in done:
            continue
        done.add((name, frozenset(extras)))
        todo += [(Requirement(text), name, extras) for text in dists[name]["requires"]]


def locked_packages(doc, env):
    """Those of one platform. What the development image alone has can't be an entry of PEP 751."""
    env = {**env, "extras": set(), "dependency_groups": set()}
    platform = "linux/" + {"x86_64": "amd64", "aarch64": "arm64"}[env["platform_machine"]]
    for p in doc["packages"]:
        if "marker" not in p or Marker(p["marker"]).evaluate(env):
            yield p
    for p in doc["tool"]["distill"].get("image-packages", ()):
        if platform in p["tool"]["distill"]["on"]:
            yield p


def faults(req_path, result, base, lock):
    dists = {d["name"]: d for d in result["dists"]}
    in_base = {d["name"]: d["version"] for d in base["dists"]}
    want, bound = lines(req_path)
    needed = set()
    for name, by, spec in closure(want, dists, result["environment"]):
        needed.add(name)
        if name not in dists:
            yield "%s, needed by %s, is not installed" % (name, by)
        elif not spec.contains(dists[name]["version"], prereleases=True):
            yield "%s %s does not fit %s %s" % (name, dists[name]["version"], by, spec)
    for c in bound:
        d = dists.get(canon(c.name))
        if d and canon(c.name) in needed and not c.specifier.contains(d["version"], prereleases=True):
            yield "%s %s does not fit the constraint %s" % (d["name"], d["version"], c.specifier)
    for name in sorted(set(dists) - needed):
        if in_base.get(name) != dists[name]["version"]:
            yield "%s %s is needed by nothing and not of the base" % (name, dists[name]["version"])
    yield from result["damaged"]
    if lock:
        with open(lock, "rb") as f:
            doc = tomllib.load(f)
        locked = {canon(p["name"]): p["version"] for p in locked_packages(doc, result["environment"])}
        have = {n: dists[n]["version"] for n in needed & set(dists)}
        for name in sorted(set(locked) | set(have)):
            if locked.get(name) != have.get(name):
                yield "%s: %s in the lock, %s in the image" % (name, locked.get(name), have.get(name))


def main(req_path, result, base, lock=None):
    with open(result) as f, open(base) as g:
        result, base = json.load(f), json.load(g)
    found = list(faults(req_path, result, base, lock))
    print("\n".join(found) or "%d projects" % len(result["dists"]))
    return 1 if found else 0


sys.exit(main(*sys.argv[1:]))
