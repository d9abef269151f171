"""Flags as docker's client takes them (Go's pflag): ``--name web``, ``--name=web``, ``-e A=b``, ``-itd``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One flag of a command. ``takes`` names its value's kind (empty: a switch); ``modelled`` if the lab has it."""

    name: str
    short: str = ""
    takes: str = ""
    modelled: bool = True
    parse: Callable[[str], object] | None = None
    """How its value is read; ValueError says why it cannot be. What it returns is :meth:`Parsed.value`."""


class UsageError(Exception):
    """The words of a command don't fit. The message is the client's."""


@dataclass(slots=True)
class Parsed:
    """What a command line said: each flag's values in order, and the words that are no flags."""

    values: dict[str, list[str]] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def has(self, name: str) -> bool:
        """Was the switch given, and not as ``--name=false``?"""
        return self.values.get(name, ["false"])[-1] == "true"

    def last(self, name: str, default: str = "") -> str:
        """Return the last value given to a flag."""
        return self.values.get(name, [default])[-1]

    def value(self, flag: Flag, default: Any) -> Any:
        """Return what the last value given to a flag means."""
        if flag.name not in self.values or flag.parse is None:
            return default
        return flag.parse(self.values[flag.name][-1])

    def all(self, name: str) -> tuple[str, ...]:
        """Return all values given to a flag."""
        return tuple(self.values.get(name, ()))


def parse(words: Sequence[str], flags: Sequence[Flag], *, interspersed: bool = True) -> Parsed:
    """Return what the words say. ``interspersed=False`` ends the flags at the first word that is none (docker run)."""
    parsed, rest = Parsed(), list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            parsed.words += rest
            break
        if word.startswith("--"):
            _long(word, rest, flags, parsed)
        elif word.startswith("-") and word != "-":
            _short(word, rest, flags, parsed)
        else:
            parsed.words.append(word)
            if not interspersed:
                parsed.words += rest
                break
    return parsed


def _long(word: str, rest: list[str], flags: Sequence[Flag], parsed: Parsed) -> None:
    name, equals, value = word[2:].partition("=")
    flag = next((flag for flag in flags if flag.name == name), None)
    if flag is None:
        raise UsageError(f"unknown flag: --{name}")
    if not equals:
        if flag.takes and not rest:
            raise UsageError(f"flag needs an argument: --{name}")
        value = rest.pop(0) if flag.takes else "true"
    _take(flag, value, parsed)


def _short(word: str, rest: list[str], flags: Sequence[Flag], parsed: Parsed) -> None:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        flag = next((flag for flag in flags if flag.short == letter), None)
        if flag is None:
            raise UsageError(f"unknown shorthand flag: '{letter}' in {word}")
        if not flag.takes:
            _take(flag, "true", parsed)
            continue
        if not letters and not rest:
            raise UsageError(f"flag needs an argument: '{letter}' in {word}")
        _take(flag, letters.removeprefix("=") if letters else rest.pop(0), parsed)
        return


def _take(flag: Flag, value: str, parsed: Parsed) -> None:
    if not flag.modelled:
        raise UsageError(f"minidocker does not have --{flag.name} yet; it does not pretend to")
    if flag.parse is not None:
        try:
            flag.parse(value)
        except ValueError as error:
            name = f"-{flag.short}, --{flag.name}" if flag.short else f"--{flag.name}"
            raise UsageError(f'invalid argument "{value}" for "{name}" flag: {error}') from None
    parsed.values.setdefault(flag.name, []).append(value)


def check_environ(parsed: Parsed) -> tuple[str, ...]:
    """Return what ``--env`` was given, if each has a name."""
    for pair in parsed.all("env"):
        if pair.startswith("=") or not pair:
            raise UsageError(f'invalid argument "{pair}" for "-e, --env" flag: invalid environment variable: {pair}')
    return parsed.all("env")
