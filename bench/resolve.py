"""resolve.py [PART ...]: measures `distill lock` for two platforms beside `uv pip compile` for one, in one
run and on the same index, and prints Markdown tables. Numbers also go to dist/bench/resolve.jsonl.

Parts (default: all):
  warm     offline, with what a first run left in the cache
  cold     empty cache, the default index, and the requests through a mirror of it on loopback
  own      an index on loopback as an index should be: ETag, max-age, 304, gzip, PEP 658
  worlds   made-up packages of growing number

Environment: DISTILL (default bin/distill), UV (default uv of the PATH, else one is installed into
dist/bench), BENCH_ROUNDS (default 9), BENCH_SETS (default all of bench/requirements).

The runs of the two tools alternate; of times the least and the median are kept, as other work on the
machine only ever adds. Both tools write a new file each time, since both would reuse the versions of an old one.
"""
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
OUT = ROOT / "dist" / "bench"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "9"))
SETS = os.environ.get("BENCH_SETS", "black trio jupyter slow boto3 flyte").split()
DISTILL = os.environ.get("DISTILL", str(ROOT / "bin" / "distill"))
TOOLS = ("distill", "uv")


def find_uv():
    uv = os.environ.get("UV") or shutil.which("uv")
    if not uv:
        venv = OUT / "uv"
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin" / "pip", "install", "-q", "uv"], check=True)
        uv = str(venv / "bin" / "uv")
    return uv


def environment():
    """The caller's, without what only one of the tools would follow."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_", "DISTILL_"))}
    index = next((os.environ[k] for k in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL") if os.environ.get(k)), None)
    if index:
        env["UV_DEFAULT_INDEX"] = index
    return env


class Tools:
    """Runs the tools, each with its caches below one folder."""

    def __init__(self, work):
        self.work, self.uv, self.env, self.runs = pathlib.Path(work), find_uv(), environment(), 0

    def cache(self, tool, label):
        return self.work / ("%s-%s" % (tool, label))

    def forget(self, tool, label):
        shutil.rmtree(self.cache(tool, label), ignore_errors=True)

    def command(self, tool, requirements, label, offline, index):
        out = self.work / ("out-%d" % self.runs)
        if tool == "distill":
            c = [DISTILL, "lock", "--quiet", "--req", requirements, "--python-version", "3.11", "--libc", "glibc-2.28",
                 "--platform", "linux/amd64,linux/arm64", "-o", out, "--cache-dir", self.cache(tool, label)]
            c += ["--index-url", index] if index else []
        else:
            c = [self.uv, "pip", "compile", "--quiet", "--no-header", requirements, "--python-version", "3.11",
                 "--python-platform", "x86_64-manylinux_2_28", "-o", out, "--cache-dir", self.cache(tool, label)]
            c += ["--default-index", index] if index else []
        return out, [str(x) for x in c] + (["--offline"] if offline else [])

    def run(self, tool, requirements, label, offline=False, index=None, limit=600):
        """Runs once; returns wall and CPU seconds and peak MiB, or None if it failed or took too long."""
        self.runs += 1
        out, command = self.command(tool, requirements, label, offline, index)
        peak = self.work / "peak"
        start = time.perf_counter()
        p = subprocess.Popen(["/usr/bin/time", "-q", "-f", "%M", "-o", peak, "timeout", str(limit)] + command,
                             env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        errors = p.stderr.read()
        _, status, usage = os.wait4(p.pid, 0)
        wall = time.perf_counter() - start
        p.returncode = os.waitstatus_to_exitcode(status)
        if p.returncode != 0 or not out.exists():
            say("%s %s failed (%d): %s" % (tool, label, p.returncode, errors.strip()[-300:]))
            return None
        out.unlink()
        return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak": int(peak.read_text().split()[-1]) / 1024}


def say(text):
    print("bench: " + text, file=sys.stderr, flush=True)


class Index:
    """The index on loopback (bench/resolveindex)."""

    def __init__(self, *flags):
        self.process = subprocess.Popen([OUT / "resolveindex", *flags], stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def get(self, path):
        with urllib.request.urlopen(self.url.replace("/simple/", path)) as r:
            return r.read().decode()

    def counts(self):
        return json.loads(self.get("/-/counts"))


def requests(counts):
    return sum(v for k, v in counts.items() if k != "304")


def alternate(rounds, one):
    """Calls one(tool) for both tools in turn; returns what each gave that did not fail."""
    got = {t: [] for t in TOOLS}
    for i in range(rounds):
        for t in TOOLS if i % 2 == 0 else TOOLS[::-1]:
            r = one(t)
            if r:
                got[t].append(r)
    return got


def least(runs, key):
    return min((r[key] for r in runs), default=None)


def median(runs, key):
    return statistics.median([r[key] for r in runs]) if runs else None


def ratio(a, b):
    return "%.2f" % (a / b) if a is not None and b else "-"


def both(a, b, form="%.0f"):
    return " / ".join("fails" if x is None else form % x for x in (a, b))


def ms(x):
    return None if x is None else x * 1000


@contextlib.contextmanager
def results(part):
    with open(OUT / "resolve.jsonl", "a") as f:
        yield lambda **kw: print(json.dumps(dict(part=part, load=os.getloadavg()[0], **kw)), file=f, flush=True)


def table(head, rows):
    print("\n| " + " | ".join(head) + " |\n| --- |" + " --: |" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def timed_row(name, got, extra=()):
    """One row of a table of wall time, CPU time and peak memory, with ratios."""
    d, u = got["distill"], got["uv"]
    row = [name]
    for key in ("wall", "cpu"):
        a, b = least(d, key), least(u, key)
        row += [both(ms(a), ms(b)), ratio(a, b)]
    row += [both(ms(median(d, "wall")), ms(median(u, "wall"))), ratio(median(d, "wall"), median(u, "wall"))]
    a, b = least(d, "peak"), least(u, "peak")
    return row + [both(a, b), ratio(a, b), *extra]


HEAD = ["distill, 2 platforms / uv, 1", "best wall ms", "ratio", "best CPU ms", "ratio", "median wall ms", "ratio", "peak MiB", "ratio"]


def warm(tools):
    rows = []
    with results("warm") as keep:
        for name in SETS:
            reqs = HERE / "requirements" / (name + ".in")
            for t in TOOLS:
                tools.run(t, reqs, name)  # fills the cache
            got = alternate(ROUNDS, lambda t: tools.run(t, reqs, name, offline=True))
            keep(set=name, **got)
            rows.append(timed_row(name, got))
            say("warm %s done" % name)
    print("Warm, `--offline`:")
    table(HEAD, rows)


def cold(tools):
    rows = []
    with results("cold") as keep:
        for name in SETS:
            reqs = HERE / "requirements" / (name + ".in")

            def once(t):
                tools.forget(t, "cold")
                return tools.run(t, reqs, "cold")

            def counted(t):
                tools.forget(t, "mirror")
                index.counts()
                r = tools.run(t, reqs, "mirror", index=index.url)
                return r and dict(r, counts=index.counts())

            got = alternate(min(ROUNDS, 2 if name == "boto3" else 3), once)
            with Index("-mode", "mirror") as index:
                seen = alternate(1, counted)
            keep(set=name, mirrored=seen, **got)
            n = [requests(seen[t][0]["counts"]) if seen[t] else None for t in TOOLS]
            rows.append(timed_row(name, got, [both(*n), ratio(*n)]))
            say("cold %s done" % name)
    print("Empty cache, the default index:")
    table(HEAD + ["requests", "ratio"], rows)


def own(tools):
    """Three runs: empty cache, pages still fresh, and pages that are to be asked for again (304)."""
    store = OUT / "recorded"
    rows = {"empty cache": [], "all fresh": [], "all to be revalidated": []}
    with results("own") as keep:
        for name in SETS:
            reqs = HERE / "requirements" / (name + ".in")
            for kind, age, delay in (("empty cache", 600, 10), ("all fresh", 600, 10), ("all to be revalidated", 0, 10)):
                with Index("-mode", "record", "-store", store, "-max-age", str(age), "-delay", "%dms" % delay) as index:
                    for t in TOOLS:
                        tools.forget(t, "own")
                        tools.run(t, reqs, "own", index=index.url)  # records, and fills the cache

                    def once(t):
                        if kind == "empty cache":
                            tools.forget(t, "own")
                        index.counts()
                        r = tools.run(t, reqs, "own", index=index.url)
                        return r and dict(r, counts=index.counts())

                    got = alternate(min(ROUNDS, 3), once)
                keep(set=name, kind=kind, **got)
                n = [requests(got[t][-1]["counts"]) if got[t] else None for t in TOOLS]
                rows[kind].append(timed_row(name, got, [both(*n), ratio(*n)]))
            say("own %s done" % name)
    for kind, body in rows.items():
        print("Index on loopback, answers after 10 ms, %s:" % kind)
        table(HEAD + ["requests", "ratio"], body)


WORLDS = {"wide": (250, 500, 1000, 2000), "lockstep": (250, 500, 1000, 2000, 4000), "tangle": (20, 28, 36, 44)}

LIMIT = 60  # seconds; a tangle of 80 packages takes either tool longer than two minutes


def worlds(tools):
    rows = []
    with results("worlds") as keep:
        for family, sizes in WORLDS.items():
            for n in sizes:
                label = "%s-%d" % (family, n)
                with Index("-mode", "world", "-world", "%s:%d" % (family, n)) as index:
                    reqs = tools.work / (label + ".in")
                    reqs.write_text(index.get("/-/requirements"))

                    def once(t):
                        tools.forget(t, label)
                        return tools.run(t, reqs, label, index=index.url, limit=LIMIT)

                    fresh = alternate(min(ROUNDS, 2), once)
                    again = alternate(min(ROUNDS, 3), lambda t: tools.run(t, reqs, label, True, index.url, LIMIT) if fresh[t] else None)
                keep(set=label, fresh=fresh, again=again)
                cells = [label]
                for got in (fresh, again):
                    for key in ("wall", "cpu"):
                        a, b = (least(got[t], key) for t in TOOLS)
                        cells += [both(ms(a), ms(b)), ratio(a, b)]
                a, b = (least(fresh[t], "peak") for t in TOOLS)
                rows.append(cells + [both(a, b)])
                say("world %s done" % label)
    print("Made-up worlds, index on loopback:")
    table(["distill, 2 platforms / uv, 1", "empty cache, wall ms", "ratio", "CPU ms", "ratio",
           "offline, wall ms", "ratio", "CPU ms", "ratio", "peak MiB"], rows)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    subprocess.run(["go", "build", "-o", OUT / "resolveindex", "./bench/resolveindex"], cwd=ROOT, check=True)
    parts = sys.argv[1:] or ["warm", "cold", "own", "worlds"]
    with tempfile.TemporaryDirectory() as work:
        tools = Tools(work)
        print("%s; %d CPUs, load %s" % (subprocess.run([tools.uv, "--version"], capture_output=True, text=True).stdout.strip(),
                                        os.cpu_count(), " ".join("%.1f" % x for x in os.getloadavg())))
        for part in parts:
            {"warm": warm, "cold": cold, "own": own, "worlds": worlds}[part](tools)
        print("load at the end %s" % " ".join("%.1f" % x for x in os.getloadavg()))


main()
