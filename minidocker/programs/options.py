"""Command-line options as getopt(3) reads them, with busybox's words for what is wrong."""

from dataclasses import dataclass, field

from minidocker.programs import stdio
from minidocker.system import System


class Usage(Exception):
    """The arguments are not what the program takes; the text, if any, is printed before its usage."""


@dataclass(slots=True)
class Options:
    """What was given: option → its last value ("" for a flag), and the operands."""

    given: dict[str, str] = field(default_factory=dict)
    operands: list[str] = field(default_factory=list)
    order: list[tuple[str, str]] = field(default_factory=list)

    def __contains__(self, letter: str) -> bool:
        """Was the option given?"""
        return letter in self.given

    def get(self, letter: str, default: str = "") -> str:
        """Return an option's value, or the default if it was not given."""
        return self.given.get(letter, default)

    def all(self, letter: str) -> list[str]:
        """Return the values of an option that may be given more than once."""
        return [value for name, value in self.order if name == letter]

    def add(self, name: str, value: str) -> None:
        """Take an option."""
        self.given[name] = value
        self.order.append((name, value))


def parse(argv: list[str], letters: str, long: tuple[str, ...] = (), *, least: int = 0, most: int = 1 << 30) -> Options:
    """Read options: a letter followed by ``:`` takes a value; a leading ``+`` stops at the first operand.

    ``long`` has the names that may follow ``--``, with ``=`` at the end if they take a value. Fewer operands
    than ``least`` or more than ``most`` are refused.
    """
    in_order, letters = letters.startswith("+"), letters.removeprefix("+")
    options = Options()
    words = list(argv[1:])
    while words:
        word = words.pop(0)
        if word == "--":
            options.operands += words
            break
        if word.startswith("--"):
            _long_option(options, word[2:], long, words)
        elif word.startswith("-") and word != "-":
            _letters(options, word[1:], letters, words)
        else:
            options.operands.append(word)
            if in_order:
                options.operands += words
                break
    if not least <= len(options.operands) <= most:
        raise Usage
    return options


def _letters(options: Options, word: str, letters: str, words: list[str]) -> None:
    for index, letter in enumerate(word):
        where = letters.find(letter)
        if where < 0 or letter == ":":
            raise Usage(f"invalid option -- '{letter}'")
        if letters[where + 1 : where + 2] != ":":
            options.add(letter, "")
            continue
        value = word[index + 1 :]
        if not value:
            if not words:
                raise Usage(f"option requires an argument -- '{letter}'")
            value = words.pop(0)
        options.add(letter, value)
        return


def _long_option(options: Options, word: str, long: tuple[str, ...], words: list[str]) -> None:
    name, equals, value = word.partition("=")
    if name in long and not equals:
        options.add(name, "")
    elif f"{name}=" in long:
        if not equals and not words:
            raise Usage(f"option '--{name}' requires an argument")
        options.add(name, value if equals else words.pop(0))
    else:
        raise Usage(f"unrecognized option '--{word}'")


def demand(holds: object, message: str = "") -> None:
    """Refuse the arguments unless a condition holds."""
    if not holds:
        raise Usage(message)


async def refuse(k: System, name: str, usage: Usage, synopsis: str, status: int = 1) -> int:
    """Print what is wrong with the arguments, and how the program is used."""
    if str(usage):
        await stdio.complain(k, f"{name}: {usage}")
    await stdio.complain(k, f"Usage: {name} {synopsis}".rstrip())
    return status
