"""printf: print by a format, again and again while there are arguments."""

import re
from dataclasses import dataclass, field
from typing import Final

from minidocker.programs import escapes, stdio
from minidocker.programs.options import Usage, refuse
from minidocker.system import System

_DIRECTIVE: Final = re.compile(r"%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d*))?([a-zA-Z%])", re.DOTALL)


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print the arguments as the format says."""
    return await run(k, argv[0].rsplit("/", 1)[-1], argv[1:])


async def run(k: System, label: str, words: list[str]) -> int:
    """Do what the program does; ``label`` stands before its messages."""
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        return await refuse(k, "printf", Usage(), "FORMAT [ARG]...")
    format_, *arguments = words
    formatter = Formatter(arguments)
    formatter.run(format_)
    await stdio.write_all(k, stdio.STDOUT, formatter.output)
    for problem in formatter.problems:
        await stdio.complain(k, f"{label}: {problem}")
    return 1 if formatter.problems else 0


@dataclass(slots=True)
class Formatter:
    """Fills a format with arguments; ``problems`` gathers the complaints, each of which makes the status 1."""

    arguments: list[str]
    output: bytes = b""
    problems: list[str] = field(default_factory=list)
    ended: bool = False

    def run(self, format_: str) -> None:
        """Use the format once, and then as long as it takes arguments."""
        while True:
            before = len(self.arguments)
            self.once(format_)
            if self.ended or not self.arguments or len(self.arguments) == before:
                return

    def once(self, format_: str) -> None:
        """Use the format once."""
        position = 0
        for match in _DIRECTIVE.finditer(format_):
            self.literal(format_[position : match.start()])
            position = match.end()
            if not self.ended:
                self.directive(*match.groups())
            if self.ended:
                return
        rest = format_[position:]
        if "%" in rest:
            self.literal(rest[: rest.index("%")])
            self.problems.append(f"{rest[rest.index('%') :]}: invalid format")
            self.ended = True
        else:
            self.literal(rest)

    def literal(self, text: str) -> None:
        """Print what stands between the directives."""
        if not self.ended:
            data, self.ended = escapes.interpret(stdio.to_bytes(text))
            self.output += data

    def next(self) -> str:
        """Take the next argument; there is an empty one after the last."""
        return self.arguments.pop(0) if self.arguments else ""

    def directive(self, flags: str, width: str | None, precision: str | None, kind: str) -> None:
        """Print one argument."""
        if kind == "%":
            self.output += b"%"
            return
        width = str(self.number(self.next())) if width == "*" else width or ""
        precision = str(self.number(self.next())) if precision == "*" else precision
        spec = flags + width + ("" if precision is None else f".{precision}")
        if kind in "diouxX":
            value = self.number(self.next())
            if kind in "ouxX" and value < 0:
                value += 1 << 64
            self.output += f"%{spec}{'d' if kind in 'iu' else kind}".encode() % value
        elif kind in "eEfFgG":
            self.output += f"%{spec}{kind}".encode() % self.real(self.next())
        elif kind == "c":
            self.output += f"%{spec}s".encode() % (stdio.to_bytes(self.next())[:1] or b"\0")
        elif kind == "s":
            self.output += f"%{spec}s".encode() % stdio.to_bytes(self.next())
        elif kind == "b":
            data, self.ended = escapes.interpret(stdio.to_bytes(self.next()))
            self.output += f"%{spec}s".encode() % data
        else:
            self.problems.append(f"%{kind}: invalid format")
            self.ended = True

    def number(self, text: str) -> int:
        """Return an argument's number: decimal, octal, hexadecimal, or a character after a quote."""
        if text[:1] in ("'", '"') and len(text) > 1:
            return ord(text[1])
        match = re.fullmatch(r"\s*([-+]?)(0[xX][0-9a-fA-F]+|\d+)", text)
        if not match:
            self.problems.append(f"invalid number '{text}'")
            return 0
        digits = match[2]
        base = 16 if digits[:2] in ("0x", "0X") else 8 if digits.startswith("0") else 10
        try:
            return int(match[1] + digits, base)
        except ValueError:
            self.problems.append(f"invalid number '{text}'")
            return 0

    def real(self, text: str) -> float:
        """Return an argument's floating-point number."""
        try:
            return float(text or 0)
        except ValueError:
            self.problems.append(f"invalid number '{text}'")
            return 0.0
