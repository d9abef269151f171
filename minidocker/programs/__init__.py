"""The lab's programs: written once against :class:`minidocker.system.System`, run on both kernels.

In an image a program is an executable file that says ``#!minidocker NAME``. Modules are imported when first run.
"""

from importlib import import_module
from typing import Final

from minidocker.system import Program

MAGIC: Final = b"#!minidocker "

#: Each program's name and the module of this package that has its ``main``.
MODULES: Final[dict[str, str]] = {
    name: name
    for name in (
        "basename", "busybox", "cat", "chgrp", "chmod", "chown", "cp", "cut", "date", "dd", "dirname", "du",
        "echo", "env", "false", "find", "grep", "head", "hexdump", "hostname", "id", "kill", "ln", "ls",
        "mkdir", "mkfifo", "mknod", "mount", "mv", "printf", "ps", "pwd", "readlink", "rm", "rmdir", "sed",
        "seq", "sh", "sha256sum", "sleep", "sort", "stat", "sync", "tail", "tee", "test", "touch", "tr", "true",
        "umount", "uname", "uniq", "wc", "which", "whoami", "xargs", "yes",
    )
} | {"[": "test", "ash": "sh", "egrep": "grep", "fgrep": "grep"}  # fmt: skip


def program_file(name: str) -> bytes:
    """Return the content of the executable file that runs a lab program."""
    return MAGIC + name.encode() + b"\n"


def program_name(header: bytes) -> str | None:
    """Return which lab program an executable's first bytes name, or None if it is no lab program's file."""
    if not header.startswith(MAGIC):
        return None
    return header[len(MAGIC) :].split(b"\n", 1)[0].decode()


def load(name: str) -> "Program | None":
    """Return a program's main function, or None if the lab has no program of that name."""
    module = MODULES.get(name)
    if module is None:
        return None
    main: Program = import_module(f"{__name__}.{module}").main
    return main
