"""buildlock.py LOCK REQUIREMENTS PLATFORMS: the lock of a run says for each project whose wheel is not wanted, and each
platform, what its build was made with; all of that has a version and a sha256. Prints each fault and exits 1."""
import re
import sys
import tomllib


def canon(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def main(path, requirements, platforms):
    with open(path, "rb") as f:
        doc = tomllib.load(f)
    tools = {(p["name"], p.get("version")): p for p in doc["tool"]["distill"].get("build-packages", ())}
    faults, seen = [], 0
    want = {canon(n) for line in open(requirements) if line.startswith("--no-binary") for n in line.split()[1].split(",")}
    for p in doc["packages"]:
        if not p.get("sdist") or p.get("wheels") and p["name"] not in want:
            continue
        want.discard(p["name"])
        seen += 1
        builds = p.get("tool", {}).get("distill", {}).get("builds", [])
        for platform in platforms.split(","):
            on = [b for b in builds if platform in b["platforms"]]
            if len(on) != 1:
                faults.append("%s: %d builds for %s" % (p["name"], len(on), platform))
                continue
            for d in on[0].get("requires", ()):
                tool = tools.get((d["name"], d["version"]))
                files = tool and [f for f in tool.get("wheels", []) + [tool.get("sdist")] if f]
                if not files or not all(re.fullmatch("[0-9a-f]{64}", f["hashes"]["sha256"]) for f in files):
                    faults.append("%s: no hashed file for its requirement %s" % (p["name"], d))
        if not re.fullmatch("[0-9a-f]{64}", p["sdist"]["hashes"]["sha256"]):
            faults.append(p["name"] + ": no hash of the source")
    faults += ["%s: not from source" % n for n in sorted(want)]
    print("\n".join(faults) or "%d projects from source, %d build requirements" % (seen, len(tools)))
    sys.exit(1 if faults or not seen else 0)


main(*sys.argv[1:])
