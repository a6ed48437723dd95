"""table.py RESULTS.jsonl...: the numbers of run.sh as Markdown tables. Of a key that was measured several
times the median is shown."""
import json
import statistics
import sys

TOOLS = [("pip", "Dockerfile, pip"), ("uv", "Dockerfile, uv"), ("uv-same", "Dockerfile, uv, the dev image's versions"),
         ("uv-code", "the same with byte code"), ("distill-plain", "distill --no-compile"), ("distill", "distill"),
         ("distill-max", "distill --trim max"), ("floor", "files that the smoke script opens")]

rows = {}
for path in sys.argv[1:]:
    for line in open(path):
        r = json.loads(line)
        rows.setdefault((r["set"], r["tool"], r["arch"], r["key"]), []).append(r["value"])
sets = list(dict.fromkeys(k[0] for k in rows if k[0] != "-"))
TOOLS = [t for t in TOOLS if any(k[1] == t[0] for k in rows)]


def get(*key):
    values = rows.get(key)
    if not values:
        return None
    return statistics.median(values) if isinstance(values[0], (int, float)) and not isinstance(values[0], bool) else values[-1]


def added(name, tool, arch):
    size, smoke = get(name, tool, arch, "size"), get(name, tool, arch, "smoke")
    if not size:
        return "" if not get(name, tool, arch, "failed") else "does not build"
    return "%.1f%s" % (size["added"] / 1e6, "" if tool == "floor" or (smoke or "").startswith("OK") else ", **fails**")


def ratio(name, tool, other, key):
    """How many times the size or start of one is that of the other, amd64."""
    a, b = get(name, tool, "amd64", key), get(name, other, "amd64", key)
    if not a or not b:
        return ""
    return "%.2f" % (a["added"] / b["added"] if key == "size" else a / b)


def table(head, body):
    print("| " + " | ".join(head) + " |")
    print("| --- |" + " --: |" * (len(head) - 1))
    for row in body:
        print("| " + " | ".join(row) + " |")
    print()


def number(value, form="%.0f"):
    return "" if value is None else form % value


print("Added on top of the base, MB of gzipped layers, amd64 / arm64:\n")
table([""] + sets, [[label] + [" / ".join(x for x in (added(n, t, "amd64"), added(n, t, "arm64")) if x) for n in sets] for t, label in TOOLS])

RATIOS = [("distill-plain", "uv-same", "size", "size without byte code / uv's"), ("distill", "uv-code", "size", "size with byte code / uv's"),
          ("distill-max", "floor", "size", "--trim max / files opened"), ("distill", "pip", "start", "start / pip's"),
          ("distill", "uv-same", "start", "start / uv's without byte code")]
body = [[label] + [ratio(n, a, b, key) for n in sets] for a, b, key, label in RATIOS]
if any(any(r[1:]) for r in body):
    print("Proportions, amd64:\n")
    table([""] + sets, [r for r in body if any(r[1:])])

print("Seconds to build, amd64 / arm64 (in qemu); distill makes both in one run:\n")
body = [[label] + [" / ".join(x for x in (number(get(n, t, a, "build")) for a in ("amd64", "arm64")) if x) for n in sets] for t, label in TOOLS if t in ("pip", "uv", "uv-same", "uv-code")]
for key in "cold", "warm":
    body.append(["distill, %s" % ("empty cache" if key == "cold" else "second run")] +
                [number((get(n, "distill", "both", key) or {}).get("seconds"), "%.1f") for n in sets])
table([""] + sets, body)

print("Versions that differ from the development image's choice (amd64), against distill's:\n")


def differ(name, tool):
    a, b = get(name, tool, "amd64", "size"), get(name, "distill", "amd64", "size")
    if not a or not b:
        return ""
    canon = lambda d: {k.lower().replace("_", "-").replace(".", "-"): v for k, v in d.items()}
    a, b = canon(a["packages"]), canon(b["packages"])
    return str(sum(1 for k in b if k in a and a[k] != b[k]))


table([""] + sets, [[label] + [differ(n, t) for n in sets] for t, label in TOOLS if t in ("pip", "uv", "uv-same", "uv-code")])

print("Container start to the end of the smoke script, seconds, amd64:\n")
table([""] + sets, [[label] + [number(get(n, t, "amd64", "start"), "%.2f") for n in sets] for t, label in TOOLS if t != "floor"])

if any(get(n, "distill", "both", "unpack_1") for n in sets):
    print("A cold run of distill (both platforms) beside decompressing the layers of both development images:\n")
    body = []
    for n in sets:
        cold, one, two = (get(n, "distill", "both", k) for k in ("cold", "unpack_1", "unpack_2"))
        if cold and one and two:
            body.append([n, "%.1f" % cold["seconds"], "%.1f" % cold["cpu"], "%.0f" % (cold["rss"] * 1024 / 1e6),
                         "%.1f" % one, "%.1f" % two, "%.2f" % (cold["seconds"] / one), "%.2f" % (cold["seconds"] / two)])
    table(["", "distill, s", "CPU s", "peak MB", "gzip -dc, one at a time, s", "two at once, s", "ratio to one", "ratio to two"], body)
