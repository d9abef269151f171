"""Expansion of words: parameters, command substitution, arithmetic, field splitting, path names (XCU 2.6)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from minidocker.programs.sh import pattern
from minidocker.programs.sh.arithmetic import ArithmeticFailure, evaluate
from minidocker.programs.sh.failure import ShellFailure
from minidocker.programs.sh.syntax import Arithmetic, Literal, Parameter, Part, Substitution, Word

if TYPE_CHECKING:
    from minidocker.programs.sh.run import Shell

IFS: Final = " \t\n"


@dataclass(frozen=True, slots=True)
class Piece:
    """What a part of a word became. ``split``: came out of an unquoted expansion. ``ends``: a field ends here."""

    text: str
    quoted: bool = False
    split: bool = False
    ends: bool = False


Field = list[Piece]


async def fields(shell: "Shell", words: tuple[Word, ...]) -> list[str]:
    """Return the arguments that words become, in all the steps."""
    found: list[str] = []
    for word in words:
        if len(word) == 1 and isinstance(word[0], Literal) and not pattern.is_magic(word[0].text):
            found.append(word[0].text)
            continue
        for field in split(await pieces(shell, word), shell.get("IFS")):
            found.extend(await _path_names(shell, field))
    return found


async def text(shell: "Shell", word: Word) -> str:
    """Return the one text that a word becomes where nothing is split: assignments, redirections, case."""
    return joined(await pieces(shell, word))


async def match_pattern(shell: "Shell", word: Word) -> str:
    """Return a word as a pattern: what was quoted in it is escaped."""
    return as_pattern(await pieces(shell, word))


def joined(field: Field) -> str:
    """Return a field's text; where one of ``$@`` ends is a space."""
    return "".join(" " if piece.ends else piece.text for piece in field)


def as_pattern(field: Field) -> str:
    """Return a field as a pattern."""
    return "".join(pattern.escape(piece.text) if piece.quoted else piece.text for piece in field)


async def _path_names(shell: "Shell", field: Field) -> list[str]:
    if shell.options["f"] or all(piece.quoted for piece in field):
        return [joined(field)]
    glob = as_pattern(field)
    if not pattern.is_magic(glob):
        return [joined(field)]
    return await pattern.path_names(shell.k, glob) or [joined(field)]


def split(field: Field, ifs: str | None) -> list[Field]:
    """Return the fields that pieces fall into: at the characters of IFS in what was expanded unquoted (XCU 2.6.5)."""
    return _Splitter(IFS if ifs is None else ifs).split(field)


class _Splitter:
    """Gathers fields. White space in IFS delimits in runs; any other character of it delimits by itself."""

    def __init__(self, ifs: str) -> None:
        self.white = "".join(char for char in ifs if char in IFS)
        self.other = "".join(char for char in ifs if char not in IFS)
        self.fields: list[Field] = []
        self.field: Field | None = None
        self.after_white = False

    def split(self, field: Field) -> list[Field]:
        for piece in field:
            if piece.ends:
                self.end_if_begun()
            elif piece.split:
                self.expanded(piece)
            else:
                self.add(piece)
        self.end_if_begun()
        return self.fields

    def add(self, piece: Piece) -> None:
        self.field = [*(self.field or []), piece]
        self.after_white = False

    def end(self) -> None:
        self.fields.append(self.field or [])
        self.field = None

    def end_if_begun(self) -> None:
        if self.field is not None:
            self.end()

    def expanded(self, piece: Piece) -> None:
        start = 0
        for position, char in enumerate(piece.text):
            if char not in self.white and char not in self.other:
                continue
            if position > start:
                self.add(Piece(piece.text[start:position]))
            self.delimiter(char)
            start = position + 1
        if start < len(piece.text):
            self.add(Piece(piece.text[start:]))

    def delimiter(self, char: str) -> None:
        if char in self.white:
            if self.field is not None:
                self.end()
                self.after_white = True
        elif self.field is None and self.after_white:
            self.after_white = False
        else:
            self.end()
            self.after_white = False


async def pieces(shell: "Shell", word: Word) -> Field:
    """Return what the parts of a word become, before splitting."""
    found: Field = []
    for part in word:
        found.extend(await _part(shell, part))
    return found


async def _part(shell: "Shell", part: Part) -> Field:
    if isinstance(part, Literal):
        return [Piece(part.text, part.quoted)]
    if isinstance(part, Parameter):
        return await _parameter(shell, part)
    if isinstance(part, Substitution):
        value = await shell.substitute(part.body)
    else:
        value = str(await _arithmetic(shell, part))
    return [_value(value, part.quoted)]


def _value(value: str, quoted: bool) -> Piece:
    return Piece(value, quoted, split=not quoted)


async def _arithmetic(shell: "Shell", part: Arithmetic) -> int:
    try:
        return evaluate(await text(shell, part.word), shell)
    except ArithmeticFailure as failure:
        raise ShellFailure(str(failure)) from None


async def _parameter(shell: "Shell", part: Parameter) -> Field:
    value = shell.parameter(part.name)
    operator = part.operator
    if operator == "bad":
        message = "syntax error: bad substitution"
        raise ShellFailure(message)
    if operator == "length":
        return [_value(str(len(_demand(shell, part, value))), part.quoted)]
    kind = operator.lstrip(":")
    if kind in ("-", "=", "?", "+"):
        is_set = bool(value) if operator.startswith(":") else value is not None
        if is_set == (kind == "+"):
            return await _alternative(shell, part, kind)
        if kind == "+":
            return [Piece("", quoted=True)] if part.quoted else []
    if part.name in ("@", "*") and not operator:
        return _positional(shell, part)
    found = _demand(shell, part, value)
    if operator and operator[0] in "#%":
        remove = pattern.without_prefix if operator[0] == "#" else pattern.without_suffix
        found = remove(found, await match_pattern(shell, part.word), longest=len(operator) == 2)
    return [_value(found, part.quoted)]


def _demand(shell: "Shell", part: Parameter, value: str | None) -> str:
    if value is None and shell.options["u"] and part.name not in ("@", "*"):
        raise ShellFailure(f"{part.name}: parameter not set")
    return value or ""


async def _alternative(shell: "Shell", part: Parameter, kind: str) -> Field:
    """Return what stands in for a parameter: ``word`` of ``${name-word}``, ``=``, ``?`` and ``+``."""
    if kind in "-+":
        inside = await pieces(shell, part.word) or [Piece("")] * part.quoted
        return [
            Piece(p.text, p.quoted or part.quoted, split=not (p.quoted or part.quoted), ends=p.ends) for p in inside
        ]
    value = await text(shell, part.word)
    if kind == "?":
        empty = "parameter null or not set" if part.operator == ":?" else "parameter not set"
        raise ShellFailure(f"{part.name}: {value if part.word else empty}")
    shell.assign(part.name, value)
    return [_value(value, part.quoted)]


def _positional(shell: "Shell", part: Parameter) -> Field:
    """Return ``$@`` and ``$*``: a field each, but ``"$*"`` is one, joined by the first character of IFS."""
    values = shell.positional
    if part.quoted and part.name == "*":
        ifs = shell.get("IFS")
        return [Piece((IFS if ifs is None else ifs)[:1].join(values), quoted=True)]
    found: Field = []
    for number, value in enumerate(values):
        if number:
            found.append(Piece("", ends=True))
        found.append(_value(value, part.quoted))
    return found
