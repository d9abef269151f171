"""test and ``[``: ask about files, texts and numbers; the status is 0 for yes, 1 for no, 2 for a wrong question."""

import re
from typing import Final

from minidocker.kernel import Stat
from minidocker.linux import (
    R_OK,
    S_IFBLK,
    S_IFCHR,
    S_IFDIR,
    S_IFIFO,
    S_IFLNK,
    S_IFMT,
    S_IFREG,
    S_IFSOCK,
    W_OK,
    X_OK,
)
from minidocker.programs import stdio
from minidocker.system import System

_KINDS: Final = {"-f": S_IFREG, "-d": S_IFDIR, "-c": S_IFCHR, "-b": S_IFBLK, "-p": S_IFIFO, "-S": S_IFSOCK}
_BITS: Final = {"-u": 0o4000, "-g": 0o2000, "-k": 0o1000}
_ACCESS: Final = {"-r": R_OK, "-w": W_OK, "-x": X_OK}
UNARY: Final = frozenset((*_KINDS, *_BITS, *_ACCESS, "-e", "-s", "-L", "-h", "-n", "-z", "-t", "-O", "-G"))
_NUMERIC: Final = {
    "-eq": int.__eq__, "-ne": int.__ne__, "-lt": int.__lt__, "-le": int.__le__, "-gt": int.__gt__, "-ge": int.__ge__,
}  # fmt: skip
BINARY: Final = frozenset((*_NUMERIC, "=", "==", "!=", "<", ">", "-nt", "-ot", "-ef"))


class WrongQuestion(Exception):
    """The arguments are no question."""


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Answer by the exit status."""
    name = argv[0].rsplit("/", 1)[-1]
    return await run(k, name, [name, *argv[1:]])


async def run(k: System, label: str, words: list[str]) -> int:
    """Do what the program does; ``label`` stands before its messages."""
    arguments = words[1:]
    if words[0] == "[" and (not arguments or arguments.pop() != "]"):
        await stdio.complain(k, f"{label}: missing ]")
        return 2
    try:
        return int(not await Question(k, arguments).answer())
    except WrongQuestion as wrong:
        await stdio.complain(k, f"{label}: {wrong}")
        return 2


class Question:
    """One question; how it is read depends on the number of words (POSIX.1-2017, test)."""

    def __init__(self, k: System, words: list[str]) -> None:
        """Take the words."""
        self.k = k
        self.words = words
        self.position = 0

    async def answer(self) -> bool:
        """Return the answer to the whole."""
        words = self.words
        if len(words) <= 1:
            return bool(words and words[0])
        if len(words) == 2 and words[0] == "!":
            return not words[1]
        if len(words) == 3 and words[1] in BINARY:
            return await self.compare(words[0], words[1], words[2])
        if len(words) == 4 and words[0] == "!" and words[2] in BINARY:
            return not await self.compare(words[1], words[2], words[3])
        result = await self.either()
        if self.position < len(words):
            raise WrongQuestion(f"{words[self.position]}: unknown operand")
        return result

    def peek(self, ahead: int = 0) -> str | None:
        """Return a word without taking it."""
        index = self.position + ahead
        return self.words[index] if index < len(self.words) else None

    def take(self) -> str:
        """Take a word."""
        word = self.peek()
        if word is None:
            message = "argument expected"
            raise WrongQuestion(message)
        self.position += 1
        return word

    async def either(self) -> bool:
        """Read ``a -o b``."""
        result = await self.both()
        while self.peek() == "-o":
            self.take()
            other = await self.both()
            result = result or other
        return result

    async def both(self) -> bool:
        """Read ``a -a b``."""
        result = await self.negation()
        while self.peek() == "-a":
            self.take()
            other = await self.negation()
            result = result and other
        return result

    async def negation(self) -> bool:
        """Read ``! a``."""
        if self.peek() == "!":
            self.take()
            return not await self.negation()
        return await self.primary()

    async def primary(self) -> bool:
        """Read a comparison, a question about one word, or a word alone."""
        if self.peek(1) in BINARY and self.peek(2) is not None:
            left, operator, right = self.take(), self.take(), self.take()
            return await self.compare(left, operator, right)
        word = self.take()
        if word == "(":
            result = await self.either()
            if self.take() != ")":
                message = "closing paren expected"
                raise WrongQuestion(message)
            return result
        if word in UNARY and self.peek() is not None:
            return await self.ask(word, self.take())
        return bool(word)

    async def ask(self, operator: str, word: str) -> bool:
        """Answer a question about one word, mostly a file's name."""
        if operator in ("-n", "-z"):
            return bool(word) == (operator == "-n")
        if operator == "-t":
            return await self.k.isatty(number(word))
        if operator in _ACCESS:
            return await self.k.access(word, _ACCESS[operator])
        status = await self.stat(word, follow=operator not in ("-L", "-h"))
        if status is None:
            return False
        if operator in _KINDS:
            return status.st_mode & S_IFMT == _KINDS[operator]
        if operator in _BITS:
            return bool(status.st_mode & _BITS[operator])
        if operator in ("-L", "-h"):
            return status.st_mode & S_IFMT == S_IFLNK
        if operator == "-s":
            return status.st_size > 0
        if operator == "-O":
            return status.st_uid == await self.k.geteuid()
        return operator == "-e" or status.st_gid == await self.k.getegid()

    async def stat(self, path: str, *, follow: bool = True) -> Stat | None:
        """Return what stat tells of a file, None if it can't."""
        try:
            return await (self.k.stat(path) if follow else self.k.lstat(path))
        except OSError:
            return None

    async def compare(self, left: str, operator: str, right: str) -> bool:
        """Compare two words: as numbers, as texts, or the files of these names."""
        if operator in _NUMERIC:
            return bool(_NUMERIC[operator](number(left), number(right)))
        if operator in ("-nt", "-ot", "-ef"):
            return await self.compare_files(left, operator, right)
        if operator in ("=", "==", "!="):
            return (left == right) == (operator != "!=")
        return left < right if operator == "<" else left > right

    async def compare_files(self, left: str, operator: str, right: str) -> bool:
        """Tell which file was changed last, or whether both names lead to one file."""
        one, other = await self.stat(left), await self.stat(right)
        if one is None or other is None:
            return False
        if operator == "-ef":
            return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
        newer = one.st_mtime_ns - other.st_mtime_ns
        return newer > 0 if operator == "-nt" else newer < 0


def number(text: str) -> int:
    """Return a word that must be a number."""
    if not re.fullmatch(r"\s*[-+]?\d+\s*", text):
        raise WrongQuestion(f"{text}: bad number")
    return int(text)
