"""The shell's syntax as values: words are made of parts, commands of words and of other commands."""

from dataclasses import dataclass, field
from typing import TypeAlias


class ShellSyntaxError(Exception):
    """The script is no shell script; the text is what follows ``syntax error: ``."""

    def __init__(self, text: str, line: int = 0) -> None:
        """Remember the line, counted as the lexer counts."""
        super().__init__(text)
        self.text = text
        self.line = line


class Incomplete(ShellSyntaxError):
    """The text ended in the middle of a command: an error only if there is no more to come."""


@dataclass(frozen=True, slots=True)
class Literal:
    """Characters that stand for themselves; quoted ones are never split nor taken for patterns."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """``$name``, or ``${name OPERATOR word}``: ``:-``, ``#``, ``%%`` …; ``length`` is ``${#name}``, ``bad`` none."""

    name: str
    operator: str = ""
    word: "Word" = ()
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Substitution:
    """``$(…)`` or backquotes: the output of commands."""

    body: "Command | None"
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``$((…))``."""

    word: "Word"
    quoted: bool = False


Part: TypeAlias = Literal | Parameter | Substitution | Arithmetic
Word: TypeAlias = tuple[Part, ...]


@dataclass(slots=True)
class Redirect:
    """``fd operator word``; of a here-document the word is its text, filled in when the lexer has come to it."""

    fd: int
    operator: str
    word: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Simple:
    """``name=value … word … redirect …``."""

    assignments: tuple[tuple[str, Word], ...] = ()
    words: tuple[Word, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Pipeline:
    """``! a | b | c``."""

    commands: tuple["Command", ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class AndOr:
    """``left && right`` or ``left || right``."""

    left: "Command"
    operator: str
    right: "Command"


@dataclass(frozen=True, slots=True)
class Sequence:
    """``a; b & c``: commands one after the other, of which some are left to run in the background."""

    items: tuple["Command", ...]


@dataclass(frozen=True, slots=True)
class Background:
    """``command &``."""

    command: "Command"


@dataclass(frozen=True, slots=True)
class If:
    """``if condition; then body; else otherwise; fi``; elif is an If in ``otherwise``."""

    condition: "Command"
    body: "Command"
    otherwise: "Command | None"


@dataclass(frozen=True, slots=True)
class Loop:
    """``while condition; do body; done``, or until."""

    condition: "Command"
    body: "Command"
    until: bool = False


@dataclass(frozen=True, slots=True)
class For:
    """``for name in words; do body; done``; without ``in`` the words are ``"$@"``."""

    name: str
    words: tuple[Word, ...]
    body: "Command"


@dataclass(frozen=True, slots=True)
class Case:
    """``case word in pattern | pattern) body ;; esac``."""

    word: Word
    branches: tuple[tuple[tuple[Word, ...], "Command | None"], ...]


@dataclass(frozen=True, slots=True)
class Function:
    """``name() body``."""

    name: str
    body: "Command"


@dataclass(frozen=True, slots=True)
class Subshell:
    """``(body)``."""

    body: "Command"


@dataclass(frozen=True, slots=True)
class Redirected:
    """A compound command with redirections: ``{ …; } > file``."""

    command: "Command"
    redirects: tuple[Redirect, ...] = field(default=())


Command: TypeAlias = (
    Simple | Pipeline | AndOr | Sequence | Background | If | Loop | For | Case | Function | Subshell | Redirected
)


def unquoted(word: Word) -> str | None:
    """Return the word's text if no part of it is quoted or expanded, else None."""
    if len(word) == 1 and isinstance(word[0], Literal) and not word[0].quoted:
        return word[0].text
    return None
