"""The commands that the shell runs itself: they need its memory, or cost no clone (XCU 2.14)."""

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from minidocker.linux import SIG_DFL, SIG_IGN, SIGNALS, exit_status
from minidocker.programs import echo as echo_program
from minidocker.programs import kill as kill_program
from minidocker.programs import printf as printf_program
from minidocker.programs import stdio
from minidocker.programs import test as test_program
from minidocker.programs.file_mode import UnknownMode, change_mode, symbolic_umask
from minidocker.programs.sh import expand
from minidocker.programs.sh.failure import Break, Continue, Exit, Return, ShellFailure
from minidocker.programs.sh.lexer import NAME
from minidocker.programs.sh.parser import RESERVED
from minidocker.programs.sh.read import read_line, share_out
from minidocker.programs.sh.variables import OPTIONS

if TYPE_CHECKING:
    from minidocker.programs.sh.run import Shell

Builtin = Callable[["Shell", list[str], bool], Awaitable[int]]


def quote(text: str, *, reserved: frozenset[str] = frozenset()) -> str:
    """Return a text as a shell would have to read it; reserved words would mean something else where they stand."""
    if re.fullmatch(r"[\w@%+:,./^\]-]+", text, re.ASCII) and text not in reserved:
        return text
    return "'" + text.replace("'", "'\"'\"'") + "'"


def number(text: str) -> int:
    """Return an argument that must be a number."""
    if not text.isdigit():
        raise ShellFailure(f"Illegal number: {text}")
    return int(text)


def options(words: list[str], known: str) -> tuple[str, list[str]]:
    """Return the letters of a builtin's options, and its operands."""
    letters = ""
    for index, word in enumerate(words[1:], 1):
        if word == "--":
            return letters, words[index + 1 :]
        if not word.startswith("-") or word == "-":
            return letters, words[index:]
        for letter in word[1:]:
            if letter not in known:
                raise ShellFailure(f"illegal option -{letter}")
        letters += word[1:]
    return letters, []


# nothing, output, conditions


async def true(shell: "Shell", words: list[str], tested: bool) -> int:
    """``:`` and ``true``: do nothing, well."""
    return 0


async def false(shell: "Shell", words: list[str], tested: bool) -> int:
    """Do nothing, and fail."""
    return 1


async def echo(shell: "Shell", words: list[str], tested: bool) -> int:
    """Print the arguments."""
    return await echo_program.run(shell.k, words[1:])


async def printf(shell: "Shell", words: list[str], tested: bool) -> int:
    """Print by a format."""
    if len(words) == 1:
        await stdio.complain(shell.k, f"{shell.name}: usage: printf FORMAT [ARGUMENT...]")
        return 2
    return await printf_program.run(shell.k, shell.name, words[1:])


async def test(shell: "Shell", words: list[str], tested: bool) -> int:
    """``test`` and ``[``: ask about files, texts and numbers."""
    return await test_program.run(shell.k, shell.name, words)


async def kill(shell: "Shell", words: list[str], tested: bool) -> int:
    """Send signals; ``%`` and ``%%`` name the last background child."""
    last = str(shell.last_background)
    return await kill_program.run(
        shell.k, shell.name, [last if word in ("%", "%%", "%1") else word for word in words[1:]]
    )


# leaving


async def exit_(shell: "Shell", words: list[str], tested: bool) -> int:
    """Leave the shell."""
    raise Exit(number(words[1]) & 0xFF if len(words) > 1 else shell.status)


async def return_(shell: "Shell", words: list[str], tested: bool) -> int:
    """Leave a function or a sourced file."""
    raise Return(number(words[1]) & 0xFF if len(words) > 1 else shell.status)


async def break_(shell: "Shell", words: list[str], tested: bool) -> int:
    """Leave loops."""
    return _leave(shell, words, Break)


async def continue_(shell: "Shell", words: list[str], tested: bool) -> int:
    """Go on with a loop's next turn."""
    return _leave(shell, words, Continue)


def _leave(shell: "Shell", words: list[str], jump: type[Break]) -> int:
    levels = number(words[1]) if len(words) > 1 else 1
    if levels == 0:
        raise ShellFailure(f"Illegal number: {words[1]}")
    if shell.loops:
        shell.builtin, shell.status = "", 0
        raise jump(levels)
    return 0


# other commands


async def eval_(shell: "Shell", words: list[str], tested: bool) -> int:
    """Run the arguments as commands."""
    shell.builtin = ""
    return await shell.run_text(" ".join(words[1:]), line=shell.line, tested=tested)


async def dot(shell: "Shell", words: list[str], tested: bool) -> int:
    """Run a file's commands in this shell."""
    if len(words) < 2:
        return 0
    try:
        path = words[1] if "/" in words[1] else await shell.find(words[1], shell.environ())
        text = stdio.to_text(await stdio.read_file(shell.k, path))
    except OSError as error:
        if "/" not in words[1]:
            raise ShellFailure(f"{words[1]}: not found") from None
        raise ShellFailure(f"can't open '{words[1]}': {stdio.reason(error)}") from None
    return await _source(shell, text, words[2:], tested=tested)


async def _source(shell: "Shell", text: str, arguments: list[str], *, tested: bool) -> int:
    before = shell.builtin, shell.script, shell.line, shell.positional
    shell.builtin, shell.script, shell.positional = "", True, arguments or shell.positional
    try:
        return await shell.run_text(text, tested=tested)
    except Return as jump:
        return jump.status
    finally:
        shell.builtin, shell.script, shell.line, shell.positional = before


async def exec_(shell: "Shell", words: list[str], tested: bool) -> int:
    """Become another program; without one, keep the redirections."""
    if len(words) > 1:
        raise Exit(await shell.execute(words[1:], shell.environ()))
    return 0


async def command(shell: "Shell", words: list[str], tested: bool) -> int:
    """Run a command that is no function, or with -v tell what a name stands for."""
    letters, names = options(words, "pvV")
    if "v" in letters or "V" in letters:
        kind = await _describe(shell, names[0], short="v" in letters) if names else ""
        await stdio.write_all(shell.k, stdio.STDOUT, stdio.to_bytes(kind))
        return 0 if kind else 127
    if not names:
        return 0
    shell.builtin = ""
    return await shell.run_plain(names, tested=tested)


async def type_(shell: "Shell", words: list[str], tested: bool) -> int:
    """Tell what each name stands for."""
    output, status = "", 0
    for name in words[1:]:
        kind = await _describe(shell, name, short=False)
        output += kind or f"{name}: not found\n"
        status = status if kind else 127
    await stdio.write_all(shell.k, stdio.STDOUT, stdio.to_bytes(output))
    return status


async def _describe(shell: "Shell", name: str, *, short: bool) -> str:
    if name in RESERVED:
        kind = "a shell keyword"
    elif name in shell.functions:
        kind = "a function"
    elif name in BUILTINS:
        kind = "a special shell builtin" if name in SPECIAL else "a shell builtin"
    else:
        return await _describe_program(shell, name, short=short)
    return f"{name}\n" if short else f"{name} is {kind}\n"


async def _describe_program(shell: "Shell", name: str, *, short: bool) -> str:
    try:
        path = await shell.find(name, shell.environ())
        await shell.k.stat(path)
    except OSError:
        return ""
    return f"{path}\n" if short else f"{name} is {path}\n"


# directories and files


async def cd(shell: "Shell", words: list[str], tested: bool) -> int:
    """Change the working directory; ``..`` takes a name off the path, as the shell knows it, unless -P is given."""
    letters, operands = options(words, "LP")
    target = operands[0] if operands else shell.get("HOME") or "/"
    back = target == "-"
    if back:
        target = shell.get("OLDPWD") or "/"
    path = target if "P" in letters else logical(shell.get("PWD") or "", target)
    try:
        await shell.k.chdir(path)
    except OSError as error:
        raise ShellFailure(f"can't cd to {target}: {stdio.reason(error)}") from None
    here = path if path.startswith("/") and "P" not in letters else await shell.k.getcwd()
    for name, value in (("OLDPWD", shell.get("PWD") or ""), ("PWD", here)):
        shell.assign(name, value)
        shell.exported.add(name)
    if back:
        await stdio.write_all(shell.k, stdio.STDOUT, stdio.to_bytes(here + "\n"))
    return 0


def logical(here: str, target: str) -> str:
    """Return a path without ``.`` and ``..``, relative to a directory's own path."""
    if not target.startswith("/"):
        if not here.startswith("/"):
            return target
        target = f"{here}/{target}"
    names: list[str] = []
    for name in target.split("/"):
        if name == "..":
            del names[-1:]
        elif name not in ("", "."):
            names.append(name)
    return "/" + "/".join(names)


async def pwd(shell: "Shell", words: list[str], tested: bool) -> int:
    """Print the working directory."""
    letters, _ = options(words, "LP")
    here = await shell.k.getcwd() if "P" in letters else shell.get("PWD") or await shell.k.getcwd()
    await stdio.write_all(shell.k, stdio.STDOUT, stdio.to_bytes(here + "\n"))
    return 0


async def umask(shell: "Shell", words: list[str], tested: bool) -> int:
    """Show or set the bits that new files don't get."""
    letters, operands = options(words, "S")
    mask = await shell.k.umask(0)
    new = mask
    if operands:
        try:
            new = (
                int(operands[0], 8)
                if operands[0].isdigit()
                else 0o777 & ~change_mode(operands[0], 0o777 & ~mask, mask=0)
            )
        except (UnknownMode, ValueError):
            await shell.k.umask(mask)
            raise ShellFailure(f"illegal mode: {operands[0]}") from None
    await shell.k.umask(new)
    if not operands:
        text = symbolic_umask(mask) if letters else f"{mask:04o}"
        await stdio.write_all(shell.k, stdio.STDOUT, stdio.to_bytes(text + "\n"))
    return 0


# variables


async def export(shell: "Shell", words: list[str], tested: bool) -> int:
    """Give variables to commands; print those that are."""
    return await _mark(shell, words, "export", shell.exported)


async def readonly(shell: "Shell", words: list[str], tested: bool) -> int:
    """Keep variables from being set; print those that are kept."""
    return await _mark(shell, words, "readonly", shell.read_only)


async def _mark(shell: "Shell", words: list[str], name: str, marked: set[str]) -> int:
    letters, operands = options(words, "pn")
    if not operands:
        shown = [f"{name} {key}" + _equals(shell.get(key)) for key in sorted(marked)]
        await stdio.write_all(shell.k, stdio.STDOUT, stdio.to_bytes("".join(line + "\n" for line in shown)))
        return 0
    for operand in operands:
        key, equals, value = operand.partition("=")
        check_name(key)
        if equals:
            shell.assign(key, value)
        if "n" in letters:
            marked.discard(key)
        else:
            marked.add(key)
    return 0


def _equals(value: str | None) -> str:
    return "" if value is None else "='" + value.replace("'", "'\"'\"'") + "'"


def check_name(name: str) -> None:
    """Refuse what is no variable's name."""
    if not NAME.fullmatch(name):
        raise ShellFailure(f"{name}: bad variable name")


async def local(shell: "Shell", words: list[str], tested: bool) -> int:
    """Make variables the running function's own."""
    if not shell.locals:
        raise ShellFailure("not in a function")
    for operand in words[1:]:
        key, equals, value = operand.partition("=")
        check_name(key)
        shell.make_local(key)
        if equals:
            shell.assign(key, value)
    return 0


async def unset(shell: "Shell", words: list[str], tested: bool) -> int:
    """Forget variables, or with -f functions."""
    letters, operands = options(words, "vf")
    for name in operands:
        if "f" in letters:
            shell.functions.pop(name, None)
        else:
            check_name(name)
            shell.unset(name)
    return 0


async def shift(shell: "Shell", words: list[str], tested: bool) -> int:
    """Drop the first positional parameters."""
    count = number(words[1]) if len(words) > 1 else 1
    if count > len(shell.positional):
        return 1
    del shell.positional[:count]
    return 0


async def set_(shell: "Shell", words: list[str], tested: bool) -> int:
    """Set options and positional parameters; alone, print all variables."""
    if len(words) == 1:
        lines = "".join(f"{name}{_equals(shell.values[name])}\n" for name in sorted(shell.values))
        await stdio.write_all(shell.k, stdio.STDOUT, stdio.to_bytes(lines))
        return 0
    rest = set_options(shell, words[1:])
    if rest is not None:
        shell.positional = rest
    return 0


def set_options(shell: "Shell", words: list[str]) -> list[str] | None:
    """Set the shell's options and return the operands; None if there was no word for operands at all."""
    words = list(words)
    while words and words[0][:1] in ("-", "+") and len(words[0]) > 1:
        word = words.pop(0)
        if word == "--":
            return words
        for letter in word[1:]:
            _set_option(shell, letter, words, on=word[0] == "-")
    return words or None


def _set_option(shell: "Shell", letter: str, words: list[str], *, on: bool) -> None:
    if letter == "o" and words:
        name = words.pop(0)
        letters = {long: short for short, long in OPTIONS.items()}
        if name not in letters:
            raise ShellFailure(f"illegal option {'-' if on else '+'}o {name}")
        letter = letters[name]
    if letter not in OPTIONS:
        raise ShellFailure(f"illegal option {'-' if on else '+'}{letter}")
    shell.options[letter] = on


async def read(shell: "Shell", words: list[str], tested: bool) -> int:
    """Read a line into variables; 1 at the end of the input."""
    letters, names = options(words, "rsp")
    if "p" in letters and names:
        await stdio.write_all(shell.k, stdio.STDERR, stdio.to_bytes(names.pop(0)))
    for name in names:
        check_name(name)
    characters, ended = await read_line(shell.k, raw="r" in letters)
    ifs = shell.get("IFS")
    for name, value in share_out(names or ["REPLY"], characters, expand.IFS if ifs is None else ifs).items():
        shell.assign(name, value)
    return int(not ended)


async def getopts(shell: "Shell", words: list[str], tested: bool) -> int:
    """Take the next option off the positional parameters; OPTIND and an index inside of it say where we are."""
    if len(words) < 3:
        raise ShellFailure("usage: getopts optstring var [arg...]")
    known, name, arguments = words[1], words[2], words[3:] or shell.positional
    index, inside = int(shell.get("OPTIND") or 1), shell.option_inside
    word = arguments[index - 1] if index <= len(arguments) else ""
    if not inside and (not word.startswith("-") or word in ("-", "--")):
        shell.assign("OPTIND", str(index + (word == "--")))
        shell.assign(name, "?")
        return 1
    inside = inside or 1
    letter, rest = word[inside], word[inside + 1 :]
    takes = (
        letter in known.lstrip(":")
        and letter != ":"
        and known[known.index(letter, 1 if known[0] == ":" else 0) + 1 :][:1] == ":"
    )
    shell.option_inside = inside + 1 if rest and not takes else 0
    index += not shell.option_inside
    value: str | None = ""
    if letter not in known.lstrip(":") or letter == ":":
        value, letter = await _bad_option(shell, known, "?", f"Illegal option -{letter}", letter)
    elif takes and not rest and index > len(arguments):
        value, letter = await _bad_option(shell, known, ":", f"No arg for -{letter} option", letter)
    elif takes:
        value = rest or arguments[index - 1]
        index += not rest
    shell.assign("OPTIND", str(index))
    shell.assign(name, letter)
    if value is None:
        shell.unset("OPTARG")
    else:
        shell.assign("OPTARG", value)
    return 0


async def _bad_option(shell: "Shell", known: str, silent: str, message: str, letter: str) -> tuple[str | None, str]:
    """Return OPTARG and the variable's value for an option that is wrong; a leading colon says not to print it."""
    if known.startswith(":"):
        return letter, silent
    await stdio.complain(shell.k, message)
    return None, "?"


# jobs and signals


async def wait(shell: "Shell", words: list[str], tested: bool) -> int:
    """Wait for background children; a signal with a trap ends the waiting with 128 + its number."""
    status = 0
    for pid in [_job(shell, word) for word in words[1:]] or list(shell.jobs):
        known = shell.jobs.get(pid, 127)
        if known is None:
            try:
                known = await _wait_for_job(shell, pid)
            except InterruptedError:
                return 128 + shell.pending[0] if shell.pending else 128
        status = known
    return status if len(words) > 1 else 0


def _job(shell: "Shell", word: str) -> int:
    if word.startswith("%"):
        return shell.last_background or 0
    return number(word)


async def _wait_for_job(shell: "Shell", pid: int) -> int:
    try:
        _, status = await shell.k.wait4(pid)
    except ChildProcessError:
        return 127
    shell.jobs[pid] = exit_status(status)
    await shell.report(status)
    return exit_status(status)


async def jobs(shell: "Shell", words: list[str], tested: bool) -> int:
    """List the background children that have not been waited for."""
    running = [pid for pid, status in shell.jobs.items() if status is None]
    lines = "".join(f"[{index}]   Running                 {pid}\n" for index, pid in enumerate(running, 1))
    await stdio.write_all(shell.k, stdio.STDOUT, stdio.to_bytes(lines))
    return 0


async def trap(shell: "Shell", words: list[str], tested: bool) -> int:
    """Say what to do when a signal comes: run an action, nothing (``''``), or the default again (``-``)."""
    operands = words[2:] if words[1:2] == ["--"] else words[1:]
    if not operands:
        lines = "".join(
            f"trap -- {_quoted(action)} {name}\n" for name, action in sorted(shell.traps.items(), key=_order)
        )
        await stdio.write_all(shell.k, stdio.STDOUT, stdio.to_bytes(lines))
        return 0
    action: str | None = operands.pop(0) if len(operands) > 1 else None
    if action == "-":
        action = None
    status = 0
    for operand in operands:
        name = signal_name(operand)
        if name is None:
            await shell.complain(f"{operand}: invalid signal specification")
            status = 1
        else:
            await _set_trap(shell, name, action)
    return status


def _quoted(action: str) -> str:
    return "'" + action.replace("'", "'\"'\"'") + "'"


def _order(item: tuple[str, str]) -> int:
    return SIGNALS.get(item[0], 0)


def signal_name(text: str) -> str | None:
    """Return a signal's name without SIG; 0 and EXIT are the shell's own end."""
    name = text.upper().removeprefix("SIG")
    if name in ("EXIT", "0"):
        return "EXIT"
    if name.isdigit():
        return next((key for key, signum in SIGNALS.items() if signum == int(name)), None)
    return name if name in SIGNALS else None


async def _set_trap(shell: "Shell", name: str, action: str | None) -> None:
    if action is None:
        shell.traps.pop(name, None)
    else:
        shell.traps[name] = action
    if name == "EXIT":
        return
    with suppress(OSError):
        handler = SIG_DFL if action is None else SIG_IGN if action == "" else shell.pending.append
        await shell.k.signal(SIGNALS[name], handler)


SPECIAL: Final[dict[str, Builtin]] = {
    ".": dot, ":": true, "break": break_, "continue": continue_, "eval": eval_, "exec": exec_, "exit": exit_,
    "export": export, "readonly": readonly, "return": return_, "set": set_, "shift": shift, "source": dot,
    "trap": trap, "unset": unset, "local": local,
}  # fmt: skip
BUILTINS: Final[dict[str, Builtin]] = SPECIAL | {
    "[": test, "cd": cd, "command": command, "echo": echo, "false": false, "getopts": getopts, "jobs": jobs,
    "kill": kill, "printf": printf, "pwd": pwd, "read": read, "test": test, "true": true, "type": type_, "umask": umask,
    "wait": wait,
}  # fmt: skip
