"""A sealed copy of the interpreter: what /proc/PID/exe of the helper and of the lab's tasks leads to.

A task of the lab is this interpreter, so its /proc/PID/exe would be the host's own binary, which root in a container
could open, wait until nobody runs it, and write: CVE-2019-5736 did that to runc. runc's answer, and this one: run a
copy in memory, sealed so that nobody, root included, can ever change it (memfd_create(2), fcntl(2) F_ADD_SEALS).
"""

import fcntl
import os
from pathlib import Path
from typing import Final

_MFD_EXEC: Final = 0x10
_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def interpreter(path: str) -> tuple[int, dict[str, str]]:
    """Return a descriptor of a sealed copy of an executable, and what its environment needs to find its libraries.

    OSError where the host allows no such thing (vm.memfd_noexec).
    """
    real = Path(path).resolve()
    data = real.read_bytes()
    fd = _memfd(real.name)
    try:
        os.ftruncate(fd, len(data))
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(fd)
        raise
    # The loader takes $ORIGIN from where the executable lies, and in memory that is nowhere.
    return fd, {"LD_LIBRARY_PATH": str(real.parent.parent / "lib")} if b"$ORIGIN" in data else {}


def _memfd(name: str) -> int:
    """Make a file in memory that may be executed; older kernels do not know that one could want otherwise."""
    try:
        return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING | _MFD_EXEC)
    except OSError:
        return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
