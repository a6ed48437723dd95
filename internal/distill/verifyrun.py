# Imports modules and writes one line of JSON for each to what was standard output.
# Runs in the image, by its own Python (3.6 or newer): uses no more of the standard
# library than it must. The modules share a process, unless one of them ends it; one
# that fails is tried again in a process of its own.
import json
import os
import signal
import sys

job = json.load(sys.stdin)
out = os.dup(1)
log = job["log"]
if sys.path and sys.path[0] == "":
    del sys.path[0]


def say(to, **what):
    data = (json.dumps(what) + "\n").encode()
    while data:
        data = data[os.write(to, data):]


def tail(text):
    return text[-2000:]


def attempt(module):
    try:
        __import__(module)
        return {"module": module, "ok": True}
    except BaseException as e:
        kinds = [t.__name__ for t in type(e).__mro__ if t not in (object, BaseException, Exception)]
        name = getattr(e, "name", None)
        top = name.split(".")[0] if isinstance(name, str) else ""
        standard = top in sys.builtin_module_names or top in getattr(sys, "stdlib_module_names", ())
        try:
            text = str(e)
        except Exception:
            text = ""
        return {"module": module, "ok": False, "kinds": kinds, "missing": name if "ModuleNotFoundError" in kinds else None,
                "standard": standard, "custom": type(e).__module__ != "builtins", "text": tail(text)}


def child(modules, to):
    sink = os.open(log, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    for fd in (0, 1, 2):
        os.dup2(sink, fd)
    try:
        import faulthandler
        faulthandler.enable()
    except Exception:
        pass
    for m in modules:
        say(to, start=m)
        signal.alarm(job["seconds"])
        result = attempt(m)
        signal.alarm(0)
        say(to, **result)


def batch(modules):
    """Imports modules in one new process; returns their results and how it ended."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(r)
            child(modules, w)
        finally:
            os._exit(0)
    os.close(w)
    data = b""
    while True:
        part = os.read(r, 65536)
        if not part:
            break
        data += part
    os.close(r)
    status = os.waitpid(pid, 0)[1]
    results, started = {}, None
    for line in data.decode("utf-8", "replace").splitlines():
        try:
            got = json.loads(line)
        except ValueError:
            continue
        if "start" in got:
            started = got["start"]
        else:
            results[got["module"]] = got
    if started in results:
        started = None
    if started is not None:
        try:
            with open(log, "rb") as f:
                text = f.read()[-2000:].decode("utf-8", "replace")
        except OSError:
            text = ""
        results[started] = {"module": started, "ok": False, "signal": status & 127, "code": status >> 8, "text": text}
    return results


todo = list(job["modules"])
while todo:
    results = batch(todo)
    if not results:
        results = {todo[0]: {"module": todo[0], "ok": False, "text": "its process ended early"}}
    for m in [m for m in todo if m in results]:
        result = results[m]
        if not result["ok"] and len(todo) > 1:
            result = batch([m]).get(m, result)
        say(out, **result)
    todo = [m for m in todo if m not in results]
