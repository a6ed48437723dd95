# Runs the hooks of PEP 517 for one source archive, inside the sandbox, and leaves what
# they answer in out/result.json. Started with -S: besides the standard library there are
# only the build requirements in the folder env. Runs on Python 3.6 and newer.
import importlib
import json
import os
import shutil
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "out")
ANSWER = os.path.join(OUT, "answer.json")


def unpack(archive, to):
    """Unpacks a source archive and returns the folder with its content."""
    os.mkdir(to)
    if archive.endswith(".zip"):
        unpack_zip(archive, to)
    else:
        unpack_tar(archive, to)
    tops = os.listdir(to)
    if len(tops) == 1 and os.path.isdir(os.path.join(to, tops[0])):
        return os.path.join(to, tops[0])
    if not tops:
        sys.exit("the source archive is empty")
    return to  # no common top folder: what pip takes for the source, too


def inside(name):
    """Returns the local form of an archive's path, None if it leads elsewhere."""
    parts = [p for p in name.replace("\\", "/").split("/") if p not in ("", ".")]
    if name.startswith("/") or ".." in parts or not parts:
        return None
    return "/".join(parts)


def unpack_tar(archive, to):
    import tarfile
    links = []
    with tarfile.open(archive) as t:
        for m in t:
            name = inside(m.name)
            if name is None and m.isdir():
                continue
            if name is None or not (m.isfile() or m.isdir() or m.issym() or m.islnk()):
                print("not unpacked: %r" % m.name)
                continue
            path = os.path.join(to, name)
            if m.isdir():
                os.makedirs(path, exist_ok=True)
                continue
            if m.issym() or m.islnk():
                links.append((m.issym(), m.name, path, m.linkname))
                continue
            with t.extractfile(m) as content:
                write(path, content, m.mode & 0o111, m.mtime)
    for symbolic, name, path, target in links:
        make_link(symbolic, name, path, target, to)


def make_link(symbolic, name, path, target, to):
    """Makes a link of an archive once its files are there."""
    if os.path.isdir(path) and not os.path.islink(path):
        print("not unpacked: %r, a link where other files have a folder" % name)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path):
        os.unlink(path)
    if symbolic:
        os.symlink(target, path)
        return
    first = inside(target)
    if first is None or not os.path.isfile(os.path.join(to, first)):
        print("not unpacked: %r, a link to %r" % (name, target))
        return
    # A copy: a back end that changes one of the two does not mean the other one.
    shutil.copy2(os.path.join(to, first), path)


def unpack_zip(archive, to):
    import zipfile
    with zipfile.ZipFile(archive) as z:
        for m in z.infolist():
            name = inside(m.filename)
            if name is None:
                print("not unpacked: %r" % m.filename)
            elif m.filename.endswith("/"):
                os.makedirs(os.path.join(to, name), exist_ok=True)
            else:
                with z.open(m) as content:
                    stamp = time.mktime(m.date_time + (0, 0, 0))  # TZ is UTC
                    write(os.path.join(to, name), content, m.external_attr >> 16 & 0o111, stamp)


def write(path, content, executable, stamp):
    """Writes one file with modes that let a build change it, as pip does."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path):
        os.unlink(path)
    with open(path, "wb") as f:
        shutil.copyfileobj(content, f)
    os.chmod(path, 0o755 if executable else 0o644)
    os.utime(path, (stamp, stamp))


def in_child(step, task):
    """Returns the answer of a step that runs in a process of its own, as each hook must."""
    if os.path.lexists(ANSWER):
        os.unlink(ANSWER)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        steady_names()
        answer = step(load(task), task)
        with open(ANSWER, "w") as f:
            json.dump(answer, f)
        sys.exit(0)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        print("the build was killed by signal %d" % os.WTERMSIG(status))
        sys.exit(128 + os.WTERMSIG(status))
    if os.WEXITSTATUS(status):
        sys.exit(os.WEXITSTATUS(status))
    try:
        with open(ANSWER) as f:
            return json.load(f)
    except OSError:
        # os._exit(0), or exit() in a setup.py: a success that is none
        sys.exit("the back end ended the process without an answer")


def steady_names():
    """Makes the names of temporary folders the same in each build: meson-python and
    scikit-build-core compile in one, and compilers write its path down."""
    import itertools
    import tempfile
    tempfile._name_sequence = map("{:08d}".format, itertools.count())


def load(task):
    sys.path[:0] = [os.path.abspath(p) for p in task["backend_path"]]
    module, _, attributes = task["backend"].partition(":")
    backend = importlib.import_module(module)
    for name in filter(None, attributes.split(".")):
        backend = getattr(backend, name)
    return backend


def ask(backend, task):
    hook = getattr(backend, "get_requires_for_build_wheel", None)
    return [str(r) for r in (hook() if hook else ())]


def metadata(backend, task):
    hook = getattr(backend, "prepare_metadata_for_build_wheel", None)
    if not hook:
        return {"wheel": wheel(backend, task)["wheel"]}
    folder = os.path.join(HERE, "metadata")
    os.mkdir(folder)
    shutil.copyfile(os.path.join(folder, hook(folder), "METADATA"), os.path.join(OUT, "METADATA"))
    return {"metadata": True}


def wheel(backend, task):
    watch_setup_requires()
    try:
        return {"wheel": os.path.basename(backend.build_wheel(OUT))}
    except MissingRequires as e:
        return {"requires": e.requires}


class MissingRequires(BaseException):
    """Is raised in place of going on without what a setup.py asks for."""

    def __init__(self, requires):
        self.requires = requires


def watch_setup_requires():
    """Makes setuptools tell of the setup_requires that a setup.py names only when it
    builds, and not when it is asked (h5py 2 looks for egg_info in its arguments).
    setuptools itself passes over them while it builds."""
    try:
        import setuptools
        from setuptools import build_meta
        quiet = build_meta.no_install_setup_requires
    except (ImportError, AttributeError):
        return
    import contextlib

    def check(attrs):
        wanted = attrs.get("setup_requires") or []
        if isinstance(wanted, str):
            wanted = wanted.splitlines()
        missing = [r for r in map(str.strip, wanted) if r and not installed(r)]
        if missing:
            raise MissingRequires(missing)

    @contextlib.contextmanager
    def watched():
        with quiet():
            setuptools._install_setup_requires = check
            yield

    build_meta.no_install_setup_requires = watched


def installed(requirement):
    """Tells whether a project is among the build requirements, or none of this Python."""
    import re
    name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    if not name or ";" in requirement and not applies(requirement):
        return True

    def plain(s):
        return re.sub("[-_.]+", "-", s).lower()

    folder = os.path.join(HERE, "env")
    return any(plain(n.split("-")[0]) == plain(name.group()) for n in os.listdir(folder) if n.endswith(".dist-info"))


def applies(requirement):
    try:
        from setuptools._vendor.packaging.markers import Marker
    except ImportError:
        return False
    return Marker(requirement.split(";", 1)[1]).evaluate()


def finish(result):
    path = os.path.join(OUT, "result.json")
    if os.path.lexists(path) and not os.path.isdir(path):
        os.unlink(path)  # a pipe would be waited for
    with open(os.path.join(OUT, "result.json"), "w") as f:
        json.dump(result, f)


def main():
    os.umask(0o022)
    for name in list(os.environ):  # which tracing BuildKit daemons add
        if name.startswith("OTEL_") or name in ("TRACEPARENT", "TRACESTATE"):
            del os.environ[name]
    with open(os.path.join(HERE, "task.json")) as f:
        task = json.load(f)
    source = unpack(os.path.join(HERE, "in", task["source"]), os.path.join(HERE, "src"))
    os.chdir(source)
    sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != HERE]
    import site
    import sitecustomize  # ours: the build requirements
    for name in ("setquit", "setcopyright", "sethelper"):  # what -S leaves out, exit() among it
        getattr(site, name)()
    result = {}
    if task["hook"] == "requires" or task["asked"] is None:
        result["requires"] = in_child(ask, task)
        if task["hook"] == "requires" or result["requires"]:
            return finish(result)
    result.update(in_child(metadata if task["hook"] == "metadata" else wheel, task))
    finish(result)


if __name__ == "__main__":
    main()
