# Builds one wheel, as PEP 517 says, inside the sandbox: unpacks the archive, asks the
# back end what else it needs, and lets it work. Started with -S: only the standard
# library and the build requirements beside this file are there.
import importlib
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def unpack(archive, to):
    """Unpacks a source archive and returns the folder that holds all of it."""
    os.mkdir(to)
    if archive.endswith(".zip"):
        import zipfile
        with zipfile.ZipFile(archive) as z:
            z.extractall(to)
    else:
        import tarfile
        with tarfile.open(archive) as t:
            if hasattr(tarfile, "data_filter"):
                t.extractall(to, filter="data")
            else:
                t.extractall(to)
    tops = os.listdir(to)
    if len(tops) != 1 or not os.path.isdir(os.path.join(to, tops[0])):
        sys.exit("the archive holds not one folder, but: " + " ".join(sorted(tops)[:10]))
    return os.path.join(to, tops[0])


def finish(**result):
    with open(os.path.join(HERE, "out", "result.json"), "w") as f:
        json.dump(result, f)
    sys.exit(0)


def main():
    os.umask(0o022)
    with open(os.path.join(HERE, "task.json")) as f:
        task = json.load(f)
    source = unpack(os.path.join(HERE, "in", task["source"]), os.path.join(HERE, "src"))
    os.chdir(source)
    sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != HERE]
    sys.path[:0] = [os.path.join(source, p) for p in task["backend_path"]]
    module, _, attributes = task["backend"].partition(":")
    backend = importlib.import_module(module)
    for name in filter(None, attributes.split(".")):
        backend = getattr(backend, name)
    ask = getattr(backend, "get_requires_for_build_wheel", None)
    requires = list(ask() if ask else ())
    if set(requires) - set(task["asked"]):
        finish(requires=sorted(set(requires)))
    finish(requires=requires, wheel=backend.build_wheel(os.path.join(HERE, "out")))


main()
