"""The lab's programs: written once against :class:`minidocker.system.System`, run on both kernels.

In an image a program is an executable file that says ``#!minidocker NAME``. Modules are imported when first run.
"""

import posixpath
from importlib import import_module
from typing import Final

from minidocker.programs.stdio import WriteError, complain, reason
from minidocker.system import Program, System

MAGIC: Final = b"#!minidocker "

#: Each program's name and the module of this package that has its ``main``.
MODULES: Final[dict[str, str]] = {
    name: name
    for name in (
        "basename", "busybox", "cat", "chgrp", "chmod", "chown", "cp", "cut", "date", "dd", "dirname", "du", "echo",
        "env", "false", "find", "grep", "head", "hexdump", "hostname", "id", "ifconfig", "ip", "ipcmk", "ipcrm",
        "ipcs", "kill", "ln", "ls", "mkdir", "mkfifo", "mknod", "mount", "mv", "nc", "nproc", "nsenter", "ping",
        "printf", "ps", "pwd", "readlink", "rm", "rmdir", "sed", "seq", "sh", "sha256sum", "sleep", "sort", "stat",
        "stress", "sync", "tail", "tee", "test", "touch", "tr", "true", "umount", "uname", "uniq", "unshare", "wc",
        "which", "whoami", "xargs", "yes",
    )
} | {"[": "test", "ash": "sh", "egrep": "grep", "fgrep": "grep"}  # fmt: skip


#: Those that no image has: the daemon puts them into a container.
GIVEN: Final[dict[str, str]] = {"docker-init": "docker_init"}


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
    module = MODULES.get(name) or GIVEN.get(name)
    if module is None:
        return None
    return _ending_well(import_module(f"{__name__}.{module}").main)


def _ending_well(main: "Program") -> "Program":
    """Return a program that ends with 1 and busybox's words when its standard output takes no more."""

    async def program(k: "System", argv: list[str], environ: dict[str, str]) -> int:
        try:
            return await main(k, argv, environ)
        except WriteError as error:
            await complain(k, f"{posixpath.basename(argv[0])}: write error: {reason(error)}")
            return 1

    return program
