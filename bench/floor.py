"""floor.py TRACE ROOT BASE: bytes of a gzipped layer with the files that a traced program opened in ROOT and
that BASE lacks: the least that any image which runs it adds. TRACE is of `strace -y -e openat,execve,readlink`,
which names what a call opened behind its result: openat(...) = 3</path>."""
import gzip
import io
import os
import re
import sys
import tarfile

trace, root, base = sys.argv[1:]
OPENED = re.compile(r'= \d+<([^>]+)>$')
NAMED = re.compile(r'(?:execve|readlink)\("([^"]+)".* = [0-9]+')
paths = set()
for line in open(trace, errors="replace"):
    match = OPENED.search(line.rstrip()) or NAMED.search(line)
    if match:
        path = match[1]
        paths.add(path[len(root):] if path.startswith(root) else path)


class Counter(io.RawIOBase):
    size = 0

    def writable(self):
        return True

    def write(self, data):
        self.size += len(data)
        return len(data)


count = Counter()
with gzip.GzipFile(fileobj=count, mode="wb", compresslevel=7, mtime=0) as z, tarfile.open(fileobj=z, mode="w|") as tar:
    for path in sorted(paths):
        if os.path.isfile(root + path) and not os.path.lexists(base + path):
            tar.add(root + path, path.lstrip("/"), recursive=False)
print(count.size)
