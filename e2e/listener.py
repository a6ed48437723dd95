"""listener.py PORT SOCKET HEARD: listens on loopback (TCP and UDP, both families), on an abstract socket and on one in
a folder; each connection and packet is a line in HEARD. Prints "ready" when all of them are open."""
import os
import selectors
import socket
import sys


def main(port, path, heard):
    port, s = int(port), selectors.DefaultSelector()
    for family, address in ((socket.AF_INET, ("127.0.0.1", port)), (socket.AF_INET6, ("::1", port)),
                            (socket.AF_UNIX, "\0distill-attack-%d" % port), (socket.AF_UNIX, path)):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            if family == socket.AF_UNIX and kind == socket.SOCK_DGRAM:
                continue
            try:
                one = socket.socket(family, kind)
                one.bind(address)
            except OSError as e:
                if family != socket.AF_INET6:  # not every machine has it
                    raise
                print(e, file=sys.stderr)
                continue
            if kind == socket.SOCK_STREAM:
                one.listen()
            s.register(one, selectors.EVENT_READ, "%s %r" % (kind.name, address))
    os.chmod(path, 0o777)
    open(heard, "w").close()
    print("ready", flush=True)
    while True:
        for key, _ in s.select():
            if key.fileobj.type == socket.SOCK_STREAM:
                key.fileobj.accept()[0].close()
            else:
                key.fileobj.recv(1 << 16)
            with open(heard, "a") as f:
                print(key.data, file=f)


main(*sys.argv[1:])
