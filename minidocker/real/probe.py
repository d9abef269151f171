"""What this host gives the lab, subsystem by subsystem, and why not more. Found by doing, not by guessing.

An overlay in a user namespace may mount and then fail at the first rmdir of a lower directory: so that is tried.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from minidocker import mounts
from minidocker.kernel import Files, Kernel, Mounts
from minidocker.linux import ALL_CAPABILITIES, O_RDONLY, errno_name, strerror
from minidocker.real import capability, cgroups, idmap, seccomp
from minidocker.real.direct import NO_PYROUTE2
from minidocker.real.kernel import RealKernel

_DISK: Final = "/var/lib/docker"

#: What forbids user namespaces to users: the switch, its value that does, and whose it is.
_SWITCHES: Final = {
    "kernel.unprivileged_userns_clone": ("0", ""),
    "kernel.apparmor_restrict_unprivileged_userns": ("1", "AppArmor bans them: "),
    "user.max_user_namespaces": ("0", ""),
}
#: Why a rootless lab has one user.
_ROOT_ALONE: Final = "root's alone, for want of newuidmap or of a line for you in /etc/subuid and /etc/subgid"

#: What each controller does, and what of docker's needs it.
_CONTROLLERS: Final = {
    "memory": ("memory limits and usage", "-m, --memory-reservation, --memory-swap"),
    "cpu": ("shares of processors", "--cpus, --cpu-shares, --cpu-period, --cpu-quota"),
    "cpuset": ("which processors", "--cpuset-cpus"),
    "cpuacct": ("processor time used", "docker stats"),
    "pids": ("how many tasks", "--pids-limit"),
    "freezer": ("freezing", "docker pause"),
}

#: What the engine asks of overlayfs as root, and in a user namespace.
_OPTIONS: Final = ("index=off", "xino=off", "metacopy=off")
_REDIRECT: Final = "redirect_dir=off"
_USERXATTR: Final = "userxattr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One subsystem: does it serve, and what there is or what is missing."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What this host is and gives. ``usable``: containers can run on its kernel."""

    release: str
    machine: str
    rootless: bool
    usable: bool
    cgroups: str
    ids: int
    """How many user ids a container can have: 1 is root alone; as root, all."""
    overlay: tuple[str, ...]
    """The options of each overlay mount, as far as the host decides them; empty if there is no overlay."""
    rows: tuple[Row, ...]


def describe(kernel: RealKernel | None = None) -> dict[str, Any]:
    """Return what a trace says of this kernel (``docs/trace.md``, kernel). Nothing is tried.

    Of an open kernel it says which control groups the lab has (and in ``no_cgroups`` of each controller that it lacks
    why); of a rootless one also which ids there are, so that a simulated one can be of the same kind.
    """
    name, rootless = os.uname(), os.geteuid() != 0 if kernel is None else kernel.rootless
    description: dict[str, Any] = {
        "kind": "real",
        "release": name.release,
        "machine": name.machine,
        "rootless": rootless,
        "capabilities": ALL_CAPABILITIES if rootless else capability.capget().permitted,
        "overlay": list(_overlay_options(rootless)),
        "cgroups": cgroup_layout() if kernel is None else kernel.groups.layout,
        "pseudo": _pseudo(),
    }
    if kernel is not None and kernel.groups.missing:
        description["no_cgroups"] = dict(kernel.groups.missing)
    if kernel is not None and rootless:
        description["ids"] = _ids(kernel)
    return description


def _seccomp() -> str:
    if seccomp.available():
        return "by libseccomp"
    return "no libseccomp.so.2 (package libseccomp2): the system calls of containers are not filtered"


def _links() -> Row:
    """Tell whether containers can be plugged in: links are pyroute2's part."""
    found = find_spec("pyroute2") is not None
    return Row(name="links", ok=found, detail="by pyroute2" if found else f"{NO_PYROUTE2}; without: --network host")


def _pseudo() -> list[str]:
    """Return what this host has in /proc and /sys of the things that a container is denied."""
    found = [Path(path) for path in (*mounts.MASKED, *mounts.READ_ONLY) if Path(path).exists()]
    return sorted(f"{path}/" if path.is_dir() else str(path) for path in found)


def _ids(kernel: RealKernel) -> dict[str, Any]:
    """Return the mapped ranges, whether setgroups(2) is allowed, and the groups that the user brought along."""
    fd = kernel.open("/proc/self/setgroups", O_RDONLY)
    try:
        allowed = kernel.read(fd, 16).strip() == b"allow"
    finally:
        kernel.close(fd)
    ranges = {name: [list(entry) for entry in kernel.ids[name]] for name in ("uid_map", "gid_map")}
    return {**ranges, "setgroups": allowed, "groups": kernel.getgroups()}


def probe() -> Report:
    """Try what the lab needs."""
    name, rootless = os.uname(), os.geteuid() != 0
    kernel, tried = _try_kernel(rootless)
    layout = cgroup_layout()
    rows = [
        Row(name="kernel", ok=True, detail=f"Linux {name.release} on {name.machine}"),
        Row(name="rights", ok=True, detail="rootless: root in a user namespace" if rootless else "root"),
        *_user_namespaces(),
        *tried,
        _links(),
        Row(name="seccomp", ok=seccomp.available(), detail=_seccomp()),
        Row(name="cgroups", ok=layout != "none", detail=layout),
        *(_controllers(kernel["groups"]) if kernel else ()),
    ]
    return Report(
        release=name.release,
        machine=name.machine,
        rootless=rootless,
        usable=all(row.ok for row in tried),
        cgroups=layout,
        ids=sum(count for _, _, count in kernel["ids"]["uid_map"]) if kernel.get("ids") else 1 << 32,
        overlay=_overlay_options(rootless) if all(row.ok for row in tried) else (),
        rows=tuple(rows),
    )


def _overlay_options(rootless: bool) -> tuple[str, ...]:
    return (*_OPTIONS, _USERXATTR if rootless else _REDIRECT)


def _try_kernel(rootless: bool) -> tuple[dict[str, Any], list[Row]]:
    """Open the real kernel, try an overlay in it, and close it: (what it is, what was found)."""
    try:
        kernel = RealKernel(size_bytes=16 << 20)
    except OSError as error:
        return {}, [Row(name="namespaces", ok=False, detail=why_no_namespaces(error))]
    try:
        has_time = Path("/proc/self/ns/time").exists()
        kinds = f"mount, PID, UTS, IPC and network; {'time, too' if has_time else 'no time (CONFIG_TIME_NS)'}"
        rows = [Row(name="namespaces", ok=True, detail=kinds), _overlay(kernel, rootless)]
        rows += _mapped_ids(kernel.ids) if rootless else []
        return {"ids": kernel.ids, "groups": kernel.groups}, rows
    finally:
        kernel.close_kernel()


def why_no_namespaces(error: OSError) -> str:
    """Return, in words for the user, why the helper could not be started."""
    said = f"{errno_name(error.errno)} ({strerror(error.errno)})"
    if os.geteuid() == 0:
        return f"{said}: root, but without CAP_SYS_ADMIN, as inside of a container"
    reasons = [row.detail for row in _user_namespaces() if not row.ok]
    return "; ".join([said, *(reasons or ["this kernel or its security module allows no user namespaces"])])


def _user_namespaces() -> Iterator[Row]:
    """Tell which of the known switches forbid user namespaces to users."""
    reasons = [f"{why}{name} is {bad}" for name, (bad, why) in _SWITCHES.items() if _sysctl(name) == bad]
    if not Path("/proc/self/ns/user").exists():
        reasons.append("the kernel was built without them")
    yield Row(name="user namespaces", ok=not reasons, detail="; ".join(reasons) or "allowed to users too")


def _mapped_ids(ids: dict[str, list[idmap.Range]]) -> Iterator[Row]:
    count = min(sum(count for _, _, count in ranges) for ranges in ids.values())
    yield Row(name="user ids", ok=True, detail=_ROOT_ALONE if count == 1 else f"{count}, by /etc/subuid and newuidmap")


def _controllers(groups: cgroups.Groups) -> Iterator[Row]:
    """Tell of each controller what it is for, and of one that the lab lacks why."""
    unified = groups.layout in ("v2", "hybrid")
    for name, (limits, flags) in _CONTROLLERS.items():
        if groups.layout == "v2" and name in ("cpuacct", "freezer"):
            continue
        detail = f"{limits} ({flags})"
        if name in groups.missing:
            detail += f" cannot be had: {groups.missing[name]}"
        elif name == "freezer" and unified:
            detail += ", by cgroup.freeze of the v2 hierarchy"
        yield Row(name=f"  {name}", ok=name not in groups.missing, detail=detail)


def _overlay(kernel: Kernel, rootless: bool) -> Row:
    options = ",".join(_overlay_options(rootless))
    try:
        kernel.job(try_overlay, options)
    except OSError as error:
        return Row(name="overlay", ok=False, detail=f"{errno_name(error.errno)} ({error.strerror}) with {options}")
    return Row(name="overlay", ok=True, detail=options)


def try_overlay(kernel: Any, options: str) -> None:
    """Mount an overlay and remove a lower directory through it; OSError if either fails. (A job of the helper's.)"""
    files: Files = kernel
    mounts: Mounts = kernel
    base = f"{_DISK}/probe"
    for name in ("", "/lower", "/lower/directory", "/upper", "/work", "/merged"):
        files.mkdir(base + name)
    layers = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
    mounts.mount("overlay", f"{base}/merged", "overlay", 0, f"{layers},{options}")
    try:
        files.rmdir(f"{base}/merged/directory")
    finally:
        mounts.umount2(f"{base}/merged")


def cgroup_layout() -> str:
    """Return ``"v2"``, ``"v1"``, ``"hybrid"`` (v1 with a v2 tree beside it) or ``"none"``, by what is mounted."""
    types = {line.split()[2] for line in (_read(Path("/proc/mounts")) or "").splitlines()}
    match "cgroup" in types, "cgroup2" in types:
        case True, True:
            return "hybrid"
        case True, False:
            return "v1"
        case False, True:
            return "v2"
    return "none"


def _sysctl(name: str) -> str | None:
    return _read(Path("/proc/sys") / name.replace(".", "/"))


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
