"""The text of a learner's own functions: its lines, the same without one of them, and running it.

Functions of a notebook cannot be imported by another process. So what travels to a kernel is their text, and a task
there makes functions of it again: the same text on both kernels.
"""

import ast
import inspect
import textwrap
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

from minidocker import linux
from minidocker.system import System

#: What the text calls itself in a traceback.
_FILE: Final = "<your calls>"

#: What the text may use besides ``k``: Linux's constants, and these.
_BUILTINS: Final = ("bool", "bytes", "dict", "int", "len", "list", "print", "range", "sorted", "str", "tuple")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One statement of one function. ``first`` and ``last`` are its lines in the text, from 0 on."""

    number: int
    function: str
    first: int
    last: int
    text: str


@dataclass(frozen=True, slots=True)
class OwnText:
    """The text of some functions; the first one is where it begins."""

    source: str

    @classmethod
    def of(cls, *functions: Callable[..., Any]) -> "OwnText":
        """Return the text of functions as they were written; ValueError for what is no ``async def``."""
        for function in functions:
            if not inspect.iscoroutinefunction(function):
                raise ValueError(f"{getattr(function, '__name__', function)!r} is not an async function")
        parts = (textwrap.dedent(inspect.getsource(function)) for function in functions)
        return cls("\n\n".join(_undecorated(part) for part in parts))

    @property
    def main(self) -> str:
        """The name of the function where it begins."""
        return _functions(self.source)[0].name

    @property
    def lines(self) -> list[Line]:
        """Every statement of every function, numbered from 1 on; docstrings are none."""
        found = [(function.name, node) for function in _functions(self.source) for node in _statements(function)]
        return [
            Line(
                number=number,
                function=name,
                first=node.lineno - 1,
                last=(node.end_lineno or node.lineno) - 1,
                text=ast.get_source_segment(self.source, node) or "",
            )
            for number, (name, node) in enumerate(found, 1)
        ]

    def find(self, what: int | str) -> Line:
        """Return the line of a number, or the one that has a text in it (LookupError unless it is exactly one)."""
        found = [line for line in self.lines if what in (line.number, line.text) or _has(line, what)]
        if len(found) != 1:
            raise LookupError(f"{len(found)} of the lines have {what!r}")
        return found[0]

    def without(self, what: int | str) -> "OwnText":
        """Return the text with one line left out."""
        line, rows = self.find(what), self.source.splitlines()
        indent = rows[line.first][: len(rows[line.first]) - len(rows[line.first].lstrip())]
        return OwnText("\n".join([*rows[: line.first], f"{indent}pass", *rows[line.last + 1 :]]))


def _has(line: Line, what: int | str) -> bool:
    return isinstance(what, str) and what in line.text


def _functions(source: str) -> list[ast.AsyncFunctionDef]:
    return [node for node in ast.parse(source).body if isinstance(node, ast.AsyncFunctionDef)]


def _statements(function: ast.AsyncFunctionDef) -> list[ast.stmt]:
    skipped = 1 if ast.get_docstring(function) is not None else 0
    return function.body[skipped:]


def _undecorated(source: str) -> str:
    """Return a function's text from its ``async def`` on."""
    rows = source.splitlines()
    return "\n".join(rows[_functions(source)[0].lineno - 1 :])


async def run_text(k: System, source: str, given: Mapping[str, Any]) -> int:
    """Be a learner's functions: make them of their text, and run the first. A call that fails ends it, in words.

    Their mounts are a copy, and the host's own files in it read-only: on a real kernel they are somebody's.
    """
    space: dict[str, Any] = {**_constants(), **given, "__name__": "calls", "__builtins__": _builtins()}
    await k.mount("/var/lib", "/var/lib", "", linux.MS_BIND | linux.MS_REC)
    with suppress(OSError):  # a user's own mounts may not be changed, and he could do no harm
        await k.mount("", "/", "", linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY)
    exec(compile(source, _FILE, "exec"), space)  # noqa: S102  it is the learner's own program, run as a task of its own
    for name in [function.name for function in _functions(source)]:
        space[name] = _telling(space[name], source)
    code: int = await space[OwnText(source).main](k)
    return code


def _constants() -> dict[str, Any]:
    return {name: value for name, value in vars(linux).items() if name.isupper()}


def _builtins() -> dict[str, Any]:
    import builtins  # noqa: PLC0415  its names are looked up, not used

    return {name: getattr(builtins, name) for name in (*_BUILTINS, "OSError", "__build_class__")}


def _telling(main: Callable[..., Awaitable[Any]], source: str) -> Callable[..., Awaitable[int]]:
    """Return a function that says on standard error which of its lines failed, and ends with 1."""

    @wraps(main)
    async def told(k: System, *args: Any) -> int:
        try:
            return int(await main(k, *args) or 0)
        except Exception as error:  # noqa: BLE001  whatever a learner's line raises, he is told which line it was
            await k.write(2, f"{_where(error, source)}\n  {_said(error)}\n".encode())
            return 1

    return told


def _said(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{linux.errno_name(error.errno)} ({linux.strerror(error.errno)})"
    return f"{type(error).__name__}: {error}"


def _where(error: Exception, source: str) -> str:
    """Return the line of the text at which an error was raised, with its number among the statements."""
    trace, row = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _FILE:
            row = trace.tb_lineno - 1
        trace = trace.tb_next
    line = next((line for line in OwnText(source).lines if line.first <= row <= line.last), None)
    return "" if line is None else f"line {line.number}: {line.text.strip()}"
