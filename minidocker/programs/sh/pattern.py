"""Patterns with ``*``, ``?`` and ``[…]``: matching text, and the names in directories (glob(7)).

A backslash takes a character's special meaning away; the expansion puts one before everything that was quoted.
"""

import re
from functools import lru_cache
from typing import Final

from minidocker.system import System

_CLASSES: Final = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": r" \t", "digit": "0-9", "lower": "a-z", "upper": "A-Z",
    "punct": r"!-/:-@\[-`{-~", "space": r"\s", "xdigit": "0-9a-fA-F",
}  # fmt: skip
_MAGIC: Final = re.compile(r"(?:[^\\]|\\.)*?[*?\[]", re.DOTALL)


def escape(text: str) -> str:
    """Return a pattern that matches just this text."""
    return re.sub(r"([*?\[\]\\!^-])", r"\\\1", text)


def unescape(pattern: str) -> str:
    """Return a pattern's text when it is not taken for a pattern."""
    return re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL)


def is_magic(pattern: str) -> bool:
    """Tell whether there is a special character that is not escaped."""
    return _MAGIC.match(pattern) is not None


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a pattern; it is to be matched against the whole text."""
    return re.compile(to_regex(pattern), re.DOTALL)


def to_regex(pattern: str, *, greedy: bool = True) -> str:
    """Return a pattern as a regular expression; ``greedy`` says whether ``*`` takes as much as it can."""
    regex, position = "", 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "*":
            regex += ".*" if greedy else ".*?"
        elif char == "?":
            regex += "."
        elif char == "\\" and position < len(pattern):
            regex += re.escape(pattern[position])
            position += 1
        elif char == "[" and (end := _bracket_end(pattern, position)) > 0:
            regex += _bracket(pattern[position:end])
            position = end + 1
        else:
            regex += re.escape(char)
    return regex


def _bracket_end(pattern: str, start: int) -> int:
    """Return where the closing bracket is; 0 if there is none, and the opening one then stands for itself."""
    position = start + (pattern[start : start + 1] in ("!", "^"))
    position += pattern[position : position + 1] == "]"
    while position < len(pattern) and pattern[position] != "]":
        if pattern.startswith("[:", position) and (end := pattern.find(":]", position)) > 0:
            position = end + 1
        position += 2 if pattern[position] == "\\" else 1
    return position if position < len(pattern) else 0


def _bracket(content: str) -> str:
    negated = content[:1] in ("!", "^")
    content = content[1:] if negated else content
    inside = re.sub(r"\[:(\w+):\]|\\(.)|([\[\]^&~|\\])", _bracket_part, content)
    return f"[{'^' if negated else ''}{inside}]" if inside else ("." if negated else r"(?!)")


def _bracket_part(match: re.Match[str]) -> str:
    if match[1]:
        return _CLASSES.get(match[1], "")
    return "\\" + (match[2] or match[3])


def matches(pattern: str, text: str) -> bool:
    """Tell whether a pattern matches the whole of a text."""
    return compiled(pattern).fullmatch(text) is not None


def without_prefix(text: str, pattern: str, *, longest: bool) -> str:
    """Return a text less the shortest, or longest, beginning that a pattern matches."""
    ends = range(len(text) + 1)
    for end in reversed(ends) if longest else ends:
        if matches(pattern, text[:end]):
            return text[end:]
    return text


def without_suffix(text: str, pattern: str, *, longest: bool) -> str:
    """Return a text less the shortest, or longest, end that a pattern matches."""
    starts = range(len(text) + 1)
    for start in starts if longest else reversed(starts):
        if matches(pattern, text[start:]):
            return text[:start]
    return text


async def path_names(k: System, pattern: str) -> list[str]:
    """Return the paths that a pattern matches, sorted. Only its parts with special characters cost a listing."""
    found = ["/"] if pattern.startswith("/") else [""]
    parts = [part for part in pattern.split("/") if part]
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        found = [path for parent in found for path in await _step(k, parent, part, last=last)]
    if pattern.endswith("/") and parts:
        return [path + "/" for path in found if await _exists(k, path + "/")]
    return found


async def _step(k: System, parent: str, part: str, *, last: bool) -> list[str]:
    prefix = parent if parent in ("", "/") else parent + "/"
    if not is_magic(part):
        path = prefix + unescape(part)
        return [path] if not last or await _exists(k, path) else []
    try:
        names = await k.listdir(parent or ".")
    except OSError:
        return []
    hidden = unescape(part).startswith(".")
    return [prefix + name for name in sorted(names) if name.startswith(".") == hidden and matches(part, name)]


async def _exists(k: System, path: str) -> bool:
    try:
        await k.lstat(path)
    except OSError:
        return False
    return True
