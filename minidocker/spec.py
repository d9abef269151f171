"""Spec: what a container's init and its exec'd programs are told, out of what the container is."""

from collections.abc import Sequence

from minidocker import mounts
from minidocker.container import Container
from minidocker.container_files import IN_CONTAINER
from minidocker.runtime import Spec


def of(
    container: Container,
    *,
    cgroups: Sequence[str] = (),
    join: Sequence[tuple[int, int]] = (),
    unshare: int = 0,
    shm: str = "",
    files: Sequence[mounts.Mount] = (),
    cgroup_mounts: Sequence[mounts.Mount] = (),
    rootless: bool = False,
) -> Spec:
    """Return what a container's init is told. ``join`` are the descriptors of namespaces that it enters."""
    config = container.host_config
    named = config.uts_mode != "host"
    return Spec(
        root=container.merged,
        hostname=container.hostname if named else "",
        domainname=config.domainname if named else "",
        argv=(IN_CONTAINER, "--", *container.argv) if config.init else container.argv,
        env=container.env,
        cwd=container.cwd,
        user=container.user,
        cgroups=tuple(cgroups),
        join=tuple(join),
        unshare=unshare,
        remapped=container.remapped,
        waits_first=container.remapped or rootless,
        mounts=[
            mount.to_json() for mount in [*mounts.of(config, shm=shm, cgroups=cgroup_mounts, rootless=rootless), *files]
        ],
        masked=mounts.MASKED if container.covered else (),
        protected=mounts.READ_ONLY if container.covered else (),
        read_only=config.read_only,
        any_device=config.privileged,
        capabilities=container.capabilities,
        no_new_privileges=container.no_new_privileges,
        seccomp=container.seccomp,
    )
