# The back end of hostile source archives: each attack is a function. One that does not
# end the build gives a wheel, or fails with what it reached.
import ctypes
import glob
import hashlib
import base64
import os
import signal
import socket
import sys
import threading
import time
import zipfile

NAME = "demo-1.0-py3-none-any.whl"
reached = []


def attempt(what, step):
    try:
        step()
    except Exception as e:
        print("%s: %r" % (what, e))
    else:
        reached.append(what)


def good(path, name="demo", version="1.0", extra=()):
    """Makes a correct wheel."""
    info = "%s-%s.dist-info/" % (name, version)
    entries = [("demo.py", "x = 1\n"), (info + "METADATA", "Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (name, version)),
               (info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")] + list(extra)
    record = ""
    with zipfile.ZipFile(path, "w") as z:
        for n, text in entries:
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
            record += "%s,sha256=%s,%d\n" % (n, digest, len(text))
            z.writestr(n, text)
        z.writestr(info + "RECORD", record + info + "RECORD,,\n")


def writes_outside(out):
    names = ["/distill-evil", "/etc/distill-evil", "/usr/lib/distill-evil", "/root/distill-evil", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger",
             "/proc/1/oom_score_adj", "/dev/sda", "/dev/kmsg", "/dev/mem", "/sys/distill-evil", "/usr/bin/python3.11", "/proc/1/root/distill-evil", "/proc/1/cwd/distill-evil"]
    for name in names:
        if name.startswith("/dev/"):  # where a user may make files, in memory
            attempt("opened " + name, lambda: os.close(os.open(name, os.O_WRONLY)))
        else:
            attempt("wrote " + name, lambda: open(name, "a").close())
    attempt("mknod", lambda: os.mknod(os.path.join(out, "disk"), 0o60666, os.makedev(8, 0)))
    attempt("chown", lambda: os.chown(out, 0, 0))
    attempt("chroot", lambda: os.chroot(out))
    attempt("setuid", lambda: os.setuid(0))
    libc = ctypes.CDLL(None, use_errno=True)
    for what, call in (("mount", lambda: libc.mount(b"tmpfs", b"/build", b"tmpfs", 0, None)), ("unshare user", lambda: libc.unshare(0x10000000)),
                       ("unshare mount", lambda: libc.unshare(0x20000)), ("umount", lambda: libc.umount2(b"/build", 2)), ("bpf", lambda: libc.syscall(321, 0, None, 0)),
                       ("io_uring", lambda: libc.syscall(425, 8, None))):
        attempt(what, lambda: check(call() >= 0))


def check(ok):
    if not ok:
        raise OSError(ctypes.get_errno(), "denied")


def opens_sockets(out):
    tcp, abstract, path = os.environ["EVIL_TCP"], os.environ["EVIL_ABSTRACT"], os.environ["EVIL_PATH"]
    host, port = tcp.rsplit(":", 1)
    attempt("tcp", lambda: socket.create_connection((host, int(port)), 2))
    attempt("a name server", lambda: socket.create_connection(("1.1.1.1", 53), 2))
    attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("1.1.1.1", 53)))
    attempt("a name", lambda: socket.getaddrinfo("example.org", 80))
    attempt("abstract", lambda: socket.socket(socket.AF_UNIX).connect("\0" + abstract))
    attempt("unix", lambda: socket.socket(socket.AF_UNIX).connect(path))
    attempt("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
    attempt("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
    attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM).connect((2, 1024)))


def reads_around(out):
    for name in os.environ:
        if name in ("TOKEN", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK"):
            reached.append("environment " + name)
    if os.listdir(os.path.expanduser("~")):
        reached.append("home")
    for name in glob.glob("/proc/[0-9]*/environ"):
        if b"distill-secret" in read(name):
            reached.append(name)
    for name in ("/proc/1/root/root/.ssh", "/proc/1/cwd", os.environ["EVIL_FILE"], "/proc/1/root" + os.environ["EVIL_FILE"]):
        attempt("read " + name, lambda: os.stat(name) if name.endswith("secret") else os.listdir(name))
    for n in list(range(3, 50)):
        attempt("descriptor %d" % n, lambda: os.fstat(n))
    own = {int(p) for p in os.listdir("/proc") if p.isdigit()}
    if len(own) > 20:
        reached.append("%d processes" % len(own))
    libc = ctypes.CDLL(None, use_errno=True)
    attempt("ptrace 1", lambda: check(libc.ptrace(16, 1, 0, 0) == 0))


def read(name):
    try:
        with open(name, "rb") as f:
            return f.read()
    except OSError:
        return b""


def forks(out):
    while True:
        try:
            os.fork()
        except OSError:
            pass


def starts_threads(out):
    while True:
        try:
            threading.Thread(target=time.sleep, args=(1000,)).start()
        except RuntimeError:
            time.sleep(0.01)


def fill(folder, keep=lambda f, name: f.close()):
    os.makedirs(folder, exist_ok=True)
    held = []
    for i in range(60):
        name = os.path.join(folder, str(i))
        f = open(name, "wb", 0)
        for _ in range(10):
            f.write(b"x" * 1000000)
        held.append(keep(f, name))
        time.sleep(0.01)
    time.sleep(1)
    reached.append("600 MB in " + folder)


def fills_disk(out):
    fill(os.path.join(out, "big"))


def fills_tmp(out):
    fill("/tmp/big")


def fills_shm(out):
    fill("/dev/shm/big")


def fills_one_file(out):
    with open(os.path.join(out, "big"), "wb", 0) as f:
        for _ in range(600):
            f.write(b"x" * 1000000)
    reached.append("600 MB in a file")


def fills_deep(out):
    for _ in range(60):
        os.mkdir("d" * 100)
        os.chdir("d" * 100)
    fill("big")


def fills_unseen(out):
    def keep(f, name):
        os.unlink(name)
        return f
    fill(os.path.join(out, "big"), keep)


def fills_locked(out):
    os.mkdir("locked")
    here = os.open("locked", os.O_RDONLY)
    os.chmod("locked", 0o300)
    os.chdir(here)
    fill("big")


def fills_memory(out):
    held = []
    while True:
        held.append(b"x" * 10000000)


def fills_memory_shared(out):
    import mmap
    held = []
    for _ in range(80):
        m = mmap.mmap(-1, 10000000)
        m.write(b"x" * 10000000)
        held.append(m)
        time.sleep(0.01)
    time.sleep(1)
    reached.append("800 MB of shared memory")


def fills_memory_unmapped(out):
    for _ in range(80):
        os.write(os.memfd_create("evil"), b"x" * 10000000)
        time.sleep(0.01)
    time.sleep(1)
    reached.append("800 MB of a file in memory")


def fills_memory_segments(out):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    for _ in range(80):
        n = libc.shmget(0, 10000000, 0o1600)
        check(n >= 0)
        at = libc.shmat(n, None, 0)
        ctypes.memset(at, 1, 10000000)
        libc.shmdt(ctypes.c_void_p(at))
        time.sleep(0.01)
    time.sleep(1)
    reached.append("800 MB of segments")


def sleeps(out):
    for s in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(s, signal.SIG_IGN)
    time.sleep(10000)


def spins(out):
    os.setsid()
    while True:
        pass


def kills(out):
    attempt("killed 1", lambda: os.kill(1, 9) or time.sleep(0.5) or check(not os.path.exists("/proc/1")))
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(10000)


def kills_all(out):
    os.kill(-1, signal.SIGKILL)
    time.sleep(10000)


def stops_parent(out):
    os.kill(os.getppid(), signal.SIGSTOP)
    time.sleep(10000)


def leaves_a_daemon(out):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            null = os.open("/dev/null", os.O_RDWR)
            if "hold" not in sys.argv:
                for n in (0, 1, 2):
                    os.dup2(null, n)
            while True:
                with open("/build/alive", "a") as f:
                    f.write("x")
        os._exit(0)
    os.wait()
    while not os.path.exists("/build/alive"):
        time.sleep(0.01)


def holds_output(out):
    if os.fork() == 0:
        os.setsid()
        time.sleep(10000)


def ends_early(out):
    os._exit(0)


def prints(out):
    os.write(1, b"\x1b]0;evil\x07\x1b[2J\xc2\x9b31m\xe2\x80\xae\r")
    line = b"\x1b[31m" + b"x" * 100000 + b"\n"
    for _ in range(1000):
        os.write(1, line)


def leaves_link(out):
    os.symlink("/etc/passwd", os.path.join(out, NAME))
    return NAME


def leaves_fifo(out):
    os.mkfifo(os.path.join(out, NAME))
    return NAME


def leaves_socket(out):
    socket.socket(socket.AF_UNIX).bind(os.path.join(out, NAME))
    return NAME


def leaves_folder(out):
    os.mkdir(os.path.join(out, NAME))
    return NAME


def leaves_huge(out):
    with open(os.path.join(out, NAME), "wb") as f:
        try:
            f.truncate(5 << 30)
        except OSError:
            f.truncate(100 << 20)
    return NAME


def leaves_bomb(out):
    good(os.path.join(out, NAME))
    with zipfile.ZipFile(os.path.join(out, NAME), "a", zipfile.ZIP_DEFLATED) as z:
        z.writestr("../../etc/evil", "x")
    return NAME


def leaves_other(out):
    good(os.path.join(out, "other-1.0-py3-none-any.whl"), "other")
    return "other-1.0-py3-none-any.whl"


def leaves_newer(out):
    good(os.path.join(out, "demo-2.0-py3-none-any.whl"), "demo", "2.0")
    return "demo-2.0-py3-none-any.whl"


def leaves_disguised(out):
    good(os.path.join(out, NAME), "other")
    return NAME


def leaves_nothing(out):
    return NAME


def leaves_path(out):
    return "../../../etc/passwd"


def leaves_number(out):
    return 7


def lies(out):
    """Replaces what the driver says when it is done."""
    good(os.path.join(out, NAME))
    if os.fork() == 0:
        os.setsid()
        while True:
            with open("/build/out/result.json", "w") as f:
                f.write('{"wheel": "/etc/passwd", "requires": 7}')
    time.sleep(0.5)
    return NAME


def links_result(out):
    good(os.path.join(out, NAME))
    os.symlink("/build/out/target", "/build/out/result.json")
    return NAME


def moves_out(out):
    good(os.path.join(out, NAME))
    os.rename(out, out + ".old")
    os.symlink("/etc", out)
    return NAME


def locks(out):
    good(os.path.join(out, NAME))
    os.mkdir("/build/src/locked")
    os.mkdir("/build/src/locked/in")
    os.chmod("/build/src/locked", 0)
    os.chmod("/build/src", 0)
    return NAME


def build_wheel(out, config_settings=None, metadata_directory=None):
    with open("attack") as f:
        attack = f.read().strip()
    name = globals()[attack](out)
    if reached:
        sys.exit("reached: " + ", ".join(reached))
    if name is None:
        good(os.path.join(out, NAME))
        name = NAME
    return name
