"""Layers: a tar archive of changes becomes a directory that overlayfs can stack.

What an archive says by names (``.wh.NAME``: NAME is gone; ``.wh..wh..opq``: nothing from below shines through here;
image-spec, layer.md) overlayfs says by a character device 0:0 and by an extended attribute
(Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories"). The rest is unpacked as tar would.

Docker unpacks in a chroot. Here the archive's paths are followed in :class:`~minidocker.scope.Scope` before the kernel
sees them, which leads to the same places. Stricter than Docker: names that are absolute or climb above the root are
refused, where Docker takes them as if they began at the root; so are device nodes that a container could not open by
Docker's default device rules, since one of a disk would be a door to the host.
"""

import errno
import io
import posixpath
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from minidocker.errors import EngineError, InvalidArchive, ServerError
from minidocker.kernel import Files
from minidocker.linux import (
    O_CLOEXEC,
    O_CREAT,
    O_EXCL,
    O_NOFOLLOW,
    O_RDONLY,
    O_WRONLY,
    S_IFBLK,
    S_IFCHR,
    S_IFIFO,
    errno_name,
    strerror,
)
from minidocker.scope import Scope, clean, escape
from minidocker.tar import atime_ns, invalid_header, members, mtime_ns, unexpected_end
from minidocker.tree import make_directories, remove_tree

WHITEOUT: Final = ".wh."
OPAQUE: Final = ".wh..wh..opq"

#: Extended attributes that mean something to overlayfs. An archive's own are stripped: they could forge a layer.
OVERLAY_XATTRS: Final = ("trusted.overlay.", "user.overlay.")
_PAX_XATTR: Final = "SCHILY.xattr."

#: Devices that runc's default rules let a container open (null, zero, full, random, urandom, tty, console, ptmx).
HARMLESS_DEVICES: Final = frozenset({(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)})

#: In user namespaces an owner that cannot be mapped is kept here, as ``uid:gid``.
OWNER_XATTR: Final = "user.minidocker.owner"

_HINTS: Final = {
    errno.ENOENT: "Paths are followed inside of the layer only, as in a chroot; what this one leads to is not there.",
    errno.ENOTDIR: "Something above this name is a file.",
    errno.ELOOP: "Symlinks lead to each other in a circle.",
    errno.ENOSPC: "The disk for images and containers is full: remove some.",
}

#: Refusals that are no fault of the archive.
_KERNELS_FAULT: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOMEM)

_NEW_FILE: Final = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC
_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What a layer brought: entries as ``docs/trace.md`` has them, and the bytes that its files and symlinks take."""

    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    size: int = 0


def unpack(files: Files, archive: BinaryIO | bytes, root: str, *, rootless: bool = False) -> Unpacked:
    """Make the directory ``root``, which must not exist, out of a plain tar archive: whole, or not at all.

    Everything is made in ``root + ".partial"``, which gets its name when it is complete. ``rootless`` is for a user
    namespace: overlayfs's marks are then ``user.overlay.*``, device nodes are left out (as Docker does), and owners
    that cannot be mapped are kept in an extended attribute.

    Raises InvalidArchive for an archive that is corrupt or tries to escape, ServerError for what the kernel refuses
    (``write /big: no space left on device``).
    """
    stream = io.BytesIO(archive) if isinstance(archive, bytes) else archive
    partial = root + ".partial"
    files.mkdir(partial, 0o755)
    try:
        with _inside(files, partial):
            unpacked = _Unpacking(files, stream, rootless=rootless).run()
        files.rename(partial, root)
    except BaseException:
        remove_tree(files, partial)
        raise
    return unpacked


def unpack_job(files: Files, archive: bytes, root: str, rootless: bool = False) -> dict[str, Any]:
    """Do :func:`unpack` where only plain values cross, as :meth:`minidocker.kernel.Kernel.job` wants.

    Returns ``entries`` and ``size``, or ``error`` (the class's name), ``message``, ``hint`` and ``data``.
    """
    try:
        unpacked = unpack(files, archive, root, rootless=rootless)
    except EngineError as error:
        return {"error": type(error).__name__, "message": error.message, "hint": error.hint, "data": error.data}
    return {"entries": unpacked.entries, "size": unpacked.size}


def unpack_layer_job(files: Files, archive: bytes, directory: str, rootless: bool = False) -> dict[str, Any]:
    """Unpack a layer to ``directory/diff`` as :func:`unpack_job` does; nothing is left if it fails."""
    make_directories(files, directory)
    found: dict[str, Any] = {"error": "ServerError"}
    try:
        found = unpack_job(files, archive, f"{directory}/diff", rootless)
    finally:
        if "error" in found:
            files.rmdir(directory)
    return found


@contextmanager
def _inside(files: Files, directory: str) -> Iterator[None]:
    """Work in a directory, so that paths are short and relative, with no bits masked off new files."""
    here = files.open(".", O_RDONLY | O_CLOEXEC)
    mask = files.umask(0)
    try:
        files.chdir(directory)
        yield
    finally:
        files.fchdir(here)
        files.umask(mask)
        files.close(here)


class _Unpacking:
    """One layer on its way into the current directory."""

    def __init__(self, files: Files, stream: BinaryIO, *, rootless: bool) -> None:
        self.files = files
        self.stream = stream
        self.rootless = rootless
        self.owner = (files.geteuid(), files.getegid())  # type: ignore[attr-defined]
        self.opaque_xattr = OVERLAY_XATTRS[rootless] + "opaque"
        self.scope = Scope()
        self.seen: set[str] = set()
        self.attributes: dict[str, tarfile.TarInfo] = {}
        self.entries: dict[str, dict[str, Any]] = {"/": {"kind": "dir", "mode": 0o755, "uid": 0, "gid": 0}}
        self.doing = ""

    def run(self) -> Unpacked:
        """Unpack every entry, then give the directories their attributes: making files in them changed their times."""
        for member in members(self.stream):
            self._guarded(self._entry, member.name, member)
        for path in sorted(self.attributes, reverse=True):
            self._guarded(self._finish, path, path, self.attributes[path], 0o755)
        return Unpacked(entries=self.entries, size=self._size())

    def _guarded(self, action: Callable[..., None], name: str, *args: Any) -> None:
        """Do something; a kernel's refusal is told as Go would: ``open /a/b: not a directory``."""
        try:
            action(*args)
        except OSError as error:
            said = strerror(error.errno).lower()
            message = f"{self.doing or f'open /{clean(name)}'}: {said}"
            kind = ServerError if error.errno in _KERNELS_FAULT else InvalidArchive
            hint = _HINTS.get(error.errno or 0, "")
            raise kind(message, hint=hint, path=f"/{clean(name)}", errno=errno_name(error.errno)) from error

    def _entry(self, member: tarfile.TarInfo) -> None:
        if "\0" in member.name + member.linkname:
            raise invalid_header()
        name = clean(member.name)
        if name in self.seen:
            raise InvalidArchive("duplicates of file paths not supported", path=f"/{name}")
        self.seen.add(name)
        if not name:
            return  # Docker, too, leaves the root as it is
        base = name.rpartition("/")[2]
        if base.startswith(WHITEOUT):
            self._whiteout(name, base, member)
        elif (make := _MAKERS.get(member.type)) is not None:
            make(self, name, member)
        else:
            raise InvalidArchive(f"unhandled tar header type {ord(member.type)}", path=f"/{name}")

    # where an entry lands

    def _place(self, name: str, *, over_directory: bool = False) -> str:
        """Return where an entry lands: its parents are there, and nothing else has the name (but a directory may)."""
        path, missing = self.scope.locate(name)
        for directory in missing:
            self._make_directory(directory)
        if path in self.scope and not (over_directory and path in self.scope.directories):
            self._replace(path)
        return path

    def _make_directory(self, path: str) -> None:
        self.doing = f"mkdir /{path}"
        self.files.mkdir(path, 0o755)
        self.scope.directories.add(path)
        self.entries["/" + path] = {"kind": "dir", "mode": 0o755, "uid": self.owner[0], "gid": self.owner[1]}

    def _replace(self, path: str) -> None:
        """Remove what another name for this place made before (through a symlinked directory, or a whiteout)."""
        self.doing = f"unlinkat /{path}"
        if path in self.scope.directories:
            remove_tree(self.files, path)
        else:
            self.files.unlink(path)
        self.scope.forget(path)
        below = f"/{path}/"
        for gone in [name for name in self.entries if name == f"/{path}" or name.startswith(below)]:
            entry = self.entries.pop(gone)
            entry["nlink"] = entry.get("nlink", 1) - 1
            self.attributes.pop(gone[1:], None)

    # one kind of entry each

    def _file(self, name: str, member: tarfile.TarInfo) -> None:
        self.doing = f"open /{name}"
        path = self._place(name)
        mode = member.mode & 0o777
        fd = self.files.open(path, _NEW_FILE, mode)
        self.scope.others.add(path)
        try:
            if member.size:
                self.doing = f"write /{name}"
                self._write(fd, member)
        finally:
            self.files.close(fd)
        self._record(path, member, "file", size=member.size)
        self._finish(path, member, mode)

    def _write(self, fd: int, member: tarfile.TarInfo) -> None:
        self.stream.seek(member.offset_data)
        sparse: Any = member.sparse  # of a file with holes: offset and size of each piece of data
        if sparse is None:
            self._copy(fd, member.size)
            return
        self.files.ftruncate(fd, member.size)
        for offset, size in sparse:
            self.files.lseek(fd, offset, io.SEEK_SET)
            self._copy(fd, size)

    def _copy(self, fd: int, size: int) -> None:
        while size:
            data = self.stream.read(min(size, _CHUNK_BYTES))
            if not data:
                raise unexpected_end()
            size -= len(data)
            while data:
                data = data[self.files.write(fd, data) :]

    def _directory(self, name: str, member: tarfile.TarInfo) -> None:
        self.doing = f"mkdir /{name}"
        path = self._place(name, over_directory=True)
        opaque = self.entries.get("/" + path, {}).get("opaque")
        if path not in self.scope.directories:
            self._make_directory(path)
        self.attributes[path] = member
        self._record(path, member, "dir", **({"opaque": True} if opaque else {}))

    def _symlink(self, name: str, member: tarfile.TarInfo) -> None:
        self.doing = f"symlink {member.linkname} /{name}"
        path = self._place(name)
        self.files.symlink(member.linkname, path)
        self.scope.symlinks[path] = member.linkname
        self._record(path, member, "symlink", mode=0o777, target=member.linkname)
        self._finish(path, member, None)

    def _hard_link(self, name: str, member: tarfile.TarInfo) -> None:
        target = posixpath.normpath(member.linkname.lstrip("/"))
        if target == ".." or target.startswith("../"):
            raise escape(f'invalid hardlink "/{name}" -> "{member.linkname}"', path=f"/{name}", target=member.linkname)
        self.doing = f"link /{target} /{name}"
        source, missing = self.scope.locate(target)
        if missing or source not in self.scope:
            raise FileNotFoundError(errno.ENOENT, strerror(errno.ENOENT), target)
        path = self._place(name)
        self.files.link(source, path)
        if source in self.scope.symlinks:
            self.scope.symlinks[path] = self.scope.symlinks[source]
        else:
            self.scope.others.add(path)
        entry = self.entries["/" + path] = self.entries["/" + source]
        if entry["kind"] == "file":
            entry["nlink"] = entry.get("nlink", 1) + 1

    def _fifo(self, name: str, member: tarfile.TarInfo) -> None:
        self._node(name, member, "fifo", S_IFIFO, 0)

    def _device(self, name: str, member: tarfile.TarInfo) -> None:
        kind, bits = ("char", S_IFCHR) if member.type == tarfile.CHRTYPE else ("block", S_IFBLK)
        number = (member.devmajor, member.devminor)
        if kind == "char" and number == (0, 0):
            self._node(name, member, "whiteout", bits, 0)
            return
        if kind == "block" or number not in HARMLESS_DEVICES:
            self._refuse_device(name, kind, *number)
        if not self.rootless:
            self._node(name, member, kind, bits, number[0] << 8 | number[1], rdev=list(number))

    def _refuse_device(self, name: str, kind: str, major: int, minor: int) -> None:
        raise InvalidArchive(
            f'failed to mknod("/{name}", {kind} device {major}:{minor}): operation not permitted',
            hint="The archive brings a device node through which a container could reach the host's hardware.",
            path=f"/{name}", device=f"{major}:{minor}",
        )  # fmt: skip

    def _node(self, name: str, member: tarfile.TarInfo, kind: str, bits: int, device: int, **more: Any) -> None:
        self.doing = f"mknod /{name}"
        path = self._place(name)
        mode = member.mode & 0o777
        self.files.mknod(path, bits | mode, device)
        self.scope.others.add(path)
        self._record(path, member, kind, **more)
        self._finish(path, member, mode)

    def _whiteout(self, name: str, base: str, member: tarfile.TarInfo) -> None:
        directory = posixpath.dirname(name)
        if base == OPAQUE:
            self._opaque(directory)
            return
        hidden = base.removeprefix(WHITEOUT)
        target = posixpath.normpath(posixpath.join("/", directory, hidden))
        self.doing = f'failed to mknod("{target}", S_IFCHR, 0)'
        if hidden in ("", ".", ".."):
            hint = "A whiteout hides one name in its own directory."
            raise InvalidArchive(f"{self.doing}: file exists", hint=hint, path=name)
        path, missing = self.scope.locate(posixpath.join(directory, hidden))
        for parent in missing:
            self._make_directory(parent)
        self.files.mknod(path, S_IFCHR, 0)
        self.scope.others.add(path)
        self.entries["/" + path] = {"kind": "whiteout"}
        self._chown(path, member.uid, member.gid)

    def _opaque(self, directory: str) -> None:
        self.doing = f'setxattr("/{directory}", {self.opaque_xattr}=y)'
        path, missing = self.scope.locate(posixpath.join(directory, "."))
        path = posixpath.normpath(path) if directory else ""
        for parent in missing:
            self._make_directory(parent)
        self.files.setxattr(path or ".", self.opaque_xattr, b"y")
        self.entries["/" + path]["opaque"] = True

    # what an entry is like

    def _finish(self, path: str, member: tarfile.TarInfo, made_with: int | None) -> None:
        """Set owner, mode, extended attributes and times, in this order: each would undo one of the later ones."""
        self.doing = f"lchown /{path}"
        self._chown(path, member.uid, member.gid)
        mode = member.mode & 0o7777
        if made_with is not None and mode != made_with:
            self.doing = f"chmod /{path}"
            self.files.chmod(path, mode)
        if member.pax_headers:
            self._set_xattrs(path, member)
        self.doing = f"chtimes /{path}"
        self.files.utime(path, ns=(atime_ns(member), mtime_ns(member)), follow_symlinks=False)

    def _chown(self, path: str, uid: int, gid: int) -> None:
        if (uid, gid) == self.owner:
            return
        try:
            self.files.lchown(path, uid, gid)
        except OSError as error:
            if not (self.rootless and error.errno in (errno.EINVAL, errno.EPERM)):
                raise
            self._keep_owner(path, uid, gid)

    def _keep_owner(self, path: str, uid: int, gid: int) -> None:
        try:
            self.files.setxattr(path, OWNER_XATTR, f"{uid}:{gid}".encode(), follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP):  # symlinks and nodes take no user attributes
                raise

    def _set_xattrs(self, path: str, member: tarfile.TarInfo) -> None:
        for key, value in member.pax_headers.items():
            name = key.removeprefix(_PAX_XATTR)
            if name == key or name.startswith(OVERLAY_XATTRS):
                continue
            self.doing = f"lsetxattr {name} /{path}"
            try:
                self.files.setxattr(path, name, value.encode("utf-8", "surrogateescape"), follow_symlinks=False)
            except PermissionError:
                continue  # as Docker does: it may not be allowed here, and the file is of use without it

    def _record(self, path: str, member: tarfile.TarInfo, kind: str, **more: Any) -> None:
        entry = {"kind": kind, "mode": member.mode & 0o7777, "uid": member.uid, "gid": member.gid}
        self.entries["/" + path] = {"kind": kind} if kind == "whiteout" else entry | more

    def _size(self) -> int:
        """Return the bytes of files, hard links once, and of symlinks' targets: what Docker calls a layer's size."""
        once = {id(entry): entry for entry in self.entries.values()}
        targets = [entry["target"].encode("utf-8", "replace") for entry in once.values() if "target" in entry]
        size: int = sum(entry.get("size", 0) for entry in once.values())
        return size + sum(map(len, targets))


_MAKERS: Final[dict[bytes, Callable[[_Unpacking, str, tarfile.TarInfo], None]]] = {
    tarfile.REGTYPE: _Unpacking._file,  # noqa: SLF001  this module's own class
    tarfile.AREGTYPE: _Unpacking._file,  # noqa: SLF001
    tarfile.GNUTYPE_SPARSE: _Unpacking._file,  # noqa: SLF001
    tarfile.DIRTYPE: _Unpacking._directory,  # noqa: SLF001
    tarfile.SYMTYPE: _Unpacking._symlink,  # noqa: SLF001
    tarfile.LNKTYPE: _Unpacking._hard_link,  # noqa: SLF001
    tarfile.FIFOTYPE: _Unpacking._fifo,  # noqa: SLF001
    tarfile.CHRTYPE: _Unpacking._device,  # noqa: SLF001
    tarfile.BLKTYPE: _Unpacking._device,  # noqa: SLF001
}
