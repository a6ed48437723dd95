#!/usr/bin/env python3
"""Does what --trim leaves out matter to anybody? Imports every module of an image, trimmed and not.

    e2e/trim.py [FROM ONTO]            FROM and ONTO as distill takes them (default: pydev and pyslim)
    e2e/trim.py --safe ...             --trim safe only
    e2e/trim.py --roots NONE TRIMMED   two unpacked trees instead, of which the second one is trimmed

Builds an image of all distributions that FROM has, with --trim none, safe and max, and imports
in each of them every module that the trimmed one has, each top-level package in a process of its own. A module
which imports in the one and not in the other is printed, and makes the exit code 1.
Needs root, umoci and skopeo, 4 GB in TMPDIR, and some minutes of two processors.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
IMAGES = os.environ.get("IMAGES", os.path.expanduser("~/.cache/distill-images/oci"))
# Of fixtures/images/legacy: a develop install, and an egg-info with a namespace package by a .pth file.
SCRIPTS = {"acme-live": "acme live\n", "acme-count": "0\n"}

# Runs in the image: "list" prints the modules of all site directories, "run" imports those that stand on
# stdin, one after the other, and prints what became of each. A process that dies costs one module.
INSIDE = r'''
import json, os, site, subprocess, sys, sysconfig

SUFFIXES = (".py", sysconfig.get_config_var("EXT_SUFFIX") or ".so", ".abi3.so", ".so")
# What does something else than define names: shells, servers, games, and parts for other systems.
SKIP = {"antigravity", "this", "__main__", "setup", "lib2to3.pgen2.conv", "pip.__pip-runner__"}

def modules():
    found = {}
    for top in dict.fromkeys(os.path.realpath(p) for p in sys.path if p.endswith("-packages") or ".egg" in p):
        for folder, dirs, files in os.walk(top):
            dirs[:] = sorted(d for d in dirs if d.isidentifier() and d != "__pycache__")
            package = os.path.relpath(folder, top).replace(os.sep, ".").strip(".")
            if package and "__init__.py" not in files:
                dirs[:] = []
                continue
            for name in sorted(files):
                suffix = next((s for s in SUFFIXES if name.endswith(s)), None)
                stem = name[:-len(suffix)] if suffix else ""
                if stem == "__init__":
                    stem = ""
                elif not stem.isidentifier():
                    continue
                module = ".".join(filter(None, (package, stem)))
                if module and module.rsplit(".")[-1] not in SKIP and module not in SKIP:
                    found[module] = True
    return list(found)

WORKER = r"""
import importlib, io, json, os, sys, warnings
warnings.simplefilter("ignore")
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
sys.stdin = io.StringIO()
sys.argv = ["x"]
for name in json.loads(sys.argv_names):
    print(json.dumps([name, None]), file=out, flush=True)
    try:
        importlib.import_module(name)
        what = "ok"
    except BaseException as e:
        what = type(e).__name__ + ": " + str(e)[:150]
    print(json.dumps([name, what]), file=out, flush=True)
os._exit(0)
"""

def run(names):
    result = {}
    while names:
        code = "import sys; sys.argv_names = " + repr(json.dumps(names)) + WORKER
        p = subprocess.Popen([sys.executable, "-c", code] if len(code) < 100000 else [sys.executable, "-"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd="/tmp")
        try:
            text, _ = p.communicate(code if len(code) >= 100000 else "", timeout=900)
        except subprocess.TimeoutExpired:
            p.kill()
            text, _ = p.communicate()
        last = None
        for line in text.splitlines():
            try:
                name, what = json.loads(line)
            except ValueError:
                continue
            last = name
            result[name] = what or "died"
        if p.returncode == 0 or last is None:
            break
        names = names[names.index(last) + 1:]
    return result

if sys.argv[1] == "list":
    print(json.dumps(modules()))
else:
    tops = {}
    for name in json.load(open(sys.argv[2])):
        tops.setdefault(name.partition(".")[0], []).append(name)
    from concurrent.futures import ThreadPoolExecutor
    result = {}
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for one in pool.map(run, tops.values()):
            result.update(one)
    json.dump(result, sys.stdout)
'''


class Root:
    """An unpacked tree, entered by chroot."""

    def __init__(self, path):
        self.path = path

    def inside(self, *args, names=None):
        work = os.path.join(self.path, "tmp", "trim")
        os.makedirs(work, exist_ok=True)
        for name, text in (("inside.py", INSIDE), ("names.json", json.dumps(names))):
            # The tree may be hard-linked to another one: no writing into a file that is there.
            with tempfile.NamedTemporaryFile("w", dir=work, delete=False) as f:
                f.write(text)
            os.replace(f.name, os.path.join(work, name))
            os.chmod(os.path.join(work, name), 0o644)
        command = ["unshare", "--net", "--pid", "--fork", "--mount", "sh", "-c",
                   'mount -t proc proc "$0/proc"; mount --bind /dev "$0/dev"; exec chroot "$0" /usr/bin/env -i PATH=/opt/anaconda3/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp '
                   'PYTHONDONTWRITEBYTECODE=1 MPLBACKEND=agg python3 /tmp/trim/inside.py "$@"', self.path, *args]
        return json.loads(subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True).stdout)


    def scripts(self):
        """The console scripts of odd installs, as far as they are there: True if they work."""
        bad = False
        for name, want in SCRIPTS.items():
            if os.path.exists(os.path.join(self.path, "usr/local/bin", name)):
                p = subprocess.run(["chroot", self.path, "/usr/bin/env", "-i", "PATH=/usr/local/bin:/usr/bin:/bin", name], input="", stdout=subprocess.PIPE, text=True)
                print(f"{name}: {'ok' if p.stdout == want else repr(p.stdout)}")
                bad = bad or p.stdout != want
        return bad


def build(frm, onto, level, work):
    """An image of all that stands in frm, unpacked."""
    distill = os.environ.get("DISTILL", os.path.join(ROOT, "bin", "distill"))
    listed = json.loads(subprocess.run([distill, "inspect", frm, "--platform", "linux/amd64", "--json"], stdout=subprocess.PIPE, check=True).stdout)
    req = os.path.join(work, "all.txt")
    with open(req, "w") as f:
        for d in listed["platforms"][0]["distributions"]:
            if not d.get("shadowed"):
                print(f"{d['name']}=={d['version']}", file=f)
    out = os.path.join(work, level)
    subprocess.run([distill, "--from", frm, "--onto", onto, "--req", req, "--platform", "linux/amd64", "--trim", level, "--offline", "--no-verify", "--progress", "quiet",
                    "--to", f"oci:{out}:x", "--metadata-file", out + ".json"], stdout=subprocess.DEVNULL, check=True)
    flat = out + "-flat"
    subprocess.run(["skopeo", "--override-arch", "amd64", "copy", "-q", f"oci:{out}:x", f"oci:{flat}:x"], check=True)
    shutil.rmtree(out)
    subprocess.run(["umoci", "unpack", "--image", f"{flat}:x", out + "-root"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shutil.rmtree(flat)
    return Root(os.path.join(out + "-root", "rootfs"))


def compare(whole, trimmed, label):
    names = trimmed.inside("list")
    a, b = whole.inside("run", "/tmp/trim/names.json", names=names), trimmed.inside("run", "/tmp/trim/names.json", names=names)
    bad = sorted(n for n in names if a.get(n) == "ok" and b.get(n) != "ok")
    for n in bad:
        print(f"{label}: {n}: {b.get(n)}")
    print(f"{label}: {len(names)} modules, {sum(v == 'ok' for v in a.values())} import untrimmed, {sum(v == 'ok' for v in b.values())} trimmed, {len(bad)} were broken")
    return bool(bad) | trimmed.scripts()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--roots", action="store_true")
    p.add_argument("--safe", action="store_true")
    p.add_argument("frm", nargs="?", default=f"oci:{IMAGES}/pydev")
    p.add_argument("onto", nargs="?", default=f"oci:{IMAGES}/pyslim")
    a = p.parse_args()
    if a.roots:
        return compare(Root(a.frm), Root(a.onto), a.onto)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as work:
        whole = build(a.frm, a.onto, "none", work)
        return any([compare(whole, build(a.frm, a.onto, level, work), level) for level in ["safe"] + ["max"] * (not a.safe)])


if __name__ == "__main__":
    sys.exit(main())
