"""nsenter: run a program in the namespaces of another task, in util-linux's words (nsenter(1))."""

from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

from minidocker.linux import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    O_CLOEXEC,
    O_RDONLY,
)
from minidocker.programs import launch, stdio
from minidocker.programs.options import Options, Usage, parse
from minidocker.system import System

#: In the order in which they are entered: letter, word, name in /proc/PID/ns, flag.
KINDS: Final = (
    ("U", "user", "user", CLONE_NEWUSER), ("C", "cgroup", "cgroup", CLONE_NEWCGROUP), ("i", "ipc", "ipc", CLONE_NEWIPC),
    ("u", "uts", "uts", CLONE_NEWUTS), ("n", "net", "net", CLONE_NEWNET), ("p", "pid", "pid", CLONE_NEWPID),
    ("m", "mount", "mnt", CLONE_NEWNS), ("T", "time", "time", CLONE_NEWTIME),
)  # fmt: skip
LONG: Final = (
    "target=", "all", *(name for _, word, _, _ in KINDS for name in (word, f"{word}=")), "no-fork",
    "preserve-credentials", "setuid=", "setgid=",
)  # fmt: skip


class Failed(Exception):
    """It cannot be done; the text says why."""


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Join the namespaces that are named, and become a program there, a shell if none is named."""
    try:
        options = parse(argv, "+t:aUCiunpmTFS:G:", LONG)
        opened = await _open(k, options)
        await _enter(k, opened)
        await _become_user(k, options, joins_user=any(kind[0] == "U" for kind, _ in opened))
    except Usage as usage:
        await stdio.complain(k, f"nsenter: {usage}\nTry 'nsenter --help' for more information.")
        return 1
    except Failed as failed:
        await stdio.complain(k, f"nsenter: {failed}")
        return 1
    words = options.operands or [environ.get("SHELL", "/bin/sh")]
    forks = any(kind[0] == "p" for kind, _ in opened) and not {"F", "no-fork"} & options.given.keys()
    if not forks:
        return await launch.become(k, words, environ, "nsenter: failed to execute {}")
    pid = await k.clone(launch.become, words, environ, "nsenter: failed to execute {}")
    return await launch.end_like(k, (await k.wait4(pid))[1])


async def _open(k: System, options: Options) -> list[tuple[tuple[str, str, str, int], int]]:
    """Open the files of the namespaces that are named: by the target's pid, or by a path."""
    target = options.get("t") or options.get("target")
    if target and not target.isdigit():
        raise Failed(f"failed to parse pid: '{target}'")
    everything = "a" in options or "all" in options
    opened = []
    for kind in KINDS:
        letter, word, name, _ = kind
        if not (everything or letter in options or word in options):
            continue
        path = options.get(word)
        if not path and not target:
            raise Failed(f"neither filename nor target pid supplied for ns/{name}")
        path = path or f"/proc/{target}/ns/{name}"
        if everything and letter not in options and word not in options and await _is_no_other(k, path, name):
            continue
        try:
            opened.append((kind, await k.open(path, O_RDONLY | O_CLOEXEC)))
        except OSError as error:
            raise Failed(f"cannot open {path}: {stdio.reason(error)}") from error
    return opened


async def _is_no_other(k: System, path: str, name: str) -> bool:
    """Is it the namespace that one is in already, or a kind that this kernel does not have?"""
    try:
        own = await k.stat(f"/proc/self/ns/{name}")
    except OSError:
        return True
    try:
        return (await k.stat(path)).st_ino == own.st_ino
    except OSError:
        return False


async def _enter(k: System, opened: list[tuple[tuple[str, str, str, int], int]]) -> None:
    """Join: what can be without the user namespace first, so that who gives up rights there has them till then."""
    waiting = []
    for (letter, _, name, flag), fd in opened:
        try:
            if letter == "U":
                raise PermissionError
            await k.setns(fd, flag)
        except OSError:
            waiting.append((name, flag, fd))
    for name, flag, fd in waiting:
        try:
            await k.setns(fd, flag)
        except OSError as error:
            raise Failed(f"reassociate to namespace 'ns/{name}' failed: {stdio.reason(error)}") from error
    for _, fd in opened:
        await k.close(fd)


async def _become_user(k: System, options: Options, *, joins_user: bool) -> None:
    """Be root of a user namespace that was joined, or who is named."""
    by_default = "0" if joins_user and "preserve-credentials" not in options else ""
    gid = options.get("G") or options.get("setgid") or by_default
    uid = options.get("S") or options.get("setuid") or by_default
    for word, value in (("gid", gid), ("uid", uid)):
        if value and not value.isdigit():
            raise Failed(f"failed to parse {word}: '{value}'")
    if gid:
        with suppress(PermissionError):  # denied in this user namespace
            await k.setgroups([])
        await _try(k.setgid(int(gid)), "setgid() failed")
    if uid:
        await _try(k.setuid(int(uid)), "setuid() failed")


async def _try(call: Coroutine[Any, Any, None], message: str) -> None:
    try:
        await call
    except OSError as error:
        raise Failed(f"{message}: {stdio.reason(error)}") from error
