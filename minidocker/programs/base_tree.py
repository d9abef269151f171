"""The tree of the built-in base image: the lab's programs in /bin, and the few files that they and lessons look for."""

from typing import Final, TypeAlias

from minidocker.linux import S_IFDIR, S_IFREG
from minidocker.programs import MODULES, program_file

#: Path, mode with the type's bits, uid, gid, and a file's data or a symlink's target.
Entry: TypeAlias = tuple[str, int, int, int, bytes | str]

#: What the lessons on union and copy-on-write read, append to and hide.
MOTD: Final = b"Welcome to the lab.\n"
PASSWD: Final = (
    b"root:x:0:0:root:/root:/bin/sh\n"
    b"daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
    b"bin:x:2:2:bin:/bin:/bin/false\n"
    b"nobody:x:65534:65534:nobody:/home:/bin/false\n"
)
GROUP: Final = b"root:x:0:\ndaemon:x:1:\nbin:x:2:\nnobody:x:65534:\n"

_DIRECTORIES: Final = {
    "/bin": 0o755, "/dev": 0o755, "/etc": 0o755, "/home": 0o755, "/proc": 0o555, "/root": 0o700, "/sys": 0o555,
    "/tmp": 0o1777, "/usr": 0o755, "/usr/bin": 0o755, "/var": 0o755, "/var/log": 0o755,
}  # fmt: skip
_FILES: Final = {"/etc/group": GROUP, "/etc/hostname": b"lab\n", "/etc/motd": MOTD, "/etc/passwd": PASSWD}


def base_entries() -> list[Entry]:
    """Return the image's entries, parents before what is in them."""
    entries: list[Entry] = [(path, S_IFDIR | mode, 0, 0, b"") for path, mode in _DIRECTORIES.items()]
    entries += [(f"/bin/{name}", S_IFREG | 0o755, 0, 0, program_file(name)) for name in sorted(MODULES)]
    entries += [(path, S_IFREG | 0o644, 0, 0, data) for path, data in _FILES.items()]
    return entries
