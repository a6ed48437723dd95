# Compiles modules as an import would: reads path and source of each from stdin, and writes
# what a .pyc holds (PEP 552, unchecked hash) to stdout, or why there is none. Each module
# is compiled by a process of its own that has seen no other one, so that what comes out
# depends on nothing else. It imports only what every interpreter has built in.
import sys
sys.path[:] = [p for p in sys.path if p]
import _imp
import marshal
import posix
import _frozen_importlib_external as importlib

magic = importlib.MAGIC_NUMBER
token = int.from_bytes(magic, "little")
stdin = sys.stdin.buffer


def number(n):
    return n.to_bytes(4, "little")


def text(n):
    data = stdin.read(n)
    if len(data) != n:
        posix._exit(3)
    return data


def answer(kind, data):
    data = kind + number(len(data)) + data
    while data:
        data = data[posix.write(1, data):]


def module(path, source):
    try:
        code = compile(source, path, "exec", dont_inherit=True, optimize=0)
        data = magic + number(1) + _imp.source_hash(token, source) + marshal.dumps(code)
    except Exception as e:
        answer(b"-", ("%s: %s" % (type(e).__name__, e)).encode("utf-8", "replace")[:400])
    else:
        answer(b"+", data)


while True:
    size = stdin.read(4)
    if not size:
        break
    path = text(int.from_bytes(size, "little")).decode("utf-8", "surrogateescape")
    source = text(int.from_bytes(text(4), "little"))
    child = posix.fork()
    if child == 0:
        module(path, source)
        posix._exit(0)
    ended = posix.waitpid(child, 0)[1]
    if ended != 0:
        answer(b"!", b"its compiler ended with status %d" % ended)
