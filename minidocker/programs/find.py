"""find: walk trees and tell, or do something with, what answers a description."""

# ruff: noqa: ARG002  each method on_NAME gets its word, whether or not a message needs it

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from minidocker.kernel import Stat
from minidocker.linux import S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK
from minidocker.programs import launch, stdio
from minidocker.programs.sh import pattern
from minidocker.system import System

_TYPES = {"f": S_IFREG, "d": S_IFDIR, "l": S_IFLNK, "c": S_IFCHR, "b": S_IFBLK, "p": S_IFIFO, "s": S_IFSOCK}
_SIZES = {"": 512, "b": 512, "c": 1, "k": 1024, "w": 2, "M": 1 << 20}


class WrongExpression(Exception):
    """The arguments are no expression."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing on the way."""

    path: str
    name: str
    status: Stat
    depth: int

    @property
    def kind(self) -> int:
        """The type's bits of the mode."""
        return self.status.st_mode & S_IFMT


Test = Callable[[Found], Awaitable[bool]]


@dataclass(slots=True, kw_only=True)
class Walk:
    """One run of find."""

    k: System
    environ: dict[str, str]
    output: stdio.Output
    max_depth: int = 1 << 30
    min_depth: int = 0
    children_first: bool = False
    same_device: bool = False
    follow: bool = False
    pruned: bool = False
    acts: bool = False
    status: int = 0
    batches: list[tuple[list[str], list[str]]] = field(default_factory=list)
    """For each ``-exec … +``: its command, and the paths gathered so far."""

    async def visit(self, path: str, name: str, depth: int, test: Test, device: int | None = None) -> None:
        """Test a path, and all below it."""
        try:
            status = await (self.k.stat(path) if self.follow else self.k.lstat(path))
        except OSError as error:
            await self.complain(path, error)
            return
        if self.same_device and device is not None and status.st_dev != device:
            return
        found = Found(path, name, status, depth)
        self.pruned = False
        if not self.children_first and depth >= self.min_depth:
            await test(found)
        if found.kind == S_IFDIR and depth < self.max_depth and not self.pruned:
            try:
                names = sorted(await self.k.listdir(path))
            except OSError as error:
                await self.complain(path, error)
                names = []
            for inside in names:
                await self.visit(f"{path.rstrip('/')}/{inside}", inside, depth + 1, test, status.st_dev)
        if self.children_first and depth >= self.min_depth:
            await test(found)

    async def complain(self, path: str, error: OSError) -> None:
        """Tell what could not be looked at."""
        await stdio.complain(self.k, f"find: {path}: {stdio.reason(error)}")
        self.status = 1

    async def run(self, words: list[str]) -> bool:
        """Run a command after writing out what has been printed, so that the order is kept."""
        await self.output.flush()
        return await launch.run(self.k, words, self.environ, "find: {}") == 0


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Walk from each path that is named, or from the working directory."""
    words = argv[1:]
    walk = Walk(k=k, environ=environ, output=stdio.Output(k))
    while words[:1] in (["-L"], ["-H"], ["-P"]):
        walk.follow = words.pop(0) == "-L"
    paths = []
    while words and words[0][:1] not in ("-", "(", "!"):
        paths.append(words.pop(0))
    try:
        expression = Expression(walk, words)
        test = expression.whole()
    except WrongExpression as wrong:
        await stdio.complain(k, f"find: {wrong}")
        return 1
    for path in paths or ["."]:
        await walk.visit(path, path.rstrip("/").rsplit("/", 1)[-1] or "/", 0, test)
    for command, gathered in walk.batches:
        if gathered and not await walk.run([*command, *gathered]):
            walk.status = 1
    await walk.output.flush()
    return walk.status


class Expression:
    """Reads an expression into one test; ``-o`` binds less than ``-a``, which may be left out."""

    def __init__(self, walk: Walk, words: list[str]) -> None:
        """Take the words; the walk gets what options such as -maxdepth say."""
        self.walk = walk
        self.words = words

    def take(self, what: str = "") -> str:
        """Take a word; ``what`` is the primary that needs it."""
        if not self.words:
            raise WrongExpression(f"{what}: requires an argument" if what else "bare '!' or '('")
        return self.words.pop(0)

    def whole(self) -> Test:
        """Read all words; print what passes unless the expression has an action of its own."""
        test = self.either() if self.words else _always
        if self.words:
            raise WrongExpression(f"unexpected argument '{self.words[0]}'")
        return test if self.walk.acts else _both(test, self.print("\n"))

    def either(self) -> Test:
        """Read ``a -o b``."""
        test = self.both()
        while self.words[:1] in (["-o"], ["-or"]):
            self.take()
            test = _either(test, self.both())
        return test

    def both(self) -> Test:
        """Read ``a b``."""
        test = self.negation()
        while self.words and self.words[0] not in ("-o", "-or", ")"):
            if self.words[0] in ("-a", "-and"):
                self.take()
            test = _both(test, self.negation())
        return test

    def negation(self) -> Test:
        """Read ``! a``, ``( a )`` or a primary."""
        word = self.take()
        if word in ("!", "-not"):
            return _not(self.negation())
        if word == "(":
            test = self.either()
            if self.take() != ")":
                message = "unmatched '('"
                raise WrongExpression(message)
            return test
        return self.primary(word)

    def primary(self, word: str) -> Test:
        """Read one test, action or option."""
        method = getattr(self, f"on_{word[1:].replace('-', '_')}", None) if word.startswith("-") else None
        if method is None:
            raise WrongExpression(f"unrecognized: {word}")
        test: Test = method(word)
        return test

    def on_name(self, word: str) -> Test:
        """-name PATTERN."""
        glob = self.take(word)
        return _test(lambda found: pattern.matches(glob, found.name))

    def on_iname(self, word: str) -> Test:
        """-iname PATTERN."""
        glob = self.take(word).lower()
        return _test(lambda found: pattern.matches(glob, found.name.lower()))

    def on_path(self, word: str) -> Test:
        """-path PATTERN: the whole path."""
        glob = self.take(word)
        return _test(lambda found: pattern.matches(glob, found.path))

    def on_type(self, word: str) -> Test:
        """-type f, d, l, c, b, p or s."""
        letter = self.take(word)
        if letter not in _TYPES:
            raise WrongExpression(f"invalid argument '{letter}' to '-type'")
        return _test(lambda found: found.kind == _TYPES[letter])

    def on_size(self, word: str) -> Test:
        """-size [+-]N[bckwM]: in blocks of 512 bytes, or of another unit."""
        match = re.fullmatch(r"([-+]?)(\d+)([bckwM]?)", text := self.take(word))
        if not match:
            raise WrongExpression(f"invalid number '{text}'")
        unit = _SIZES[match[3]]
        return _test(lambda found: _compare(-(-found.status.st_size // unit), match[1], int(match[2])))

    def on_links(self, word: str) -> Test:
        """-links [+-]N."""
        match = re.fullmatch(r"([-+]?)(\d+)", text := self.take(word))
        if not match:
            raise WrongExpression(f"invalid number '{text}'")
        return _test(lambda found: _compare(found.status.st_nlink, match[1], int(match[2])))

    def on_perm(self, word: str) -> Test:
        """-perm MODE: exactly; -MODE: all of these bits; /MODE: any of them."""
        match = re.fullmatch(r"([-/+]?)([0-7]+)", text := self.take(word))
        if not match:
            raise WrongExpression(f"invalid mode '{text}'")
        kind, bits = match[1], int(match[2], 8)
        if kind == "-":
            return _test(lambda found: found.status.st_mode & bits == bits)
        if kind:
            return _test(lambda found: bool(found.status.st_mode & bits) or not bits)
        return _test(lambda found: found.status.st_mode & 0o7777 == bits)

    def on_empty(self, word: str) -> Test:
        """-empty: a file without bytes, a directory without entries."""

        async def test(found: Found) -> bool:
            if found.kind == S_IFDIR:
                return not await self.walk.k.listdir(found.path)
            return found.kind == S_IFREG and found.status.st_size == 0

        return test

    def on_uid(self, word: str) -> Test:
        """-uid N."""
        number = self.take(word)
        return _test(lambda found: str(found.status.st_uid) == number)

    def on_inum(self, word: str) -> Test:
        """-inum N."""
        number = self.take(word)
        return _test(lambda found: str(found.status.st_ino) == number)

    def on_maxdepth(self, word: str) -> Test:
        """-maxdepth N."""
        self.walk.max_depth = self.number(word)
        return _always

    def on_mindepth(self, word: str) -> Test:
        """-mindepth N."""
        self.walk.min_depth = self.number(word)
        return _always

    def number(self, word: str) -> int:
        """Take a number."""
        text = self.take(word)
        if not text.isdigit():
            raise WrongExpression(f"invalid number '{text}'")
        return int(text)

    def on_depth(self, word: str) -> Test:
        """-depth: what is in a directory before the directory."""
        self.walk.children_first = True
        return _always

    def on_xdev(self, word: str) -> Test:
        """-xdev: stay on one file system."""
        self.walk.same_device = True
        return _always

    on_mount = on_xdev

    def on_prune(self, word: str) -> Test:
        """-prune: don't go into this directory."""

        async def test(found: Found) -> bool:
            self.walk.pruned = True
            return True

        return test

    def on_true(self, word: str) -> Test:
        """-true."""
        return _always

    def on_print(self, word: str) -> Test:
        """-print."""
        return self.print("\n")

    def on_print0(self, word: str) -> Test:
        """-print0."""
        return self.print("\0")

    def print(self, end: str) -> Test:
        """Return the action that prints the path."""
        self.walk.acts = True

        async def test(found: Found) -> bool:
            await self.walk.output.write(found.path + end)
            return True

        return test

    def on_delete(self, word: str) -> Test:
        """-delete; implies -depth."""
        self.walk.acts = self.walk.children_first = True

        async def test(found: Found) -> bool:
            if found.path == ".":
                return True
            try:
                await (self.walk.k.rmdir(found.path) if found.kind == S_IFDIR else self.walk.k.unlink(found.path))
            except OSError as error:
                await self.walk.complain(found.path, error)
            return True

        return test

    def on_exec(self, word: str) -> Test:
        """-exec COMMAND ; for each path, ``{}`` being the path, or -exec COMMAND {} + for all together."""
        self.walk.acts = True
        command: list[str] = []
        while (part := self.take(word)) not in (";", "+") or (part == "+" and command[-1:] != ["{}"]):
            command.append(part)
        if part == "+":
            return self.batch(command[:-1])

        async def test(found: Found) -> bool:
            return await self.walk.run([part.replace("{}", found.path) for part in command])

        return test

    def batch(self, command: list[str]) -> Test:
        """Return the action that gathers paths for one command at the end."""
        gathered: list[str] = []
        self.walk.batches.append((command, gathered))

        async def test(found: Found) -> bool:
            gathered.append(found.path)
            return True

        return test


def _compare(value: int, sign: str, number: int) -> bool:
    return value > number if sign == "+" else value < number if sign == "-" else value == number


def _test(function: Callable[[Found], bool]) -> Test:
    async def test(found: Found) -> bool:
        return function(found)

    return test


async def _always(found: Found) -> bool:
    return True


def _not(one: Test) -> Test:
    async def test(found: Found) -> bool:
        return not await one(found)

    return test


def _both(one: Test, other: Test) -> Test:
    async def test(found: Found) -> bool:
        return await one(found) and await other(found)

    return test


def _either(one: Test, other: Test) -> Test:
    async def test(found: Found) -> bool:
        return await one(found) or await other(found)

    return test
