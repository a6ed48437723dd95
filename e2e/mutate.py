"""mutate.py DISTILL LAYOUT SMOKE [-n COUNT] [--seed N] [-v]: is what `distill verify` says true?

Takes the amd64 image of an OCI layout that distill made, removes modules, extension modules, libraries
and links of its own layers one by one (COUNT of each kind, drawn with a fixed seed), and asks for each
whether verify is red and whether the smoke script still runs in the unpacked image (chroot, so it
needs root). Prints a table: of the files that the run needs, how many verify misses (wrong green: none
may be), and of those that it does not need, how many verify reports. The latter is expected for what a
RECORD lists, so the table also counts what verify would say without that rule.
Exits 1 if there is a wrong green."""
import argparse
import gzip
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile


def blob(layout, digest):
    return os.path.join(layout, "blobs", *digest.split(":"))


def read(layout, digest):
    with open(blob(layout, digest)) as f:
        return json.load(f)


def manifest_of(layout, arch):
    """Manifest and configuration of one platform."""
    todo = [m["digest"] for m in json.load(open(os.path.join(layout, "index.json")))["manifests"]]
    while todo:
        m = read(layout, todo.pop())
        if "manifests" in m:
            todo += [x["digest"] for x in m["manifests"]]
            continue
        c = read(layout, m["config"]["digest"])
        if c["architecture"] == arch:
            return m, c
    sys.exit(f"{layout} has no image for {arch}")


def unpack(layout, manifest, config, root):
    """Unpacks all layers; returns the paths of those that distill made."""
    history = [h for h in config["history"] if not h.get("empty_layer")]
    own = set()
    for layer, h in zip(manifest["layers"], history):
        with open(blob(layout, layer["digest"]), "rb") as f:
            data = f.read()
        if layer["mediaType"].endswith("gzip"):
            data = gzip.decompress(data)
        elif layer["mediaType"].endswith("zstd"):
            data = subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(data)) as t:
            for e in t:
                folder, name = os.path.split(e.name)
                if name.startswith(".wh."):
                    gone = os.path.join(root, folder, name[4:])
                    shutil.rmtree(gone) if os.path.isdir(gone) and not os.path.islink(gone) else os.path.lexists(gone) and os.remove(gone)
                    continue
                if e.isdev():
                    continue
                t.extract(e, root, filter="fully_trusted")
                if h.get("created_by", "").startswith(("distill ", "distill:")) and not e.isdir():
                    own.add(e.name)
    return own


def kind(root, path):
    """What a file is for this test, None if it is not removed."""
    base = os.path.basename(path)
    if os.path.islink(os.path.join(root, path)):
        return "link"
    if "-packages/" in path and base.endswith(".py"):
        return "module"
    if ".so" in base and not base.endswith((".py", ".pyc", ".txt")):
        return "library" if base.startswith("lib") or ".libs/" in path else "extension"
    return None


def runs(root, env, smoke):
    """Whether the smoke script works in the image."""
    args = ["unshare", "-n", "chroot", root, "python3", "/" + os.path.basename(smoke)]
    p = subprocess.run(args, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, cwd="/")
    return p.returncode == 0 and b"OK" in p.stdout, p.stdout


def verdict(distill, layout, path):
    """The codes of the errors that verify finds without the path."""
    p = subprocess.run([distill, "verify", "oci:" + layout, "--platform", "linux/amd64", "--json", "-q", "--without", path],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if p.returncode not in (0, 1):
        sys.exit(f"verify --without {path}: {p.stderr.decode()}")
    return {f["code"] for f in json.loads(p.stdout)["findings"] if f["severity"] in ("high", "critical")}


def main():
    a = argparse.ArgumentParser(usage=__doc__)
    a.add_argument("distill")
    a.add_argument("layout")
    a.add_argument("smoke")
    a.add_argument("-n", type=int, default=20)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("-v", action="store_true")
    o = a.parse_args()
    root = tempfile.mkdtemp(prefix="mutate-")
    try:
        sys.exit(mutate(o, root))
    finally:
        shutil.rmtree(root, ignore_errors=True)


def mutate(o, root):
    manifest, config = manifest_of(o.layout, "amd64")
    own = unpack(o.layout, manifest, config, root)
    os.makedirs(os.path.join(root, "dev"), exist_ok=True)
    for name, minor in (("null", 3), ("zero", 5), ("random", 8), ("urandom", 9)):
        if not os.path.exists(os.path.join(root, "dev", name)):
            os.mknod(os.path.join(root, "dev", name), 0o20666, os.makedev(1, minor))
    shutil.copy(o.smoke, os.path.join(root, os.path.basename(o.smoke)))
    env = dict(e.split("=", 1) for e in config["config"].get("Env") or ())
    env.setdefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    env["PYTHONDONTWRITEBYTECODE"], env["HOME"] = "1", "/root"
    ok, text = runs(root, env, o.smoke)
    if not ok:
        sys.exit(f"the image does not run as it is:\n{text.decode()}")
    if red := verdict(o.distill, o.layout, "/nonexistent"):
        sys.exit(f"verify is red as it is: {sorted(red)}")
    by = {}
    for path in sorted(own):
        if os.path.lexists(os.path.join(root, path)) and (k := kind(root, path)):
            by.setdefault(k, []).append(path)
    print(f"{'kind':10} {'drawn':>5} {'needed':>6} {'wrong green':>11} {'not needed':>10} {'red':>4} {'red without RECORD':>18} {'needed, green without RECORD':>28}")
    wrong = 0
    for k in ("module", "extension", "library", "link"):
        drawn = sorted(random.Random(o.seed).sample(by.get(k, []), min(o.n, len(by.get(k, [])))))
        n = dict.fromkeys(("needed", "green", "not", "red", "red2", "green2"), 0)
        for path in drawn:
            real, away = os.path.join(root, path), os.path.join(root, ".away")
            os.rename(real, away)
            ok, text = runs(root, env, o.smoke)
            os.rename(away, real)
            codes = verdict(o.distill, o.layout, path)
            other = codes - {"record-mismatch"}
            if ok:
                n["not"] += 1
                n["red"] += bool(codes)
                n["red2"] += bool(other)
            else:
                n["needed"] += 1
                n["green"] += not codes
                n["green2"] += not other
            if o.v or not ok and not codes:
                print(f"  {'runs' if ok else 'FAILS'} {','.join(sorted(codes)) or 'green'} {path}", flush=True)
        print(f"{k:10} {len(drawn):5} {n['needed']:6} {n['green']:11} {n['not']:10} {n['red']:4} {n['red2']:18} {n['green2']:28}", flush=True)
        wrong += n["green"]
    return 1 if wrong else 0


if __name__ == "__main__":
    main()
