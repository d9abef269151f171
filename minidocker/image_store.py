"""The images that an engine has, and their layers on a kernel's disk.

A layer is unpacked once, to ``/var/lib/docker/overlay2/<chain ID>/diff``, and shared by every image that has it *on the
same layers below*: that is what a chain ID names. Directories are named by it, so that both kernels use the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from minidocker import errors, overlay2
from minidocker.archive import ArchivedImage, read_archive
from minidocker.digest import Digest
from minidocker.errors import Conflict, EngineError, InvalidReference, NoSuchImage
from minidocker.image import Image
from minidocker.kernel import Kernel
from minidocker.layer import unpack_layer_job
from minidocker.reference import Reference
from minidocker.remap import Remap
from minidocker.tree import remove_tree

#: A trace carries at most so many of a layer's entries, and those that it touches.
ENTRIES_MAX: Final = 2000


@dataclass(slots=True, kw_only=True)
class Layer:
    """A layer on disk. ``images`` are the IDs of those that use it; ``entries`` is what its archive brought."""

    chain_id: Digest
    diff_id: Digest
    size: int
    entries: Mapping[str, Mapping[str, Any]]
    images: set[Digest] = field(default_factory=set)

    @property
    def path(self) -> str:
        """Return the directory that is stacked."""
        return f"{layer_directory(self.chain_id)}/diff"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSummary:
    """A line of ``docker images``. ``size`` counts the bytes of all layers; ``tag`` is None for an untagged image."""

    image: Image
    repository: str | None
    tag: str | None
    size: int


class ImageStore:
    """Images by ID and by name, and layers by chain ID."""

    def __init__(
        self, kernel: Kernel, *, machine: str = "amd64", rootless: bool | None = None, remap: Remap | None = None
    ) -> None:
        """Keep images on this kernel's disk. ``machine`` chooses among several; ``rootless`` as the kernel is.

        With ``remap`` the files of layers belong to the ids that containers' users have on the host.
        """
        self._remap = remap
        self._kernel = kernel
        self._machine = machine
        self._rootless = bool(getattr(kernel, "rootless", False)) if rootless is None else rootless
        self._images: dict[Digest, Image] = {}
        self._tags: dict[str, Digest] = {}
        self._layers: dict[Digest, Layer] = {}

    # loading

    def load(self, archive: BinaryIO | bytes | Mapping[str, bytes]) -> list[str]:
        """Take an archive's images, all or none, and return the lines that ``docker load`` prints.

        Raises InvalidArchive if the archive is not to be trusted, ServerError if the disk is full.
        """
        archived = read_archive(archive, self._machine)
        added: list[Digest] = []
        try:
            for one in archived:
                for chain_id in self._add_layers(one):
                    added.append(chain_id)  # noqa: PERF402  one by one: what was added before an error must be known
        except BaseException:
            self._drop_layers(reversed(added))
            raise
        return [line for one in archived for line in self._register(one)]

    def _add_layers(self, archived: ArchivedImage) -> Iterator[Digest]:
        """Unpack the layers that are not here yet, and yield their chain IDs. Those that are here are verified too."""
        chain_ids = archived.image.chain_ids
        for number, data in archived.layers():
            if chain_ids[number] not in self._layers:
                self._layers[chain_ids[number]] = self._unpack(chain_ids[number], archived.image.diff_ids[number], data)
                yield chain_ids[number]

    def _unpack(self, chain_id: Digest, diff_id: Digest, data: bytes) -> Layer:
        directory = layer_directory(chain_id)
        found = self._kernel.job(unpack_layer_job, data, directory, self._rootless)
        if self._remap:
            self._remap.give(self._kernel, f"{directory}/diff")
        if "error" in found:
            kind: type[EngineError] = getattr(errors, found["error"])
            raise kind(found["message"], hint=found["hint"], **found["data"])
        return Layer(chain_id=chain_id, diff_id=diff_id, size=found["size"], entries=found["entries"])

    def _register(self, archived: ArchivedImage) -> Iterator[str]:
        image = archived.image
        self._images[image.id] = image
        for chain_id in image.chain_ids:
            self._layers[chain_id].images.add(image.id)
        if not archived.tags:
            yield f"Loaded image ID: {image.id}"
        for reference in archived.tags:
            old = self._tags.get(str(reference))
            if old not in (None, image.id):
                name = reference.familiar
                yield f"The image {name} already exists, renaming the old one with ID {old} to empty string"
            self._tags[str(reference)] = image.id
            yield f"Loaded image: {reference.familiar}"

    # finding

    def find(self, name: str) -> Image:
        """Return the image of a name, an ID, or the beginning of one; NoSuchImage or InvalidReference."""
        return self._images[self._find(name)]

    def _find(self, name: str) -> Digest:
        digits = name.removeprefix("sha256:")
        if len(digits) == 64 and (exact := Digest(digits)) in self._images:
            return exact
        reference = self._reference(name, digits)
        if reference is not None and (found := self._tags.get(str(reference.with_default_tag()))):
            return found
        matches = [image_id for image_id in self._images if digits and image_id.hex.startswith(digits)]
        if len(matches) == 1:
            return matches[0]
        raise NoSuchImage(name if reference is None else reference.with_default_tag().familiar, hint=self._hint(name))

    @staticmethod
    def _reference(name: str, digits: str) -> Reference | None:
        """Return the reference that a name is, or None if it can only be an ID."""
        try:
            return Reference.parse(name)
        except InvalidReference:
            if len(digits) == 64 and not digits.strip("0123456789abcdef"):
                return None
            raise

    def _hint(self, name: str) -> str:
        """Say which of the names here was probably meant."""
        names = sorted(summary_name(summary) for summary in self.summaries() if summary.repository)
        wanted = name.partition(":")[0].rpartition("/")[2]
        near = [known for known in names if wanted and wanted in known] or names
        return f"There is: {', '.join(near)}." if near else "No image has been loaded yet."

    def summaries(self) -> list[ImageSummary]:
        """Return what ``docker images`` lists: a line for each name, and one for each image without."""
        tagged = [
            self._summary(self._images[image_id], Reference.parse(name))
            for name, image_id in sorted(self._tags.items())
        ]
        untagged = [image for image_id, image in self._images.items() if image_id not in self._tags.values()]
        lines = tagged + [self._summary(image, None) for image in untagged]
        return sorted(lines, key=lambda line: line.image.created, reverse=True)

    def _summary(self, image: Image, reference: Reference | None) -> ImageSummary:
        if reference is None:
            return ImageSummary(image=image, repository=None, tag=None, size=self.size(image))
        return ImageSummary(image=image, repository=reference.familiar_name, tag=reference.tag, size=self.size(image))

    def tags(self, image: Image) -> list[str]:
        """Return an image's names, as people write them."""
        return sorted(Reference.parse(name).familiar for name, image_id in self._tags.items() if image_id == image.id)

    def size(self, image: Image) -> int:
        """Return the bytes of an image's files, each layer's counted (a file hidden by a higher layer too)."""
        return sum(self._layers[chain_id].size for chain_id in image.chain_ids)

    def inspect(self, image: Image) -> dict[str, Any]:
        """Return what ``docker image inspect`` tells of an image."""
        return {
            "Id": str(image.id),
            "RepoTags": self.tags(image),
            "RepoDigests": [],
            "Parent": "",
            "Comment": image.comment,
            "Created": image.created,
            "Author": image.author,
            "Config": dict(image.config.raw),
            "Architecture": image.architecture,
            "Os": image.os,
            "Size": self.size(image),
            "GraphDriver": {"Data": _overlay2_data(self.lowers(image)), "Name": "overlay2"},
            "RootFS": {"Type": "layers", "Layers": [str(diff_id) for diff_id in image.diff_ids]},
        }

    # layers

    def lowers(self, image: Image) -> list[str]:
        """Return the directories to stack, topmost first, as overlayfs's ``lowerdir=`` wants them."""
        return [self._layers[chain_id].path for chain_id in reversed(image.chain_ids)]

    def layer_ids(self, image: Image) -> list[str]:
        """Return what a trace calls the layers, topmost first: their chain IDs."""
        return [str(chain_id) for chain_id in reversed(image.chain_ids)]

    def trace_layers(self, image: Image) -> dict[str, dict[str, Any]]:
        """Return a trace's table of an image's layers (``docs/trace.md``, "Layer"); :func:`cut` shortens one."""
        name = (self.tags(image) or [image.id.short])[0]
        rows = zip(image.chain_ids, image.layer_commands, strict=True)
        return {
            str(chain_id): self._trace_layer(self._layers[chain_id], f"{name} · {number}", command)
            for number, (chain_id, command) in enumerate(rows, 1)
        }

    def _trace_layer(self, layer: Layer, name: str, command: str) -> dict[str, Any]:
        return {
            "name": name,
            "digest": str(layer.diff_id),
            "created_by": command,
            "bytes": layer.size,
            "entries": layer.entries,
            "complete": True,
        }

    # removing

    def tag(self, source: str, target: str) -> None:
        """Give an image one more name (``docker tag``); what had the name loses it."""
        self._tags[str(Reference.parse(target).with_default_tag())] = self._find(source)

    def remove(self, name: str, *, force: bool = False, used_by: Mapping[str, str] | None = None) -> list[str]:
        """Remove a name and, if it was the last, the image and the layers that no other has; return docker's lines.

        ``used_by`` maps the IDs of images that containers use to one such container's ID; Conflict if that forbids it.
        """
        image = self.find(name)
        names = [known for known, image_id in self._tags.items() if image_id == image.id]
        by_id = image.id.hex.startswith(name.removeprefix("sha256:"))
        wanted = names if by_id else [str(Reference.parse(name).with_default_tag())]
        if by_id and len(names) > 1 and not force:
            raise Conflict(
                f"conflict: unable to delete {image.id.short} (must be forced) - "
                "image is referenced in multiple repositories",
                hint="Name the tag to remove, or use -f.",
                image=str(image.id),
            )
        user = (used_by or {}).get(str(image.id))
        last = len(wanted) == len(names)
        if user and last and not force:
            raise in_use(name, image, user)
        for known in wanted:
            del self._tags[known]
        lines = [f"Untagged: {Reference.parse(known).familiar}" for known in wanted]
        return lines + ([f"Deleted: {gone}" for gone in self._delete(image)] if last and not user else [])

    def prune(self, used_by: Mapping[str, str] | None = None) -> list[str]:
        """Remove images that have no name and no container (``docker image prune``); return docker's lines."""
        kept = {str(image_id) for image_id in self._tags.values()} | set(used_by or {})
        idle = [image for image_id, image in self._images.items() if str(image_id) not in kept]
        return [f"deleted: {gone}" for image in idle for gone in self._delete(image)]

    def _delete(self, image: Image) -> list[Digest]:
        """Forget an image; return its ID and the chain IDs of the layers that went with it, topmost first."""
        del self._images[image.id]
        for chain_id in image.chain_ids:
            self._layers[chain_id].images.discard(image.id)
        unused = [chain_id for chain_id in reversed(image.chain_ids) if not self._layers[chain_id].images]
        self._drop_layers(unused)
        return [image.id, *unused]

    def _drop_layers(self, chain_ids: Iterator[Digest] | Sequence[Digest]) -> None:
        for chain_id in chain_ids:
            del self._layers[chain_id]
            self._kernel.job(remove_tree, layer_directory(chain_id))


def in_use(name: str, image: Image, container_id: str) -> EngineError:
    """Return the error for removing an image that a container is made of."""
    return Conflict(
        f'conflict: unable to remove repository reference "{name}" (must force) - '
        f"container {container_id[:12]} is using its referenced image {image.id.short}",
        hint=f"docker rm {container_id[:12]} first: a container needs its image's layers below its own.",
        image=str(image.id),
        container_id=container_id,
    )


def _overlay2_data(lowers: Sequence[str]) -> dict[str, str]:
    """Return what inspect tells of an image's layers as if a container were mounted on them."""
    if not lowers:
        return {}
    top = lowers[0].removesuffix("/diff")
    data = {"UpperDir": lowers[0], "MergedDir": f"{top}/merged", "WorkDir": f"{top}/work"}
    return data | ({"LowerDir": ":".join(lowers[1:])} if lowers[1:] else {})


def layer_directory(chain_id: Digest) -> str:
    """Return where a layer lies on the kernel's disk."""
    return f"{overlay2.ROOT}/{chain_id.hex}"


def summary_name(summary: ImageSummary) -> str:
    """Return a line's image as ``name:tag``, or its short ID."""
    return f"{summary.repository}:{summary.tag}" if summary.repository else summary.image.id.short


def cut(layer: Mapping[str, Any], touched: Callable[[str], bool], limit: int = ENTRIES_MAX) -> dict[str, Any]:
    """Return a trace's layer of about ``limit`` entries: what is touched, what is above, and the root's names."""
    entries: Mapping[str, Any] = layer["entries"]
    if len(entries) <= limit:
        return dict(layer)
    kept = {path for path in entries if path.count("/") == 1 or touched(path)}
    above = {path[:end] for path in kept for end in range(len(path)) if path[end] == "/" and end}
    return {
        **layer,
        "entries": {path: entry for path, entry in entries.items() if path in kept or path in above},
        "complete": False,
    }
