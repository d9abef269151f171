"""The tree that a layer has made so far, as names only: it says where an entry lands without asking the kernel.

A layer is unpacked into a directory that was empty, so all that can lead out of it came from the layer itself. Paths
are followed here as a kernel follows them below a chroot: a symlink to ``/etc`` leads to the *layer's* ``/etc``. So no
entry can reach the host's files, and no system call is spent on looking.
"""

import errno
import posixpath
from typing import Final

from minidocker.errors import EngineError, InvalidArchive
from minidocker.linux import fail

#: path_resolution(7): following more symlinks than this is ELOOP.
MAX_SYMLINKS: Final = 40

ESCAPE_HINT: Final = "The archive tries to write outside of the layer. Whoever made it made a mistake, or means harm."


class Scope:
    """The names below one root: ``""`` is the root itself, every other path has no slash at its ends."""

    def __init__(self) -> None:
        """Start with an empty root."""
        self.directories: set[str] = {""}
        self.symlinks: dict[str, str] = {}
        self.others: set[str] = set()

    def __contains__(self, path: str) -> bool:
        """Tell whether something has the name."""
        return path in self.others or path in self.directories or path in self.symlinks

    def forget(self, path: str) -> None:
        """Take a name, and everything below it, out."""
        self.others.discard(path)
        self.symlinks.pop(path, None)
        if path in self.directories:
            below = path + "/"
            self.directories = {name for name in self.directories if name != path and not name.startswith(below)}
            self.others = {name for name in self.others if not name.startswith(below)}
            self.symlinks = {name: target for name, target in self.symlinks.items() if not name.startswith(below)}

    def locate(self, name: str) -> tuple[str, list[str]]:
        """Return where a name really is, its directory's symlinks followed, and which directories must be made first.

        ENOTDIR if something above it is no directory, ENOENT if a symlink above it leads to nothing, ELOOP if there are
        too many; InvalidArchive if one climbs out of the root.
        """
        head, _, base = name.rpartition("/")
        if head in self.directories:
            return name, []
        directory, missing = self._walk(head)
        return posixpath.join(directory, base), missing

    def _walk(self, path: str) -> tuple[str, list[str]]:
        current, missing, links = "", [], 0
        pending = [(part, "") for part in reversed(path.split("/"))]
        while pending:
            part, link = pending.pop()
            if part == "..":
                current = self._parent(current, link)
                continue
            current = posixpath.join(current, part) if part not in ("", ".") else current
            if current in self.symlinks:
                links += 1
                if links > MAX_SYMLINKS:
                    fail(errno.ELOOP, path)
                target, link = self.symlinks[current], current
                pending += [(step, link) for step in reversed(target.split("/"))]
                current = "" if target.startswith("/") else posixpath.dirname(current)
            elif current in self.others:
                fail(errno.ENOTDIR, path)
            elif current not in self.directories:
                if link:
                    fail(errno.ENOENT, path)
                missing.append(current)
        return current, missing

    def _parent(self, current: str, link: str) -> str:
        if not current:
            target = self.symlinks.get(link, "")
            raise escape(f'invalid symlink "/{link}" -> "{target}"', path=link, target=target)
        return posixpath.dirname(current)


def clean(name: str) -> str:
    """Return an entry's name below the root, ``""`` for the root; InvalidArchive if it is absolute or climbs out."""
    if name[:1] not in (".", "/", "") and "/." not in name and "//" not in name:
        return name
    path = posixpath.normpath(name) if name else "."
    if path == ".." or path.startswith(("/", "../")):
        raise escape(f'"{name}" is outside of "/"', path=name)
    return "" if path == "." else path


def escape(message: str, **data: str) -> EngineError:
    """Return the error for an entry that would land outside of its root (Docker calls it a breakout)."""
    return InvalidArchive(message, hint=ESCAPE_HINT, **data)
