"""What a simulated host is like. The probe of the real side can write one, so that like is compared with like."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayDefaults:
    """Overlayfs's module parameters: what a mount option that is not given is (``/sys/module/overlay/parameters``)."""

    redirect_dir: str = "off"
    redirect_always_follow: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A simulated host: kernel, machine, disk and overlayfs's defaults."""

    release: str = "6.18"
    machine: str = "x86_64"
    hostname: str = "host"
    rootless: bool = False
    overlay: OverlayDefaults = field(default_factory=OverlayDefaults)
    protected_hardlinks: bool = True
    """fs.protected_hardlinks (proc_sys_fs(5))."""
    protected_regular: int = 0
    """fs.protected_regular: may O_CREAT open what somebody else has made in a sticky directory?"""
    protected_fifos: int = 0
    """fs.protected_fifos: the same for fifos."""
    disk_bytes: int = 1 << 30
    """Size of the root file system. Holes take space like data: sparse files are not modelled."""
    boot_ns: int = 1_700_000_000_000_000_000
    """The virtual time of day at which the kernel starts, in nanoseconds since 1970."""
