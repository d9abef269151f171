"""Cases: random small stacks and calls on them, for questions without end. The same seed gives the same case."""

import random
from collections.abc import Sequence
from typing import Any, Final

from minidocker.lab.layers import Layer, Value
from minidocker.lab.union import Union

#: The names that a case plays with: few, so that layers meet.
FILES: Final = ("/a", "/b", "/d/x", "/d/y")
DIRECTORY: Final = "/d"
WORDS: Final = ("one", "two", "three", "four", "five", "six")

Call = tuple[str, tuple[Any, ...]]


def stack(draw: random.Random) -> list[Layer]:
    """Return two or three layers, the lowest first: files, above them whiteouts, an opaque directory, new contents."""
    lowest: dict[str, Value] = {path: draw.choice(WORDS) for path in FILES if draw.random() < 0.85}
    lowest.setdefault("/d/x", draw.choice(WORDS))
    return [lowest, *(_higher(draw) for _ in range(draw.choice((1, 2))))]


def _higher(draw: random.Random) -> Layer:
    """Return a layer to lie on others. A whiteout lies only where its own layer has nothing else."""
    layer: dict[str, Value] = {}
    if draw.random() < 0.3:
        layer["/d/"] = {"opaque": True}
    for path in FILES:
        chance = draw.random()
        if chance < 0.25 and not (path.startswith("/d/") and "/d/" in layer):
            layer[path] = None
        elif chance < 0.5:
            layer[path] = draw.choice(WORDS)
    return layer or {"/a": draw.choice(WORDS)}


def calls(draw: random.Random, count: int = 5) -> list[Call]:
    """Return calls to be made one after the other; some will fail, as Linux wants it."""
    return [_call(draw) for _ in range(count)]


def _call(draw: random.Random) -> Call:
    path = draw.choice(FILES)
    made: Sequence[Call] = (
        ("append_text", (path, "!")),
        ("unlink", (path,)),
        ("chmod", (path, 0o600)),
        ("rename", (path, draw.choice(("/n", *FILES)))),
        ("rename", (DIRECTORY, "/e")),
        ("rmdir", (DIRECTORY,)),
        ("mkdir", (DIRECTORY, 0o755)),
        ("link", (path, "/l")),
        ("write_text", (path, "new")),
    )
    return draw.choice(made)


def play(union: Union, made: Sequence[Call]) -> None:
    """Make the calls; that one fails is part of the case."""
    for name, args in made:
        try:
            getattr(union, name)(*args)
        except OSError:
            continue
