"""Goals: is what lies in a directory what a level wants? Both are told in the language of layers."""

from collections.abc import Mapping
from typing import Any

from minidocker.lab.layers import Layer, Value, lines, rows


def differences(wanted: Layer, found: Layer) -> list[str]:
    """Return in words what is not as wanted, by path; nothing if all is. Parents that go without saying are added."""
    left, right = entries(wanted), entries(found)
    said = []
    for name in sorted(left.keys() | right.keys()):
        if name not in right:
            said.append(f"wanted, but not there: {_line(name, left[name])}")
        elif name not in left:
            said.append(f"there, but not wanted: {_line(name, right[name])}")
        elif not _same(left[name][1], right[name][1]) or left[name][0] != right[name][0]:
            said.append(f"there is {_line(name, right[name])}, wanted is {_line(name, left[name])}")
    return said


def entries(layer: Layer) -> dict[str, tuple[bool, Value]]:
    """Return a layer's entries by path without the slash of directories: (is it a directory, what it is)."""
    return {path.rstrip("/"): (path.endswith("/"), value) for path, value in rows(layer) if path != "/"}


def own_bytes(layers: Any) -> int:
    """Return the bytes of all files in some layers."""
    return sum(_size(value) for layer in layers for _, value in entries(layer).values())


def _size(value: Value) -> int:
    if isinstance(value, Mapping):
        return int(value["size"]) if "size" in value else len(_data(value.get("data", "")))
    return 0 if value is None else len(_data(value))


def _data(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _same(wanted: Value, found: Value) -> bool:
    """Tell whether two values mean the same; a wanted size is content enough."""
    if wanted is None or found is None:
        return wanted is found
    left, right = _spelled(wanted), _spelled(found)
    if "size" in left:
        return {**left, "data": 0} == {**right, "size": _size(found), "data": 0}
    return left == right


def _spelled(value: str | bytes | Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {"data": _data(value)}
    spelled = {key: held for key, held in value.items() if key != "sum" and held is not False}
    return spelled | ({"data": _data(spelled["data"])} if "data" in spelled else {})


def _line(name: str, entry: tuple[bool, Value]) -> str:
    is_directory, value = entry
    return lines({name + "/" * is_directory: value})[0]
