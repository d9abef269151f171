"""What a name of the merged tree leads to: the search through the layers, from the top down.

A file found ends the search; a directory is merged with those of the same name below it, until one is opaque; a
whiteout ends it with nothing, or with what was found above it.
"""

import errno
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import ref

from minidocker.linux import NAME_MAX, S_IFREG, fail
from minidocker.sim.overlay.inode import Lower, OverlayInode
from minidocker.sim.overlay.inode_numbers import origin_of, set_origin
from minidocker.sim.overlay.opaque import OPAQUE, is_opaque
from minidocker.sim.overlay.xattr import mark, set_impure

if TYPE_CHECKING:
    from minidocker.sim.dentry import Dentry
    from minidocker.sim.inode import Inode
    from minidocker.sim.overlay.superblock import Overlay


@dataclass(slots=True)
class Search:
    """How far a search is. ``path`` is a name in the directory, or after an absolute redirect a path from the root."""

    overlay: "Overlay"
    path: str
    is_dir: bool = False
    opaque: bool = False
    stop: bool = False
    last: bool = False
    redirect: str | None = None
    metacopy: bool = False
    found: list[Lower] = field(default_factory=list)

    def look(self, directory: "Dentry") -> "Dentry | None":
        """Look into one layer's directory (or from the layer's root, if the path is absolute)."""
        if not self.path.startswith("/"):
            return self._step(directory, self.path, "")
        here: Dentry | None = directory
        names = self.path[1:].split("/")
        for number, name in enumerate(names, 1):
            if here is None or here.inode is None or not here.inode.is_dir:
                break
            here = self._step(here, name, "".join(f"/{later}" for later in names[number:]))
        return here

    def check_allowed(self) -> None:
        """Refuse a file without data, and a redirect where those are not followed (EPERM)."""
        if self.metacopy or (self.redirect is not None and not self.overlay.settings.follows):
            fail(errno.EPERM)

    def _step(self, directory: "Dentry", name: str, rest: str) -> "Dentry | None":
        """Look one name up in one layer; ``rest`` is what follows it in an absolute path."""
        if len(name.encode("utf-8", "surrogateescape")) > NAME_MAX:
            return None
        dentry = directory.child(name)
        inode = dentry.inode
        if inode is None:
            return None
        if inode.is_whiteout:
            self.stop = self.opaque = True
            return None
        if not inode.is_dir:
            return self._file(dentry, inode, rest)
        if not rest:
            self.is_dir = True
        if self.last:
            return dentry
        if is_opaque(self.overlay, dentry):
            self.stop = True
            if not rest:
                self.opaque = True
            return dentry
        self._redirect(dentry, name, rest)
        return dentry

    def _file(self, dentry: "Dentry", inode: "Inode", rest: str) -> "Dentry | None":
        """A file ends the search; below a directory it is hidden by it."""
        self.stop = True
        if self.is_dir or rest:
            return None
        if inode.kind == S_IFREG and mark(self.overlay, dentry, "metacopy") is not None:
            self.metacopy = True
        return dentry

    def _redirect(self, dentry: "Dentry", name: str, rest: str) -> None:
        """A renamed directory says where lower layers have it: a name, or an absolute path."""
        value = mark(self.overlay, dentry, "redirect")
        if not value:
            return
        redirect = value.decode("utf-8", "surrogateescape")
        if redirect.startswith("/"):
            if "//" in redirect or redirect.endswith("/"):
                return
            self.stop = False
            self.path = redirect + rest
        elif "/" in redirect:
            return
        else:
            before = self.path[: len(self.path) - len(rest) - len(name)]
            self.path = before + redirect + rest
        self.redirect = self.path


def lookup(overlay: "Overlay", parent: OverlayInode, dentry: "Dentry") -> None:
    """Search for a name in the layers of its directory, and keep the answer in the dentry cache."""
    search = Search(overlay, dentry.name, last=not overlay.settings.follows and not parent.lower)
    upper = search.look(parent.upper) if parent.upper is not None else None
    search.check_allowed()
    upper_redirect, upper_opaque = search.redirect, search.opaque
    origin = None
    if upper is not None and not search.is_dir:
        origin = origin_of(overlay, upper)
    stack = _root_stack(overlay) if search.path.startswith("/") else parent.lower
    if not search.stop:
        _look_below(search, stack, dentry, upper)
    lower = tuple(search.found)
    if not lower and origin is not None:
        layers = [layer for layer in overlay.lowers if layer.root.superblock is origin.superblock]
        lower = tuple((layer, origin) for layer in layers[:1])
    if upper_opaque:
        dentry.extra |= OPAQUE
    if upper is not None or lower:
        dentry.inode = get_inode(overlay, upper, lower, upper_redirect)
        _take_alias(dentry.inode, dentry)
    dentry.cache()


def _root_stack(overlay: "Overlay") -> tuple[Lower, ...]:
    return tuple((layer, layer.root) for layer in overlay.lowers)


def _look_below(search: Search, stack: tuple[Lower, ...], dentry: "Dentry", upper: "Dentry | None") -> None:
    """Search the lower layers of the directory's stack."""
    overlay = search.overlay
    follows = overlay.settings.follows
    from_root = search.path.startswith("/")
    number = 0
    while number < len(stack):
        layer, directory = stack[number]
        number += 1
        search.last = layer.index == len(overlay.lowers) if follows else number == len(stack)
        found = search.look(directory)
        if found is None:
            if search.stop:
                break
            continue
        if upper is not None and not search.found and search.is_dir:
            _fix_origin(overlay, dentry, upper, found)
        search.found.append((layer, found))
        search.check_allowed()
        if search.stop:
            break
        if search.redirect is not None and search.redirect.startswith("/") and not from_root:
            from_root = True
            stack = _root_stack(overlay)
            number = layer.index


def _fix_origin(overlay: "Overlay", dentry: "Dentry", upper: "Dentry", lower: "Dentry") -> None:
    """Note the origin of a merged directory that somebody else put into the upper layer."""
    if mark(overlay, upper, "origin") is None and not overlay.readonly:
        set_origin(overlay, upper, lower)
        parent = dentry.parent.inode
        assert isinstance(parent, OverlayInode)
        if parent.upper is not None:
            set_impure(overlay, parent.upper)


def _take_alias(inode: OverlayInode, dentry: "Dentry") -> None:
    """A directory has one dentry: found at another place (by a redirect), it leaves the old one (d_splice_alias)."""
    if not inode.is_dir:
        return
    before = inode.alias() if inode.alias is not None else None
    if before is not None and before is not dentry and before.inode is inode:
        before.drop()
    inode.alias = ref(dentry)


def get_inode(
    overlay: "Overlay", upper: "Dentry | None", lower: tuple[Lower, ...], redirect: str | None
) -> OverlayInode:
    """Return the overlay's inode for what was found: the one there is, or a new one.

    Two names of one file share it. A lower file with several names has an inode for each while there is an upper layer:
    a copy-up will part them.
    """
    real = upper or lower[0][1]
    assert real.inode is not None
    by_lower = _is_known_by_lower(overlay, upper, lower)
    key = lower[0][1].inode if by_lower else upper.inode if upper is not None else None
    if key is not None:
        known = overlay.inodes.get(key)
        if known is not None:
            _verify(known, upper, lower)
            return known
    merges = real.inode.is_dir and (
        bool(upper is not None and lower) or len(lower) > 1 or mark(overlay, real, "origin") is not None
    )
    inode = OverlayInode(overlay, upper, lower, const_ino=by_lower, shows_whiteouts=not merges)
    inode.redirect = redirect
    if key is not None:
        overlay.inodes[key] = inode
    return inode


def _is_known_by_lower(overlay: "Overlay", upper: "Dentry | None", lower: tuple[Lower, ...]) -> bool:
    """Does the lower inode tell which overlay inode it is, now and after a copy-up?"""
    if not lower:
        return False
    original = lower[0][1].inode
    assert original is not None
    return overlay.upper is None or original.is_dir or original.nlink == 1


def _verify(known: OverlayInode, upper: "Dentry | None", lower: tuple[Lower, ...]) -> None:
    """The inode that is known must stand for the same files (ESTALE)."""
    original = lower[0][1].inode if lower else None
    known_lower = known.lower[0][1].inode if known.lower else None
    known_upper = known.upper.inode if known.upper is not None else None
    if known.real.is_dir and ((original is None and known_lower) or (upper is None and known_upper)):
        fail(errno.ESTALE)
    if original is not None and known_lower is not original:
        fail(errno.ESTALE)
    if upper is not None and known_upper is not upper.inode:
        fail(errno.ESTALE)
