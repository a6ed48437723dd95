# Read by every Python that a build starts, the one of env/bin's scripts included: shows it
# the build requirements, their .pth files too, and nothing else that the image has installed.
import os
import site
import sys


def is_ours(path):
    """Tells whether an entry of sys.path is the standard library or the build's."""
    name = os.path.basename(path)
    return (path.startswith(BUILD + os.sep) or path.endswith(".zip") or name == "lib-dynload"
            or name.startswith("python") and "-packages" not in path)


BUILD = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:] = [p for p in sys.path if is_ours(p)]
site.addsitedir(os.path.join(BUILD, "env"))
