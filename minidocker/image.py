"""An image: a config in JSON, whose digest is the image's ID, and the layers that the config names.

The config is the OCI image configuration (github.com/opencontainers/image-spec, config.md), which Docker also writes.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from minidocker.digest import Digest
from minidocker.errors import InvalidArchive, InvalidParameter

#: Go's names of machines, as images have them, by uname's.
GO_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386", "wasm32": "amd64"}

#: How deep a document may nest. Go allows 10,000; WebAssembly's stack does not bear 5,000 objects.
MAX_DEPTH: Final = 500
_STRING_OR_BRACKET: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[][{}]', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """How a container of the image starts when nobody says otherwise. ``raw`` is all of it, as the document has it."""

    env: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    stop_signal: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ImageConfig":
        """Return the start values out of a config's ``config`` member."""
        return cls(
            env=_strings(value, "Env"),
            cmd=_strings(value, "Cmd"),
            entrypoint=_strings(value, "Entrypoint"),
            working_dir=_typed(value, "WorkingDir", str, ""),
            user=_typed(value, "User", str, ""),
            stop_signal=_typed(value, "StopSignal", str, ""),
            labels=_typed(value, "Labels", dict, {}),
            exposed_ports=tuple(_typed(value, "ExposedPorts", dict, {})),
            volumes=tuple(_typed(value, "Volumes", dict, {})),
            raw=value,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One line of ``docker history``. ``empty_layer`` is true where the step changed the config only."""

    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "History":
        """Return one entry of a config's ``history``."""
        return cls(
            created=_typed(value, "created", str, ""),
            created_by=_typed(value, "created_by", str, ""),
            author=_typed(value, "author", str, ""),
            comment=_typed(value, "comment", str, ""),
            empty_layer=_typed(value, "empty_layer", bool, False),
        )


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image, without its layers' bytes. ``diff_ids`` are the digests of the uncompressed layers, lowest first."""

    document: bytes
    architecture: str
    os: str
    variant: str = ""
    created: str = ""
    author: str = ""
    comment: str = ""
    config: ImageConfig
    diff_ids: tuple[Digest, ...]
    history: tuple[History, ...] = ()

    @classmethod
    def from_document(cls, document: bytes) -> "Image":
        """Return the image that a config document describes; InvalidArchive, in Go's words, if it describes none."""
        value = json_object(document)
        rootfs = _typed(value, "rootfs", dict, {})
        return cls(
            document=document,
            architecture=_typed(value, "architecture", str, ""),
            os=_typed(value, "os", str, ""),
            variant=_typed(value, "variant", str, ""),
            created=_typed(value, "created", str, ""),
            author=_typed(value, "author", str, ""),
            comment=_typed(value, "comment", str, ""),
            config=ImageConfig.from_json(_typed(value, "config", dict, {})),
            diff_ids=tuple(archive_digest(text) for text in _strings(rootfs, "diff_ids")),
            history=tuple(History.from_json(_member(entry)) for entry in _typed(value, "history", list, [])),
        )

    @cached_property
    def id(self) -> Digest:
        """Return the image's ID: the digest of its config."""
        return Digest.of(self.document)

    @cached_property
    def chain_ids(self) -> tuple[Digest, ...]:
        """Return what names each layer *together with those below it*, lowest first: by it a layer is shared."""
        return chain_ids(self.diff_ids)

    @property
    def layer_commands(self) -> tuple[str, ...]:
        """Return, for each layer, the step of the history that made it (empty if the history doesn't tell)."""
        commands = [entry.created_by for entry in self.history if not entry.empty_layer]
        commands += [""] * (len(self.diff_ids) - len(commands))
        return tuple(commands[: len(self.diff_ids)])


def chain_ids(diff_ids: Sequence[Digest]) -> tuple[Digest, ...]:
    """Return the chain IDs: the first is its layer's diffID, each other the digest of ``"<chain below> <diffID>"``."""
    chain: list[Digest] = []
    for diff_id in diff_ids:
        below = chain[-1] if chain else None
        chain.append(diff_id if below is None else Digest(hashlib.sha256(f"{below} {diff_id}".encode()).hexdigest()))
    return tuple(chain)


def json_value(document: bytes) -> Any:
    """Return a JSON document's value; InvalidArchive, in the words of Go's encoding/json, if it is none."""
    _bound_depth(document)
    try:
        return json.loads(document.decode())
    except UnicodeDecodeError as error:
        raise InvalidArchive("invalid character in a JSON document: not UTF-8", position=error.start) from error
    except json.JSONDecodeError as error:
        if not error.doc[error.pos :].strip() or error.msg.startswith("Unterminated"):
            raise InvalidArchive("unexpected end of JSON input", position=error.pos) from error
        found = error.doc[error.pos]
        raise InvalidArchive(f"invalid character {found!r}: {error.msg}", position=error.pos) from error
    except (RecursionError, ValueError) as error:
        raise InvalidArchive(f"invalid JSON document: {error}") from error


def _bound_depth(document: bytes) -> None:
    """Refuse what nests deeper than MAX_DEPTH, before Python's parser recurses into it."""
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(document):
        bracket = token.group()
        if bracket in {b"[", b"{"}:
            depth += 1
        elif bracket in {b"]", b"}"}:
            depth -= 1
        if depth > MAX_DEPTH:
            position = token.start()
            raise InvalidArchive(f"invalid character {bracket.decode()!r} exceeded max depth", position=position)


def json_object(document: bytes) -> Mapping[str, Any]:
    """Return a JSON document that must be an object."""
    return _member(json_value(document))


def archive_digest(text: str) -> Digest:
    """Return a digest that an archive's document names; InvalidArchive if it is none."""
    try:
        return Digest.parse(text)
    except InvalidParameter as error:
        raise InvalidArchive(error.message, hint=error.hint, digest=text) from error


def _member(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidArchive(f"json: cannot unmarshal {_kind(value)} into Go value of type object", found=_kind(value))
    return value


def _typed(value: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:
    """Return a member of a JSON object; absent and null are the default, as in Go; InvalidArchive for another type."""
    found = value.get(key)
    if found is None:
        return default
    if not isinstance(found, kind):
        raise InvalidArchive(f"json: cannot unmarshal {_kind(found)} into Go struct field {key}", field=key)
    return found


def _strings(value: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = _typed(value, key, list, [])
    for item in found:
        if not isinstance(item, str):
            message = f"json: cannot unmarshal {_kind(item)} into Go struct field {key} of type string"
            raise InvalidArchive(message, field=key)
    return tuple(found)


def _kind(value: Any) -> str:
    kinds = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "null")
