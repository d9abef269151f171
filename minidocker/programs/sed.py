"""sed: edit text by a script, line by line: s, d, p, q, =, y, a, i, c, n, {}, with addresses; -n, -e, -i, -E, -f."""

import re
from dataclasses import dataclass, field

from minidocker.linux import O_CREAT, O_TRUNC, O_WRONLY
from minidocker.programs import stdio
from minidocker.programs.options import Options, Usage, demand, parse, refuse
from minidocker.programs.regex import compile_posix
from minidocker.system import System


class WrongScript(Exception):
    """The script is none, or asks for what this sed has not."""


@dataclass(frozen=True, slots=True)
class Address:
    """A line's number, ``$``, or a pattern; or ``+N``, so many lines after the range's first."""

    number: int = 0
    last: bool = False
    pattern: re.Pattern[str] | None = None
    offset: int = -1


@dataclass(slots=True)
class Command:
    """One command with its addresses; ``until`` remembers where the range it is in ends."""

    name: str
    first: Address | None = None
    second: Address | None = None
    negated: bool = False
    text: str = ""
    pattern: re.Pattern[str] | None = None
    replacement: str = ""
    flags: str = ""
    nth: int = 1
    body: "list[Command]" = field(default_factory=list)
    in_range: bool = False
    until: int = 0


class Reader:
    """Reads a script into commands."""

    def __init__(self, script: str, *, extended: bool) -> None:
        """Start at the script's beginning."""
        self.script = script
        self.position = 0
        self.extended = extended

    def peek(self) -> str:
        """Return the next character, "" at the end."""
        return self.script[self.position : self.position + 1]

    def take(self) -> str:
        """Take the next character."""
        char = self.peek()
        self.position += 1
        return char

    def skip(self, chars: str) -> None:
        """Skip characters."""
        while self.peek() and self.peek() in chars:
            self.position += 1

    def commands(self, closing: str = "") -> list[Command]:
        """Read commands up to the end, or to a closing brace."""
        commands: list[Command] = []
        while True:
            self.skip(" \t\n;")
            if self.peek() == closing:
                self.take()
                return commands
            if not self.peek():
                message = "unmatched {"
                raise WrongScript(message)
            if self.peek() == "#":
                while self.peek() not in ("", "\n"):
                    self.take()
                continue
            commands.append(self.command())

    def command(self) -> Command:
        """Read one command."""
        first = self.address()
        second = None
        self.skip(" \t")
        if first is not None and self.peek() == ",":
            self.take()
            self.skip(" \t")
            second = self.address()
            if second is None:
                message = "no address after comma"
                raise WrongScript(message)
        self.skip(" \t")
        negated = self.peek() == "!"
        self.skip("! \t")
        command = Command(self.take(), first, second, negated)
        self.arguments(command)
        return command

    def address(self) -> Address | None:
        """Read an address, if there is one."""
        match = re.compile(r"\+?\d+").match(self.script, self.position)
        if match:
            self.position = match.end()
            number = int(match[0].lstrip("+"))
            return Address(offset=number) if match[0].startswith("+") else Address(number=number)
        if self.peek() == "$":
            self.take()
            return Address(last=True)
        if self.peek() not in ("/", "\\") or not self.peek():
            return None
        delimiter = self.take()
        delimiter = self.take() if delimiter == "\\" else delimiter
        pattern = self.until(delimiter)
        ignore = self.peek() == "I"
        self.position += ignore
        return Address(pattern=compile_posix(pattern, extended=self.extended, ignore_case=ignore))

    def until(self, delimiter: str, *, keep: bool = False) -> str:
        """Take text up to a delimiter, which is taken too; escaped it stands for itself."""
        text, bracket = "", False
        while True:
            char = self.take()
            if not char:
                raise WrongScript("unmatched '" + delimiter + "'")
            if char == "\\":
                following = self.take()
                text += following if following == delimiter and not keep else "\\" + following
                continue
            if char == delimiter and not bracket:
                return text
            if not keep:
                bracket = char == "[" or (bracket and char != "]")
            text += char

    def arguments(self, command: Command) -> None:
        """Read what follows a command's letter."""
        if command.name == "s":
            self.substitution(command)
        elif command.name == "y":
            delimiter = self.take()
            command.text, command.replacement = (self.until(delimiter, keep=True) for _ in "xy")
        elif command.name in ("a", "i", "c"):
            self.text(command)
        elif command.name == "{":
            command.body = self.commands("}")
        elif command.name not in ("d", "p", "q", "=", "n", "D", "P", "N", "g", "G", "h", "H", "x"):
            raise WrongScript(f"unsupported command {command.name}")

    def substitution(self, command: Command) -> None:
        """Read ``s/pattern/replacement/flags``."""
        delimiter = self.take()
        pattern = self.until(delimiter)
        command.replacement = self.until(delimiter, keep=True)
        match = re.compile(r"[gpIi0-9]*").match(self.script, self.position)
        flags = match[0] if match else ""
        self.position += len(flags)
        command.flags = re.sub(r"\d", "", flags)
        command.nth = int(re.sub(r"\D", "", flags) or 1)
        ignore = "i" in flags.lower()
        command.pattern = compile_posix(pattern, extended=self.extended, ignore_case=ignore)

    def text(self, command: Command) -> None:
        r"""Read the text of ``a``, ``i`` and ``c``: the rest of the line, or after ``\`` the next lines."""
        self.skip(" \t")
        if self.peek() == "\\":
            self.take()
            self.skip(" \t")
            self.position += self.peek() == "\n"
        while self.peek() not in ("", "\n"):
            char = self.take()
            command.text += self.take() if char == "\\" else char


@dataclass(slots=True)
class Editor:
    """Runs commands over lines: the pattern space, the hold space, and what is printed after the line."""

    commands: list[Command]
    lines: list[str]
    quiet: bool
    number: int = 0
    space: str = ""
    hold: str = ""
    output: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    quit: bool = False

    def run(self) -> str:
        """Return the edited text."""
        while self.number < len(self.lines) and not self.quit:
            self.space = self.lines[self.number]
            self.number += 1
            kept = self.apply(self.commands)
            self.finish(kept=kept)
        return "".join(self.output)

    def finish(self, *, kept: bool) -> None:
        """End a line's turn."""
        if kept and not self.quiet:
            self.output.append(self.space + "\n")
        self.output += self.after
        self.after = []

    def apply(self, commands: list[Command]) -> bool:
        """Run commands; false if the line was deleted."""
        for command in commands:
            if self.selects(command) != command.negated and not self.one(command):
                return False
            if self.quit:
                return True
        return True

    def selects(self, command: Command) -> bool:
        """Tell whether a command's addresses select the line."""
        if command.first is None:
            return True
        if command.second is None:
            return self.matches(command.first)
        if not command.in_range:
            if not self.matches(command.first):
                return False
            command.in_range = self.begins(command)
            return True
        second = command.second
        if second.pattern is not None or second.last:
            command.in_range = not self.matches(second)
        else:
            command.in_range = self.number < command.until
            return self.number <= command.until
        return True

    def begins(self, command: Command) -> bool:
        """Tell whether a range that begins at this line has more lines."""
        second = command.second
        assert second is not None
        if second.offset >= 0:
            command.until = self.number + second.offset
        elif second.number:
            command.until = second.number
        elif second.last:
            return self.number < len(self.lines)
        else:
            return True
        return self.number < command.until

    def matches(self, address: Address) -> bool:
        """Tell whether an address is this line's."""
        if address.pattern is not None:
            return address.pattern.search(self.space) is not None
        return self.number == len(self.lines) if address.last else self.number == address.number

    def one(self, command: Command) -> bool:  # noqa: C901  one case a command
        """Run one command; false ends the line's turn without printing it."""
        match command.name:
            case "{":
                return self.apply(command.body)
            case "s":
                self.substitute(command)
            case "d":
                return False
            case "p":
                self.output.append(self.space + "\n")
            case "P":
                self.output.append(self.space.split("\n")[0] + "\n")
            case "=":
                self.output.append(f"{self.number}\n")
            case "q":
                self.quit = True
            case "y":
                self.space = self.space.translate(str.maketrans(command.text, command.replacement))
            case "a":
                self.after.append(command.text + "\n")
            case "i":
                self.output.append(command.text + "\n")
            case "c":
                if not command.in_range:
                    self.output.append(command.text + "\n")
                return False
            case "n" | "N" | "D":
                return self.next_line(command.name)
            case _:
                self.swap(command.name)
        return True

    def next_line(self, name: str) -> bool:
        """Do n, N or D."""
        if name == "D":
            self.space = self.space.partition("\n")[2]
            return bool(self.space) and self.apply(self.commands)
        if self.number >= len(self.lines):
            self.quit = True
            return True
        if name == "n":
            self.finish(kept=True)
            self.space = ""
        self.space = (self.space + "\n" if name == "N" else "") + self.lines[self.number]
        self.number += 1
        return True

    def swap(self, name: str) -> None:
        """Do g, G, h, H or x."""
        if name == "x":
            self.space, self.hold = self.hold, self.space
        elif name in "gG":
            self.space = self.hold if name == "g" else f"{self.space}\n{self.hold}"
        else:
            self.hold = self.space if name == "h" else f"{self.hold}\n{self.space}"

    def substitute(self, command: Command) -> None:
        """Do ``s``: the nth match, or with g all from the nth on."""
        assert command.pattern is not None
        result, position, seen = "", 0, 0
        for match in command.pattern.finditer(self.space):
            seen += 1
            if seen < command.nth:
                continue
            result += self.space[position : match.start()] + fill(command.replacement, match)
            position = match.end()
            if "g" not in command.flags:
                break
        if seen < command.nth:
            return
        self.space = result + self.space[position:]
        if "p" in command.flags:
            self.output.append(self.space + "\n")


def fill(replacement: str, match: re.Match[str]) -> str:
    r"""Return a replacement with ``&`` and ``\1`` filled in."""

    def one(part: re.Match[str]) -> str:
        text = part[0]
        if text == "&":
            return match[0]
        if text[1].isdigit():
            return match[int(text[1])] or ""
        return {"n": "\n", "t": "\t"}.get(text[1], text[1])

    return re.sub(r"&|\\.", one, replacement, flags=re.DOTALL)


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Edit files, or the standard input."""
    try:
        options = parse(argv, "nrEe:f:is", ("expression=", "quiet", "in-place"))
        scripts = [value for name, value in options.order if name in ("e", "expression")]
        if not scripts and "f" not in options:
            demand(options.operands)
            scripts = [options.operands.pop(0)]
        scripts += [stdio.to_text(await stdio.read_file(k, path)) for path in options.all("f")]
    except Usage as usage:
        return await refuse(k, "sed", usage, "[-i] [-nrE] [-f FILE]... [-e CMD]... [FILE]...")
    except OSError as error:
        await stdio.complain(k, f"sed: {options.get('f')}: {stdio.reason(error)}")
        return 1
    extended = "r" in options or "E" in options
    try:
        Reader("\n".join(scripts), extended=extended).commands()
        return await _edit(k, options, "\n".join(scripts), extended=extended)
    except WrongScript as wrong:
        await stdio.complain(k, f"sed: {wrong}")
    except re.error as error:
        await stdio.complain(k, f"sed: bad regex: {error.msg}")
    return 1


async def _edit(k: System, options: Options, script: str, *, extended: bool) -> int:
    """Edit all files as one text, or with -i each by itself."""
    in_place = "i" in options or "in-place" in options
    texts, status = [], 0
    for path in options.operands or ["-"]:
        try:
            texts.append((path, stdio.to_text(await stdio.read_file(k, path))))
        except OSError as error:
            await stdio.complain(k, f"sed: {path}: {stdio.reason(error)}")
            status = 1
    if not in_place:
        texts = [("-", "".join(text for _, text in texts))]
    for path, text in texts:
        lines = text.split("\n")
        ended = lines[-1] == ""
        editor = Editor(
            Reader(script, extended=extended).commands(),
            lines[:-1] if ended else lines,
            quiet="n" in options or "quiet" in options,
        )
        result = editor.run()
        result = result if ended or editor.quit else result.removesuffix("\n")
        if in_place:
            await _replace(k, path, stdio.to_bytes(result))
        else:
            await stdio.write_all(k, stdio.STDOUT, stdio.to_bytes(result))
    return status


async def _replace(k: System, path: str, data: bytes) -> None:
    """Put a new file with the old one's mode and owner in its place, as sed -i does."""
    old = await k.lstat(path)
    directory, slash, _ = path.rpartition("/")
    new = f"{directory}{slash}sed{await k.getpid()}"
    fd = await k.open(new, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    await stdio.write_all(k, fd, data)
    await k.fchmod(fd, old.st_mode & 0o7777)
    await k.fchown(fd, old.st_uid, old.st_gid)
    await k.close(fd)
    await k.rename(new, path)
