"""sh: the shell. Its rooms, in the order of a command's way through it:

``lexer`` → ``parser`` (``syntax``) → ``run`` → ``expand`` (``pattern``, ``arithmetic``) → ``redirect`` → ``builtins``.

It follows POSIX.1-2017 (XCU 2) and, where that leaves a choice, busybox's ash. What ash has beyond (job control,
aliases, arrays, line editing) is not there, and is refused as an unknown command or a syntax error.
"""

from contextlib import suppress

from minidocker.linux import O_RDONLY
from minidocker.programs import stdio
from minidocker.programs.sh.builtins import set_options
from minidocker.programs.sh.failure import Exit, ShellFailure
from minidocker.programs.sh.parser import Parser
from minidocker.programs.sh.run import Shell
from minidocker.programs.sh.syntax import Incomplete
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Run ``sh -c COMMANDS [NAME ARGUMENT …]``, ``sh FILE ARGUMENT …``, or the commands of the standard input."""
    shell = Shell(k, argv[0].removeprefix("-"), [], environ)
    try:
        commands, operands = _arguments(shell, argv[1:])
    except ShellFailure as failure:
        return await shell.fail(failure)
    shell.pid = await k.getpid()
    await _find_directory(shell)
    if commands is not None:
        if operands:
            shell.name, shell.positional, shell.script = operands[0], operands[1:], True
        return await shell.run_to_the_end(shell.run_text(commands, line=0, tail=True))
    if operands and not shell.options["s"]:
        return await _run_file(shell, operands[0], operands[1:])
    shell.positional = operands
    interactive = shell.options["i"] or (await k.isatty(stdio.STDIN) and await k.isatty(stdio.STDERR))
    return await shell.run_to_the_end(_run_input(shell, interactive=interactive))


def _arguments(shell: Shell, words: list[str]) -> tuple[str | None, list[str]]:
    """Return the commands of -c, or None, and the operands."""
    words = list(words)
    with_commands = False
    while words and words[0][:1] in ("-", "+") and words[0] != "-":
        word = words.pop(0)
        if word == "--":
            break
        if word.startswith("-") and "c" in word:
            with_commands = True
            word = word.replace("c", "")
        if word.startswith("-"):
            word = word.replace("l", "")
        value = [words.pop(0)] if word.endswith("o") and words else []
        set_options(shell, [word, *value])
    if not with_commands:
        return None, words
    if not words:
        raise ShellFailure("-c requires an argument")
    return words[0], words[1:]


async def _find_directory(shell: Shell) -> None:
    with suppress(OSError):
        shell.values["PWD"] = await shell.k.getcwd()
    shell.values.setdefault("PS4", "+ ")
    shell.values.setdefault("IFS", " \t\n")
    shell.values.setdefault("OPTIND", "1")
    shell.exported.discard("IFS")


async def _run_file(shell: Shell, path: str, positional: list[str]) -> int:
    try:
        fd = await shell.k.open(path, O_RDONLY)
        data = await stdio.read_all(shell.k, fd)
        await shell.k.close(fd)
    except OSError as error:
        await shell.complain(f"can't open '{path}': {stdio.reason(error)}")
        return 2
    shell.name, shell.positional, shell.script = path, positional, True
    return await shell.run_to_the_end(shell.run_text(stdio.to_text(data)))


async def _run_input(shell: Shell, *, interactive: bool) -> int:
    """Run commands as they come on the standard input; what has been read but not parsed stays here."""
    text, line, ended = "", 1, False
    while True:
        parser = Parser(text, line=line, final=ended)
        try:
            command = await shell.parse(parser)
        except Incomplete:
            text, ended = await _more(shell, text, interactive=interactive)
            continue
        except ShellFailure as failure:
            if not interactive:
                raise
            await shell.fail(failure)
            text = ""
            continue
        if command is None:
            return shell.status
        text, line = text[parser.position :], parser.lexer.line
        await _run_one(shell, command, interactive=interactive)


async def _more(shell: Shell, text: str, *, interactive: bool) -> tuple[str, bool]:
    if interactive:
        prompt = f"{shell.get('PWD') or ''} # " if not text.strip() else "> "
        await stdio.write_all(shell.k, stdio.STDERR, stdio.to_bytes(prompt))
    block = await shell.k.read(stdio.STDIN, stdio.BLOCK)
    return text + stdio.to_text(block), not block


async def _run_one(shell: Shell, command: object, *, interactive: bool) -> None:
    """Run a command of the standard input; a person's errors don't end the shell."""
    try:
        await shell.run(command)  # type: ignore[arg-type]
    except Exit:
        raise
    except ShellFailure as failure:
        if not interactive:
            raise
        shell.status = await shell.fail(failure)
