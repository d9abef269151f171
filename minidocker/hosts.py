"""Ready hosts: one on the simulated kernel, one on this machine's, with the lab's base image loaded on either."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from minidocker.base_image import base_image
from minidocker.remap import Remap
from minidocker.world import Host

#: The kernels that there are, by name.
KERNELS: Final = ("sim", "real")


def open_host(
    kernel: str,
    *,
    seed: int = 0,
    size_bytes: int | None = None,
    programs: str = "elf",
    rootless: bool | None = None,
    like: Mapping[str, Any] | None = None,
    boot_ns: int | None = None,
    userns_remap: bool = False,
) -> Host:
    """Return a host on the named kernel, ``"sim"`` or ``"real"``; close it when done.

    ``size_bytes`` limits the disk that holds images and containers. ``programs="lab"`` runs the lab's program of the
    same name wherever an image's file is a machine's program, on the real kernel too, so that traces can be compared
    call by call; ``"elf"`` runs the file itself there. ``rootless`` is whether the host's side is root in a user
    namespace only; the real one is by itself if the lab is not run by root. ``like``, the description of a real host,
    gives the simulated one its release, machine, ids, capabilities, control groups and what /proc has: like with like.
    ``boot_ns`` is the time at which the simulated clock starts, in nanoseconds since 1970. ``userns_remap`` gives each
    container a user namespace, in which its root is the host's user 100000 (dockerd --userns-remap).
    """
    if kernel not in KERNELS:
        message = f"no kernel {kernel!r}: there is {' and '.join(KERNELS)}"
        raise ValueError(message)
    remap = Remap() if userns_remap else None
    if kernel == "sim":
        chosen = {"rootless": rootless, "disk_bytes": size_bytes, "boot_ns": boot_ns}
        host = _sim(seed, like, {key: value for key, value in chosen.items() if value is not None}, remap)
    else:
        host = _real(seed, size_bytes, programs, rootless, remap)
    try:
        host.engine.images.load(base_image())
    except BaseException:
        host.close()
        raise
    return host


def _sim(seed: int, like: Mapping[str, Any] | None, chosen: Mapping[str, Any], remap: Remap | None) -> Host:
    from minidocker.sim import Profile, SimKernel  # noqa: PLC0415  loads pyfakefs: only when a kernel is made

    profile = replace(Profile.like(like) if like else Profile(), **chosen)
    kernel = SimKernel(profile=profile)
    description: dict[str, Any] = {"kind": "sim", "release": profile.release, "machine": profile.machine}
    description |= {"rootless": profile.rootless, "cgroups": profile.cgroups}
    options: dict[str, Any] = {"seed": seed, "read_file": read_file, "userns_remap": remap}
    return Host(kernel, description=description, clock_ns=kernel.clock.now_ns, **options)


def _real(seed: int, size_bytes: int | None, programs: str, rootless: bool | None, remap: Remap | None) -> Host:
    import time  # noqa: PLC0415  the wall's clock belongs to the real kernel

    from minidocker.real import RealKernel, probe  # noqa: PLC0415  Linux only

    kernel = RealKernel(size_bytes=size_bytes, programs=programs, rootless=rootless)
    options: dict[str, Any] = {"seed": seed, "read_file": read_file, "userns_remap": remap}
    return Host(kernel, description=probe.describe(kernel), clock_ns=time.time_ns, idle=time.sleep, **options)


def read_file(path: str) -> bytes:
    """Return the bytes of a file of the machine that the lab runs on."""
    return Path(path).expanduser().read_bytes()
