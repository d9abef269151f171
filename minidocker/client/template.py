"""Templates of ``--format``: of Go's text/template what shows a value, its fields, and what functions make of them.

``{{.State.Pid}}``, ``{{json .Config}}``, ``{{index .Args 0}}``, ``{{.Name | upper}}``. Control structures (if, range,
with, variables) are refused by name.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

_ACTION: Final = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
_WORD: Final = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|\||[^\s|]+')
_REFUSED: Final = ("if", "else", "end", "range", "with", "define", "template", "block", "break", "continue")


class TemplateError(Exception):
    """A template makes no sense, or has what the lab does not. ``exit_code`` is docker's, 64 if it cannot be read."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        """Take Go's words."""
        super().__init__(message)
        self.exit_code = exit_code


def render(template: str, value: Any) -> str:
    """Return the template with its actions replaced by what they say of a value."""
    if template.count("{{") > template.count("}}"):
        raise TemplateError("template parsing error: template: :1: unclosed action", 64)
    return _ACTION.sub(lambda match: _text(_pipeline(match[1].strip(), value, match.start())), template)


def _pipeline(text: str, value: Any, at: int) -> Any:
    result: list[Any] = []
    commands: list[list[str]] = [[]]
    for word in _WORD.findall(text):
        if word == "|":
            commands.append([])
        else:
            commands[-1].append(word)
    for words in commands:
        if not words:
            raise TemplateError("template parsing error: template: :1: missing value for command", 64)
        result = [_command(words, result, value, at)]
    return result[0]


def _command(words: Sequence[str], piped: Sequence[Any], value: Any, at: int) -> Any:
    name, *rest = words
    if name in _REFUSED or name.startswith(("$", "(")):
        raise TemplateError(f"minidocker's templates do not have {name!r} yet; they do not pretend to", 64)
    if name in _FUNCTIONS:
        arguments = [_operand(word, value, at) for word in rest]
        try:
            return _FUNCTIONS[name](*arguments, *piped)
        except (TypeError, ValueError, IndexError, KeyError) as error:
            where = f'template: :1:{at + 2}: executing "" at <{" ".join(words)}>'
            raise TemplateError(f"template parsing error: {where}: error calling {name}: {error}") from error
    if not name.startswith((".", '"', "`")) and not name.lstrip("-").isdigit():
        raise TemplateError(f'template parsing error: template: :1: function "{name}" not defined', 64)
    return _operand(name, value, at)


def _operand(word: str, value: Any, at: int) -> Any:
    if word.startswith('"'):
        return json.loads(word)
    if word.startswith("`"):
        return word[1:-1]
    if word.lstrip("-").isdigit():
        return int(word)
    if word in ("true", "false"):
        return word == "true"
    return _field(word, value, at)


def _field(path: str, value: Any, at: int) -> Any:
    """Follow ``.A.B`` into a value. Go says where in the template the missing name stands."""
    if not path.startswith("."):
        raise TemplateError(f'template parsing error: template: :1: function "{path}" not defined', 64)
    place = at + 2
    for name in filter(None, path.split(".")):
        if not isinstance(value, Mapping) or name not in value:
            message = f'template: :1:{place}: executing "" at <{path}>: map has no entry for key "{name}"'
            raise TemplateError(f"\ntemplate parsing error: {message}")
        value = value[name]
        place += len(name) + 1
    return value


def _text(value: Any) -> str:
    """Return a value as Go prints it: ``[a b]``, ``map[k:v]``, ``true``."""
    if value is None:
        return "[]"  # what has no value here is a list that nobody has filled
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{_text(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list | tuple):
        return f"[{' '.join(map(_text, value))}]"
    return str(value)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = value[key]
    return value


def _printf(form: str, *values: Any) -> str:
    rest = list(values)

    def one(match: "re.Match[str]") -> str:
        if match[0] == "%%":
            return "%"
        if not rest:
            return f"%!{match[0][-1]}(MISSING)"
        value = rest.pop(0)
        if match[0][-1] == "q":
            return json.dumps(_text(value))
        return _text(value)

    return re.sub(r"%[-+ #0-9.]*[a-zA-Z%]", one, form)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "json": _json,
    "index": _index,
    "len": len,
    "upper": lambda text: str(text).upper(),
    "lower": lambda text: str(text).lower(),
    "title": lambda text: str(text).title(),
    "join": lambda items, separator: separator.join(map(_text, items)),
    "split": lambda text, separator: text.split(separator),
    "print": lambda *values: "".join(map(_text, values)),
    "println": lambda *values: " ".join(map(_text, values)) + "\n",
    "printf": _printf,
}
