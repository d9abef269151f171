"""unshare: run a program in namespaces of its own, in util-linux's words (unshare(1))."""

import re
from collections.abc import Coroutine
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
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    MS_SHARED,
    MS_SLAVE,
    O_WRONLY,
)
from minidocker.programs import launch, stdio
from minidocker.programs.options import Options, Usage, parse
from minidocker.system import System

#: The options that name namespaces, letter and word, with their flags.
KINDS: Final = {
    "m": ("mount", CLONE_NEWNS), "u": ("uts", CLONE_NEWUTS), "i": ("ipc", CLONE_NEWIPC), "n": ("net", CLONE_NEWNET),
    "p": ("pid", CLONE_NEWPID), "U": ("user", CLONE_NEWUSER), "C": ("cgroup", CLONE_NEWCGROUP),
    "T": ("time", CLONE_NEWTIME),
}  # fmt: skip
PROPAGATION: Final = {"slave": MS_SLAVE, "shared": MS_SHARED, "private": MS_PRIVATE, "unchanged": 0}
#: The clocks that a time namespace has of its own, by their numbers (clock_gettime(2)), in the order of setting.
CLOCKS: Final = {"boottime": 7, "monotonic": 1}
LONG: Final = (
    *(word for word, _ in KINDS.values()), "fork", "map-root-user", "map-current-user", "mount-proc", "mount-proc=",
    "propagation=", "setgroups=", *(f"{clock}=" for clock in CLOCKS),
)  # fmt: skip


TIME_WORDS: Final = ("failed to open", "failed to write to")
_NUMBER: Final = re.compile(r"\s*[+-]?\d+")


class Failed(Exception):
    """It cannot be done; the text says why."""


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Move into new namespaces, and become a program there, a shell if none is named."""
    try:
        options = parse(argv, "+muinpUCTfrc", LONG)
        wanted = _flags(options)
    except Usage as usage:
        await stdio.complain(k, f"unshare: {usage}\nTry 'unshare --help' for more information.")
        return 1
    except Failed as failed:
        await stdio.complain(k, f"unshare: {failed}")
        return 1
    words = options.operands or [environ.get("SHELL", "/bin/sh")]
    ids = await k.geteuid(), await k.getegid()
    try:
        await _try(k.unshare(wanted), "unshare failed")
        await _set_clocks(k, options)
    except Failed as failed:
        await stdio.complain(k, f"unshare: {failed}")
        return 1
    if not {"f", "fork"} & options.given.keys():
        return await _go_on(k, options, wanted, ids, words, environ)
    pid = await k.clone(_go_on, options, wanted, ids, words, environ)
    return await launch.end_like(k, (await k.wait4(pid))[1])


def _flags(options: Options) -> int:
    """Return what is to be unshared; some options imply a namespace."""
    flags = sum(flag for letter, (word, flag) in KINDS.items() if letter in options or word in options)
    if _maps(options):
        flags |= CLONE_NEWUSER
    if "mount-proc" in options:
        flags |= CLONE_NEWNS
    if options.get("propagation", "private") not in PROPAGATION:
        raise Usage(f"unsupported propagation mode: {options.get('propagation')}")
    if options.get("setgroups", "allow") not in ("allow", "deny"):
        raise Usage(f"unsupported --setgroups argument '{options.get('setgroups')}'")
    for clock in CLOCKS:
        if clock in options and not flags & CLONE_NEWTIME:
            raise Failed("options --monotonic and --boottime require unsharing of a time namespace (-t)")
        if not _NUMBER.fullmatch(options.get(clock, "0")):
            raise Failed(f"failed to parse {clock} offset: '{options.get(clock)}'")
    return flags


async def _set_clocks(k: System, options: Options) -> None:
    """Set the clocks of the new time namespace ahead, or back, by so many seconds."""
    for clock, number in CLOCKS.items():
        if clock in options:
            await _write(k, "/proc/self/timens_offsets", f"{number} {int(options.get(clock, '0'))} 0", TIME_WORDS)


def _maps(options: Options) -> bool:
    return bool({"r", "map-root-user", "c", "map-current-user"} & options.given.keys())


async def _go_on(
    k: System, options: Options, wanted: int, ids: tuple[int, int], words: list[str], environ: dict[str, str]
) -> int:
    """Do what is to be done within the namespaces, and become the program."""
    try:
        await _map(k, options, ids)
        propagation = PROPAGATION[options.get("propagation", "private")]
        if wanted & CLONE_NEWNS and propagation:
            await _try(k.mount("none", "/", "", MS_REC | propagation), "cannot change root filesystem propagation")
        if "mount-proc" in options:
            target = options.get("mount-proc") or "/proc"
            flags = MS_NOSUID | MS_NOEXEC | MS_NODEV
            await _try(k.mount("proc", target, "proc", flags), f"mount {target} failed")
    except Failed as failed:
        await stdio.complain(k, f"unshare: {failed}")
        return 1
    return await launch.become(k, words, environ, "unshare: failed to execute {}")


async def _map(k: System, options: Options, ids: tuple[int, int]) -> None:
    """Write the maps of a new user namespace: the caller is root there, or who it was. Groups can then not be set."""
    groups = options.get("setgroups")
    if _maps(options):
        as_root = bool({"r", "map-root-user"} & options.given.keys())
        await _write(k, "/proc/self/uid_map", f"{0 if as_root else ids[0]} {ids[0]} 1")
        await _write(k, "/proc/self/setgroups", "deny")
        await _write(k, "/proc/self/gid_map", f"{0 if as_root else ids[1]} {ids[1]} 1")
    elif groups:
        await _write(k, "/proc/self/setgroups", groups)


async def _write(k: System, path: str, text: str, words: tuple[str, str] = ("cannot open", "write failed")) -> None:
    """Write a text into a file; ``words`` say what has failed, if opening or writing does."""
    try:
        fd = await k.open(path, O_WRONLY)
    except OSError as error:
        raise Failed(f"{words[0]} {path}: {stdio.reason(error)}") from error
    await _try(k.write(fd, text.encode()), f"{words[1]} {path}")
    await k.close(fd)


async def _try(call: Coroutine[Any, Any, Any], message: str) -> None:
    try:
        await call
    except OSError as error:
        raise Failed(f"{message}: {stdio.reason(error)}") from error
