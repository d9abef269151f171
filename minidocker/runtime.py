"""The runtime: what happens between ``clone`` and ``execve``, so that a task becomes a container (runc's part).

:func:`init` is the whole recipe, in the order in which runc does it: the namespaces of others are joined, the mounts
become private, the merged tree gets its /proc and /dev, the root is pivoted, the host's tree let go, the name set, what
shall not be seen covered, powers given up, the user changed, and the program run. Whoever leaves out a line finds out
what it was for. :func:`enter` is ``docker exec``: it joins what :func:`init` has made, and ends in the same way.
"""

import json
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from minidocker import capabilities, linux, rootfs
from minidocker.execute import enter_workdir, execute, look_path
from minidocker.linux import O_WRONLY, PR_SET_NO_NEW_PRIVS, SECCOMP_SET_MODE_FILTER
from minidocker.refusal import Refused
from minidocker.system import System
from minidocker.user import User, find_user, set_ids

#: The descriptor on which init tells why it could not start; execve closes it, and that is the good news.
ERROR_FD: Final = 3

#: The descriptor on which init waits, before it becomes the program, for the daemon's part (:mod:`minidocker.start`).
GATE_FD: Final = 4

#: The first of the descriptors that lead to other tasks' namespaces.
NAMESPACE_FD: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What init needs to know. All of it is JSON's values: it crosses into the new task."""

    argv: Sequence[str]
    env: Sequence[str]
    cwd: str = "/"
    user: str = ""
    root: str = ""
    hostname: str = ""
    domainname: str = ""
    cgroups: Sequence[str] = ()
    """Files of v1 control groups by which it enters them."""
    join: Sequence[tuple[int, int]] = ()
    """Descriptors of namespaces to enter, each with its CLONE_NEW*."""
    unshare: int = 0
    remapped: bool = False
    """Is its user namespace not the daemon's? Then it has yet to become root there."""
    waits_first: bool = False
    """The gate comes before all else: it has no ids yet, or (rootless) is out of the daemon's reach as another user."""
    mounts: Sequence[Sequence[Any]] = ()
    masked: Sequence[str] = ()
    protected: Sequence[str] = ()
    read_only: bool = False
    any_device: bool = False
    capabilities: int = linux.ALL_CAPABILITIES
    no_new_privileges: bool = False
    seccomp: Mapping[str, Any] | None = None
    make_cwd: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the values as a dictionary."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


async def init(k: System, spec: Mapping[str, Any]) -> int:
    """Make the new task a container and run its program. Exit code 1, with words on ERROR_FD, if that fails.

    It goes on to the program, or tells of its failure, when a byte comes through the gate: by then the daemon has
    plugged in the network, which takes as long as all this. If the gate closes without one, the daemon has given up.
    """
    return await _told(k, spec, _init(k, spec))


async def enter(k: System, spec: Mapping[str, Any]) -> int:
    """Join a running container and run one more program in it (docker exec); it begins and fails as init does.

    The PID namespace is joined already: setns(2) moves only children there, so the daemon asked before it cloned.
    """
    return await _told(k, spec, _enter(k, spec))


async def _init(k: System, spec: Mapping[str, Any]) -> int:
    await enter_cgroups(k, spec["cgroups"])
    await join(k, spec["join"])
    if spec["remapped"]:
        await become_root(k)
    if spec["unshare"]:
        await k.unshare(spec["unshare"])
    await rootfs.prepare_root(k, spec["root"], spec["mounts"], any_device=spec["any_device"])
    await rootfs.enter_root(k, spec["root"])
    if spec["read_only"]:
        await rootfs.make_read_only(k)
    if spec["hostname"]:
        await k.sethostname(spec["hostname"])
    if spec["domainname"]:
        await k.setdomainname(spec["domainname"])
    for path in spec["protected"]:
        await rootfs.protect(k, path)
    for path in spec["masked"]:
        await rootfs.mask(k, path)
    return await run(k, spec)


async def _enter(k: System, spec: Mapping[str, Any]) -> int:
    await enter_cgroups(k, spec["cgroups"])
    await join(k, spec["join"])
    if spec["remapped"]:
        await become_root(k)
    return await run(k, spec)


async def enter_cgroups(k: System, files: Sequence[str]) -> None:
    """Enter v1 control groups, while their files are still in sight. (In v2 a task is born in its group.)

    0 means the writer. Whoever moves itself need not wait for other tasks that are just being born: the kernel makes
    who moves somebody else wait for a grace period of RCU, some 10 ms (cgroup_procs_write_start).
    """
    for file in files:
        fd = await k.open(file, O_WRONLY)
        await k.write(fd, b"0")
        await k.close(fd)


async def join(k: System, namespaces: Sequence[tuple[int, int]]) -> None:
    """Enter namespaces that the daemon holds open, in the given order, and let go of the descriptors."""
    for fd, kind in namespaces:
        await k.setns(fd, kind)
        await k.close(fd)


async def become_root(k: System) -> None:
    """Become root of the user namespace: who comes from outside is nobody in it, whatever it may do there."""
    await k.setgroups([])
    await k.setgid(0)
    await k.setuid(0)


async def run(k: System, spec: Mapping[str, Any]) -> int:
    """Give up powers, become the user, and run the program: what a container's own and an exec'd one have in common.

    A filter of system calls needs CAP_SYS_ADMIN or no_new_privs, so without the latter it comes before the former goes;
    with it as late as can be. The bounding set goes while CAP_SETPCAP is there; the permitted set outlives setuid(2).
    """
    if spec["no_new_privileges"]:
        await k.prctl(PR_SET_NO_NEW_PRIVS, 1)
    elif spec["seccomp"]:
        await k.seccomp(SECCOMP_SET_MODE_FILTER, 0, spec["seccomp"])
    user = await find_user(k, spec["user"])
    env = dict(pair.partition("=")[::2] for pair in spec["env"])
    env.setdefault("HOME", user.home)
    await enter_workdir(k, spec["cwd"], make=spec["make_cwd"])
    await give_up(k, spec["capabilities"], user if spec["user"] else None)
    path = await look_path(k, spec["argv"][0], env.get("PATH", ""))
    if spec["no_new_privileges"] and spec["seccomp"]:
        await k.seccomp(SECCOMP_SET_MODE_FILTER, 0, spec["seccomp"])
    if not spec["waits_first"] and not await k.read(GATE_FD, 1):
        return 1
    return await execute(k, path, spec["argv"], env)


async def give_up(k: System, keep: int, user: User | None) -> None:
    """Keep only some capabilities, and become the user, if it is not to be root.

    What this host's side does not have itself it cannot give: runc leaves that out as well.
    """
    keep &= (await k.capget()).permitted
    await capabilities.drop_bounding(k, keep)
    if user is not None:
        await capabilities.keep_over_setuid(k, True)
        await set_ids(k, user)
        await capabilities.keep_over_setuid(k, False)
    await capabilities.apply(k, keep)


async def _told(k: System, spec: Mapping[str, Any], task: Coroutine[Any, Any, int]) -> int:
    """Do it; if it fails, tell the daemon why, once that has done its part."""
    if spec["waits_first"] and not await k.read(GATE_FD, 1):
        task.close()
        return 1
    try:
        return await task
    except Refused as refused:
        why = refused
    except OSError as error:
        why = Refused(f"{error.filename or 'container'}: {linux.strerror(error.errno).lower()}")
    if spec["waits_first"] or await k.read(GATE_FD, 1):
        await _tell(k, why)
    return 1


async def _tell(k: System, refused: Refused) -> None:
    await k.write(ERROR_FD, json.dumps({"reason": refused.reason, "exit_code": refused.exit_code}).encode())
