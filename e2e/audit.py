#!/usr/bin/env python3
"""Compare distill audit with pip-audit and with the evaluation that the OSV schema describes.

    e2e/audit.py DISTILL OSV_ZIP pip-audit PIP_AUDIT PYLOCK...
    e2e/audit.py DISTILL OSV_ZIP all

OSV_ZIP is an export of OSV for PyPI (all.zip). The first form gives the same records to both programs,
to pip-audit through a small OSV service, and asks that whatever pip-audit reports is reported. The second
one makes a lock of every version at, before and behind each boundary of all records, and asks for exactly the
answers of the algorithm in the schema's documentation, here written again with the packaging library.
"""
import functools, http.server, json, os, re, shutil, subprocess, sys, tempfile, threading, zipfile
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

ORDER = {"introduced": 0, "last_affected": 1, "fixed": 2, "limit": 3}


@functools.lru_cache(None)
def parsed(text):
    try:
        return Version(text)
    except InvalidVersion:
        return None


class Database:
    def __init__(self, path):
        self.by_name = {}
        with zipfile.ZipFile(path) as z:
            for n in z.namelist():
                if n.endswith(".json"):
                    r = json.loads(z.read(n))
                    for a in r.get("affected", []):
                        if a.get("package", {}).get("ecosystem") == "PyPI":
                            self.by_name.setdefault(canonicalize_name(a["package"]["name"]), {})[r["id"]] = r

    def find(self, name, text):
        name, v = canonicalize_name(name), parsed(text)
        return [r for r in self.by_name.get(name, {}).values() if not r.get("withdrawn") and affects(r, name, v)]


def affects(record, name, v):
    for a in record["affected"]:
        p = a.get("package", {})
        if p.get("ecosystem") != "PyPI" or canonicalize_name(p["name"]) != name:
            continue
        if any(parsed(t) == v for t in a.get("versions") or []):
            return True
        if any(r["type"] == "ECOSYSTEM" and in_range(r["events"], v) for r in a.get("ranges") or []):
            return True
    return False


def in_range(events, v):
    # What is no version of PEP 440 must hide nothing: as a beginning it is the first version, as an end it is none.
    flat = [(k, t) for e in events for k, t in e.items() if k in ORDER and (k == "introduced" or t == "*" or parsed(t))]
    limits = [t for k, t in flat if k == "limit"]
    if limits and not any(t == "*" or v < parsed(t) for t in limits):
        return False
    first = lambda k, t: k == "introduced" and (t == "0" or not parsed(t))
    vulnerable = False
    for k, t in sorted(flat, key=lambda e: (not first(*e), parsed(e[1]) or parsed("0"), ORDER[e[0]])):
        if k == "introduced" and (first(k, t) or v >= parsed(t)):
            vulnerable = True
        elif k == "fixed" and v >= parsed(t) or k == "last_affected" and v > parsed(t):
            vulnerable = False
    return vulnerable


def service(db):
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def answer(self, body):
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self):
            wanted = self.path.rsplit("/", 1)[1]
            self.answer(next(r for rs in db.by_name.values() for i, r in rs.items() if i == wanted))

        def do_POST(self):
            q = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            find = lambda q: db.find(q["package"]["name"], q["version"])
            if self.path.endswith("querybatch"):
                self.answer({"results": [{"vulns": [{"id": r["id"]} for r in find(x)]} for x in q["queries"]]})
            else:
                found = find(q)
                self.answer({"vulns": found} if found else {})

    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    return "http://127.0.0.1:%d" % s.server_port


def distill(program, lock, *flags):
    p = subprocess.run([program, "audit", lock, "--no-index", "--json", "-q", *flags], capture_output=True, text=True)
    if p.returncode not in (0, 1):
        sys.exit(p.stderr)
    return [f for f in json.loads(p.stdout)["findings"] if f["code"] == "vulnerable"]


def compare(program, zip_path, pip_audit, locks):
    url = service(Database(zip_path))
    missed = 0
    for lock in locks:
        with tempfile.TemporaryDirectory() as d:
            shutil.copy(lock, os.path.join(d, "pylock.toml"))
            p = subprocess.run([pip_audit, "--locked", "-s", "osv", "--osv-url", url + "/v1/query", "-f", "json",
                                "--cache-dir", d + "/cache", "--progress-spinner", "off", d], capture_output=True, text=True)
        if not p.stdout.startswith("{"):
            sys.exit(p.stderr)
        theirs = [(canonicalize_name(x["name"]), x["version"], {v["id"], *v["aliases"]})
                  for x in json.loads(p.stdout)["dependencies"] for v in x.get("vulns", [])]
        for how, flags in (("disk", ("--osv-db", zip_path)), ("service", ("--osv-url", url))):
            ours = [(f["package"], f["version"], {f["id"], *f.get("aliases", [])}) for f in distill(program, lock, *flags)]
            gone = [t for t in theirs if not any(t[0] == o[0] and Version(t[1]) == Version(o[1]) and t[2] & o[2] for o in ours)]
            more = [o for o in ours if not any(t[0] == o[0] and Version(t[1]) == Version(o[1]) and t[2] & o[2] for t in theirs)]
            missed += len(gone)
            print("%-30s %-8s pip-audit %4d  distill %4d  missed %d  only distill %d" % (os.path.basename(lock), how, len(theirs), len(ours), len(gone), len(more)))
            for t in gone:
                print("  missed:", *t)
    return missed


def everything(program, zip_path):
    db = Database(zip_path)
    pairs = set()
    for name, records in db.by_name.items():
        for r in records.values():
            for a in r["affected"]:
                texts = [t for x in a.get("ranges") or [] for e in x["events"] for t in e.values() if x["type"] == "ECOSYSTEM"]
                texts += (a.get("versions") or [])[:20]
                for v in filter(None, map(parsed, texts)):
                    pairs.update((name, str(w)) for w in (v, parsed(v.base_version + ".post9"), parsed(v.base_version + "a1"),
                                                           parsed(v.base_version + ".0.1"), parsed(v.base_version + ".dev0")) if w)
    # One entry for each version of a name; a lock with several of one name is odd, but is read.
    text = ['lock-version = "1.0"', 'created-by = "audit.py"']
    for name, v in sorted(pairs):
        text += ["[[packages]]", 'name = "%s"' % name, 'version = "%s"' % v,
                 'archive = { url = "https://example.org/x.tar.gz", hashes = { sha256 = "%s" } }' % ("0" * 64)]
    with tempfile.TemporaryDirectory() as d:
        lock = os.path.join(d, "pylock.toml")
        with open(lock, "w") as f:
            f.write("\n".join(text) + "\n")
        ours = distill(program, lock, "--osv-db", zip_path)
    got = {}
    for f in ours:
        got.setdefault((f["package"], f["version"]), set()).update([f["id"], *f.get("aliases", [])])
    missed = extra = affected = 0
    for name, v in sorted(pairs):
        want = {r["id"] for r in db.find(name, v)}
        have = got.get((name, v), set())
        known = set(db.by_name[name])
        aliases = {a for r in db.by_name[name].values() if r["id"] in want for a in r.get("aliases", [])}
        affected += bool(want)
        missed += len(want - have)
        extra += len((have & known) - want - aliases)
        if want - have:
            print("missed:", name, v, want - have)
        if (have & known) - want - aliases:
            print("extra:", name, v, (have & known) - want - aliases)
    print("%d versions of %d projects, %d of them affected: missed %d, too much %d" % (len(pairs), len(db.by_name), affected, missed, extra))
    return missed + extra


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    if sys.argv[3] == "all":
        sys.exit(everything(sys.argv[1], sys.argv[2]) > 0)
    sys.exit(compare(sys.argv[1], sys.argv[2], sys.argv[4], sys.argv[5:]) > 0)
