"""alone.py [--signal NAME --when TEXT] [--folder DIR]... COMMAND...: runs a command and tells what it leaves behind.

It adopts whatever the command loses, so that a process which outlives it is seen, however often it forked; mounts
below the folders are compared as well. With --signal, that signal goes to the command once a process
below it has TEXT in its command line: SIGKILL to it alone, any other to its group, as a terminal does.
Exits with the command's code, 128 and the signal's number, 98 if TEXT was never seen, or 99 if
something was left."""
import argparse
import ctypes
import os
import signal
import sys
import threading
import time

PR_SET_CHILD_SUBREAPER = 36


def table():
    """Parent and command line of each process."""
    out = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as f:
                parent = int(f.read().rpartition(")")[2].split()[1])
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                out[int(pid)] = parent, f.read().replace(b"\0", b" ").decode(errors="replace")
        except (OSError, IndexError, ValueError):
            pass
    return out


def below(top):
    """The processes below one, as (number, command line)."""
    all_of, found, last = table(), {top}, 0
    while last != len(found):
        last = len(found)
        found |= {p for p, (parent, _) in all_of.items() if parent in found}
    return [(p, all_of[p][1]) for p in sorted(found - {top}) if p in all_of]


def mounts(folders):
    with open("/proc/self/mountinfo") as f:
        points = [line.split()[4] for line in f]
    return sorted(p for p in points if any(p == d or p.startswith(d.rstrip("/") + "/") for d in folders))


def strike(pid, name, text, done, struck):
    number = signal.Signals["SIG" + name]
    while not done.is_set():
        if any(text in line for _, line in below(pid)):
            time.sleep(0.3)
            os.kill(pid, number) if number == signal.SIGKILL else os.killpg(pid, number)
            struck.set()
            return
        time.sleep(0.05)


def leftovers(folders, before):
    """What is there a moment after the end; processes that are just being reaped are not meant."""
    for _ in range(40):
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        left = ["process %d: %s" % p for p in below(os.getpid())]
        left += ["mount: " + m for m in mounts(folders) if m not in before]
        if not left:
            break
        time.sleep(0.05)
    return left


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--signal")
    p.add_argument("--when")
    p.add_argument("--folder", action="append", default=[])
    p.add_argument("command", nargs=argparse.REMAINDER)
    o = p.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = mounts(o.folder)
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.execvp(o.command[0], o.command)
    done, struck = threading.Event(), threading.Event()
    if o.signal:
        threading.Thread(target=strike, args=(pid, o.signal, o.when, done, struck), daemon=True).start()
    _, status = os.waitpid(pid, 0)
    done.set()
    code = os.waitstatus_to_exitcode(status)
    code = code if code >= 0 else 128 - code
    left = leftovers(o.folder, before)
    for text in left:
        print("left behind: " + text, file=sys.stderr)
    for pid, _ in below(os.getpid()):
        os.kill(pid, signal.SIGKILL)
    if left:
        sys.exit(99)
    if o.signal and not struck.is_set():
        print("no process ever had %r in its command line" % o.when, file=sys.stderr)
        sys.exit(98)
    sys.exit(code)


main()
