"""Running commands: each kind of syntax has its method; children are clones (POSIX.1-2017, XCU 2.9)."""

# ruff: noqa: ARG002  each method of a kind of command has the same signature, whatever of it matters to that kind

import errno
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from minidocker.linux import O_RDONLY, S_IFMT, S_IFREG, SIG_DFL, SIG_IGN, SIGINT, SIGNALS, SIGPIPE, SIGQUIT, exit_status
from minidocker.programs import stdio
from minidocker.programs.launch import DEFAULT_PATH
from minidocker.programs.sh import builtins, expand, pattern, redirect
from minidocker.programs.sh.failure import Break, Continue, Exit, Jump, RedirectionFailure, Return, ShellFailure
from minidocker.programs.sh.fork import fork
from minidocker.programs.sh.parser import RESERVED, Parser
from minidocker.programs.sh.syntax import (
    AndOr,
    Background,
    Case,
    Command,
    For,
    Function,
    If,
    Incomplete,
    Loop,
    Pipeline,
    Redirect,
    Redirected,
    Sequence,
    ShellSyntaxError,
    Simple,
    Subshell,
)
from minidocker.programs.sh.variables import Variables
from minidocker.programs.signal_names import DESCRIPTIONS
from minidocker.system import System

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126


class Shell(Variables):
    """One shell: the main one, or the copy that a subshell gets. Its methods run commands and return their status.

    ``tested``: the status is being asked for (by if, &&, !), so ``set -e`` does not apply. ``tail``: nothing comes
    after this command in the task, so it may take the task's place instead of being cloned.
    """

    def __init__(self, k: System, name: str, positional: list[str], environ: dict[str, str]) -> None:
        """Start with no function, trap or job."""
        super().__init__(name, positional, environ)
        self.k = k
        self.functions: dict[str, Command] = {}
        self.traps: dict[str, str] = {}
        self.option_inside = 0
        """Where getopts is inside of a word such as ``-abc``; 0 at a word's beginning."""
        self.pending: list[int] = []
        """Signals that came and whose traps have not run yet."""
        self.jobs: dict[int, int | None] = {}
        """Background children: pid → exit code once it is known."""
        self.saved: dict[tuple[int, int], int] = {}
        """Where the copies of redirected descriptors are: (descriptor, first copy) → copy now."""
        self.substituted = 0
        """The status of the last command substitution of the command that is being expanded."""
        self.loops = 0
        self.line = 0
        self.script = False
        """Are commands read from a file, so that messages name the line?"""
        self.builtin = ""

    def copy(self) -> "Shell":
        """Return what a subshell starts with: the same memory, its own from now on. Traps are not inherited."""
        child = Shell(self.k, self.name, list(self.positional), {})
        child.values, child.exported, child.read_only = dict(self.values), set(self.exported), set(self.read_only)
        child.options, child.functions = dict(self.options), dict(self.functions)
        child.locals = [dict(saved) for saved in self.locals]
        child.traps = dict(self.traps)
        child.saved = dict(self.saved)
        child.status, child.pid, child.last_background = self.status, self.pid, self.last_background
        child.loops, child.line, child.script = self.loops, self.line, self.script
        return child

    # messages

    async def complain(self, text: str) -> None:
        """Print a message as ash does: who, and where in a script or builtin."""
        builtin = f"{self.builtin}: " if self.builtin else ""
        line = f"line {self.line}: " if self.script or builtin else ""
        await stdio.complain(self.k, f"{self.name}: {builtin}{line}{text}")

    async def fail(self, failure: ShellFailure) -> int:
        """Print a failure and return its status."""
        await self.complain(failure.text)
        self.builtin = ""
        return failure.status

    # scripts

    async def run_text(self, text: str, *, line: int = 1, tested: bool = False, tail: bool = False) -> int:
        """Run a whole text, a complete command at a time, as it is parsed."""
        parser = Parser(text, line=line)
        status = 0
        while (command := await self.parse(parser)) is not None:
            last = tail and not text[parser.position :].strip()
            status = await self.run(command, tested=tested, tail=last)
        return status

    async def parse(self, parser: Parser) -> Command | None:
        """Parse the next complete command; a syntax error is a failure."""
        try:
            return parser.complete_command()
        except Incomplete as error:
            if not parser.lexer.final:
                raise
            raise self._syntax_failure(error) from None
        except ShellSyntaxError as error:
            raise self._syntax_failure(error) from None

    def _syntax_failure(self, error: ShellSyntaxError) -> ShellFailure:
        self.line = error.line
        return ShellFailure(f"syntax error: {error.text}")

    # commands

    async def run(self, command: Command, *, tested: bool = False, tail: bool = False) -> int:
        """Run a command, remember its status as ``$?``, and obey ``set -e`` and traps."""
        method = _METHODS[type(command)]
        tail = tail and not self.traps
        if self.options["n"]:
            return 0
        self.status = await method(self, command, tested, tail)
        if self.pending:
            await self.run_traps()
        checked = type(command) in _CHECKED and not (isinstance(command, Pipeline) and command.negated)
        if self.status and self.options["e"] and checked and not tested:
            raise Exit(self.status)
        return self.status

    async def sequence(self, command: Sequence, tested: bool, tail: bool) -> int:
        """Run one after the other."""
        *items, last = command.items
        for item in items:
            await self.run(item, tested=tested)
        return await self.run(last, tested=tested, tail=tail)

    async def and_or(self, command: AndOr, tested: bool, tail: bool) -> int:
        """Run the right side if the left one's status says so."""
        status = await self.run(command.left, tested=True)
        if (status == 0) != (command.operator == "&&"):
            return status
        return await self.run(command.right, tested=tested, tail=tail)

    async def if_clause(self, command: If, tested: bool, tail: bool) -> int:
        """Run the branch that the condition chooses."""
        if await self.run(command.condition, tested=True) == 0:
            return await self.run(command.body, tested=tested, tail=tail)
        if command.otherwise is None:
            return 0
        return await self.run(command.otherwise, tested=tested, tail=tail)

    async def loop(self, command: Loop, tested: bool, tail: bool) -> int:
        """Run the body while, or until, the condition succeeds."""
        status = 0

        async def turn() -> bool:
            nonlocal status
            if (await self.run(command.condition, tested=True) == 0) == command.until:
                return False
            status = await self.run(command.body, tested=tested)
            return True

        await self._turns(turn)
        return status

    async def for_loop(self, command: For, tested: bool, tail: bool) -> int:
        """Run the body once for each word."""
        words = iter(await expand.fields(self, command.words))
        status = 0

        async def turn() -> bool:
            nonlocal status
            word = next(words, None)
            if word is None:
                return False
            self.assign(command.name, word)
            status = await self.run(command.body, tested=tested)
            return True

        await self._turns(turn)
        return status

    async def _turns(self, turn: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        """Take turns until there are no more, or break or continue says otherwise."""
        self.loops += 1
        try:
            while True:
                try:
                    if not await turn():
                        return
                except Break as jump:
                    if jump.levels > 1 and self.loops > 1:
                        raise type(jump)(jump.levels - 1) from None
                    if not isinstance(jump, Continue):
                        return
                await self.k.sched_yield()
        finally:
            self.loops -= 1

    async def case(self, command: Case, tested: bool, tail: bool) -> int:
        """Run the first branch with a pattern that matches."""
        text = await expand.text(self, command.word)
        for patterns, body in command.branches:
            for word in patterns:
                if pattern.matches(await expand.match_pattern(self, word), text):
                    return await self.run(body, tested=tested, tail=tail) if body is not None else 0
        return 0

    async def define(self, command: Function, tested: bool, tail: bool) -> int:
        """Remember a function."""
        self.functions[command.name] = command.body
        return 0

    async def redirected(self, command: Redirected, tested: bool, tail: bool) -> int:
        """Run a compound command with its redirections, and undo these."""
        saved: list[tuple[int, int]] = []
        try:
            await redirect.redirect(self, command.redirects, saved)
            return await self.run(command.command, tested=tested)
        except RedirectionFailure as failure:
            return await self.fail(failure)
        finally:
            await redirect.restore(self, saved)

    # children

    async def subshell(self, command: Subshell, tested: bool, tail: bool) -> int:
        """Run the body in a clone, or right here if nothing comes after."""
        if tail:
            return await self.run(command.body, tested=tested, tail=True)
        pid = await fork(self.k, _run_body, self.copy(), command.body, tested)
        return await self.wait_for([pid])

    async def background(self, command: Background, tested: bool, tail: bool) -> int:
        """Start a clone that keyboard signals don't reach and that has nothing to read, and go on."""
        pid = await fork(self.k, _run_background, self.copy(), command.command)
        self.last_background = pid
        self.jobs[pid] = None
        return 0

    async def pipeline(self, command: Pipeline, tested: bool, tail: bool) -> int:
        """Run the commands side by side, each one's output being the next one's input."""
        if len(command.commands) == 1:
            status = await self.run(command.commands[0], tested=True)
        else:
            status = await self.wait_for(await self._start_pipeline(command.commands, tested or command.negated))
        return int(status == 0) if command.negated else status

    async def _start_pipeline(self, commands: tuple[Command, ...], tested: bool) -> list[int]:
        pids, source = [], -1
        for number, part in enumerate(commands):
            last = number == len(commands) - 1
            reading, writing = (-1, -1) if last else await self.k.pipe2()
            pids.append(await fork(self.k, _run_stage, self.copy(), part, source, reading, writing, tested))
            if source >= 0:
                await self.k.close(source)
            if writing >= 0:
                await self.k.close(writing)
            source = reading
        return pids

    async def substitute(self, body: Command | None) -> str:
        """Return what commands print, less the newlines at its end; their status is left in ``$?``."""
        if body is None:
            return ""
        reading, writing = await self.k.pipe2()
        pid = await fork(self.k, _run_stage, self.copy(), body, -1, reading, writing, False)
        await self.k.close(writing)
        output = await stdio.read_all(self.k, reading)
        await self.k.close(reading)
        self.status = self.substituted = await self.wait_for([pid])
        return stdio.to_text(output.replace(b"\0", b"")).rstrip("\n")

    async def wait_for(self, pids: list[int]) -> int:
        """Reap children and return the last one's exit code; a signal that killed one is told."""
        status = 0
        for pid in pids:
            status = await self.reap(pid)
        await self.report(status)
        return exit_status(status)

    async def report(self, status: int) -> None:
        """Print which signal killed a child, unless it is one that means no harm."""
        if (status & 0x7F) not in (0, SIGINT, SIGPIPE):
            await stdio.complain(self.k, DESCRIPTIONS.get(status & 0x7F, f"Signal {status & 0x7F}"))

    async def reap(self, pid: int) -> int:
        """Return a child's wait status, however many signals come meanwhile."""
        while True:
            try:
                return (await self.k.wait4(pid))[1]
            except InterruptedError:
                continue

    # simple commands

    async def simple(self, command: Simple, tested: bool, tail: bool) -> int:
        """Expand a simple command, and run what its first word names."""
        self.line = command.line
        self.substituted = 0
        words = await expand.fields(self, command.words)
        if not words:
            return await self._only_assignments(command)
        if words[0] in builtins.SPECIAL:
            return await self._special(command, words, tested)
        assignments = await self._assignments(command)
        await self._trace(assignments, words)
        if words[0] in self.functions or words[0] in builtins.BUILTINS:
            return await self._inside(command, words, assignments, tested)
        return await self._outside(command.redirects, words, self.environ() | dict(assignments), tail=tail)

    async def _outside(
        self, redirects: tuple[Redirect, ...], words: list[str], environ: dict[str, str], *, tail: bool = False
    ) -> int:
        """Run a program in a clone, or in this task's place."""
        if tail:
            return await _execute(self, redirects, words, environ)
        return await self.wait_for([await fork(self.k, _run_external, self.copy(), redirects, words, environ)])

    async def run_plain(self, words: list[str], *, tested: bool) -> int:
        """Run a builtin or a program even if a function has its name, and no error ends the script."""
        if words[0] in builtins.BUILTINS:
            return await self._ordinary(words, tested)
        return await self._outside((), words, self.environ())

    async def _assignments(self, command: Simple) -> list[tuple[str, str]]:
        return [(name, await expand.text(self, word)) for name, word in command.assignments]

    async def _only_assignments(self, command: Simple) -> int:
        """Assign for good; the status is that of the last command substitution."""
        for name, word in command.assignments:
            value = await expand.text(self, word)
            await self._trace([(name, value)], [])
            self.assign(name, value)
        saved: list[tuple[int, int]] = []
        try:
            await redirect.redirect(self, command.redirects, saved)
        except RedirectionFailure as failure:
            return await self.fail(failure)
        finally:
            await redirect.restore(self, saved)
        return self.substituted

    async def _special(self, command: Simple, words: list[str], tested: bool) -> int:
        """Run a special builtin: its assignments stay, its errors end the script, exec keeps its redirections."""
        assignments = await self._assignments(command)
        await self._trace(assignments, words)
        for name, value in assignments:
            self.assign(name, value)
            if words[0] == "exec":
                self.exported.add(name)
        saved: list[tuple[int, int]] = []
        keep = words[0] == "exec"
        try:
            await redirect.redirect(self, command.redirects, None if keep else saved)
            return await self._call(words, tested)
        finally:
            await redirect.restore(self, saved)

    async def _inside(self, command: Simple, words: list[str], assignments: list[tuple[str, str]], tested: bool) -> int:
        """Run a function or an ordinary builtin in the shell itself; assignments hold as long as it runs."""
        before = {name: (self.values.get(name), name in self.exported) for name, _ in assignments}
        saved: list[tuple[int, int]] = []
        try:
            for name, value in assignments:
                self.assign(name, value)
                self.exported.add(name)
            await redirect.redirect(self, command.redirects, saved)
            if words[0] in self.functions:
                return await self._function(words, tested)
            return await self._ordinary(words, tested)
        except RedirectionFailure as failure:
            return await self.fail(failure)
        finally:
            await redirect.restore(self, saved)
            self.restore(before)

    async def _ordinary(self, words: list[str], tested: bool) -> int:
        try:
            return await self._call(words, tested)
        except ShellFailure as failure:
            return await self.fail(failure)

    async def _call(self, words: list[str], tested: bool) -> int:
        builtin = builtins.BUILTINS[words[0]]
        self.builtin = words[0]
        try:
            status = await builtin(self, words, tested)
        except stdio.WriteError as error:
            await stdio.complain(self.k, f"{self.name}: write error: {stdio.reason(error)}")
            status = 1
        self.builtin = ""
        return status

    async def _function(self, words: list[str], tested: bool) -> int:
        positional, self.positional = self.positional, words[1:]
        loops, self.loops = self.loops, 0
        self.locals.append({})
        try:
            return await self.run(self.functions[words[0]], tested=tested)
        except Return as jump:
            return jump.status
        finally:
            self.restore(self.locals.pop())
            self.positional, self.loops = positional, loops

    async def _trace(self, assignments: list[tuple[str, str]], words: list[str]) -> None:
        """Print what is about to be run, if ``set -x`` asks for it."""
        if self.options["x"]:
            shown = [f"{name}={builtins.quote(value)}" for name, value in assignments]
            shown += [builtins.quote(word, reserved=RESERVED) for word in words]
            await stdio.complain(self.k, (self.get("PS4") or "+ ") + " ".join(shown))

    # programs

    async def execute(self, words: list[str], environ: dict[str, str]) -> int:
        """Become the program that a command names; returns a status only if that cannot be."""
        try:
            path = await self.find(words[0], environ)
            await self.k.execve(path, words, environ)
        except OSError as error:
            if error.errno == errno.ENOEXEC:
                return await self._script(path, words, environ)
            missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
            await self.complain(f"{words[0]}: {'not found' if missing else stdio.reason(error)}")
            return NOT_FOUND if missing else NOT_EXECUTABLE
        return 0

    async def find(self, name: str, environ: dict[str, str]) -> str:
        """Return the path of a program: the first file of that name in PATH's directories."""
        if "/" in name:
            return name
        found = OSError(errno.ENOENT, "")
        for directory in environ.get("PATH", DEFAULT_PATH).split(":"):
            path = f"{directory}/{name}" if directory else name
            try:
                mode = (await self.k.stat(path)).st_mode
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                    found = error
                continue
            if mode & S_IFMT == S_IFREG:
                return path
            found = OSError(errno.EACCES, "")
        raise found

    async def _script(self, path: str, words: list[str], environ: dict[str, str]) -> int:
        """Run a file that is no program as a script of a new shell, as execvp(3) does; a binary is refused."""
        fd = await self.k.open(path, O_RDONLY)
        data = await stdio.read_all(self.k, fd)
        await self.k.close(fd)
        if data.startswith(b"\x7fELF"):
            await self.complain(f"{words[0]}: Exec format error")
            return NOT_EXECUTABLE
        shell = Shell(self.k, path, words[1:], environ)
        shell.script, shell.pid = True, self.pid
        return await shell.run_to_the_end(shell.run_text(stdio.to_text(data)))

    # traps and the end

    async def run_traps(self) -> None:
        """Run the traps of the signals that came, leaving ``$?`` as it was."""
        while self.pending:
            number = self.pending.pop(0)
            name = next(name for name, signum in SIGNALS.items() if signum == number)
            if action := self.traps.get(name):
                status = self.status
                await self.run_text(action, line=self.line)
                self.status = status

    async def forget_traps(self) -> None:
        """As a subshell does: signals that had a trap end it again, ignored ones stay ignored."""
        trapped = {name for name, action in self.traps.items() if action}
        self.traps = {name: "" for name in self.traps if name not in trapped}
        for name in sorted(trapped - {"EXIT"}):
            await self.k.signal(SIGNALS[name], SIG_DFL)

    async def run_to_the_end(self, body: Coroutine[Any, Any, int]) -> int:
        """Run all there is, then the EXIT trap, and return the shell's exit status."""
        status = await self._last(body)
        action = self.traps.pop("EXIT", "")
        if not action:
            return status
        self.status = status
        try:
            await self.run_text(action, line=self.line)
        except Exit as jump:
            return jump.status
        except ShellFailure as failure:
            return await self.fail(failure)
        except Jump:
            pass
        return status

    async def _last(self, body: Coroutine[Any, Any, int]) -> int:
        try:
            return await body
        except Exit as jump:
            return jump.status
        except Jump:
            return self.status
        except ShellFailure as failure:
            return await self.fail(failure)

    async def become_child(self) -> None:
        """What every clone of a shell does first: it lets go of its parent's traps and kept descriptors."""
        await self.forget_traps()
        for copy in sorted(self.saved.values()):
            await self.k.close(copy)
        self.saved.clear()


async def _run_body(k: System, shell: Shell, body: Command, tested: bool) -> int:
    await shell.become_child()
    return await shell.run_to_the_end(shell.run(body, tested=tested, tail=True))


async def _run_background(k: System, shell: Shell, body: Command) -> int:
    await shell.become_child()
    await k.signal(SIGINT, SIG_IGN)
    await k.signal(SIGQUIT, SIG_IGN)
    with suppress(OSError):
        await k.close(stdio.STDIN)
        await k.open("/dev/null", O_RDONLY)
    return await shell.run_to_the_end(shell.run(body, tail=True))


async def _run_stage(
    k: System, shell: Shell, body: Command, source: int, reading: int, writing: int, tested: bool
) -> int:
    """Run one part of a pipeline: ``source`` becomes its input, ``writing`` its output, where they are not -1."""
    await shell.become_child()
    if reading >= 0:
        await k.close(reading)
    for fd, target in ((source, stdio.STDIN), (writing, stdio.STDOUT)):
        if fd >= 0 and fd != target:
            await k.dup2(fd, target)
            await k.close(fd)
    return await shell.run_to_the_end(shell.run(body, tested=tested, tail=True))


async def _run_external(
    k: System, shell: Shell, redirects: tuple[Redirect, ...], words: list[str], environ: dict[str, str]
) -> int:
    await shell.become_child()
    return await shell.run_to_the_end(_execute(shell, redirects, words, environ))


async def _execute(shell: Shell, redirects: tuple[Redirect, ...], words: list[str], environ: dict[str, str]) -> int:
    try:
        await redirect.redirect(shell, redirects)
    except RedirectionFailure as failure:
        return await shell.fail(failure)
    return await shell.execute(words, environ)


_METHODS: Final[dict[type, Callable[[Shell, Any, bool, bool], Coroutine[Any, Any, int]]]] = {
    Simple: Shell.simple,
    Pipeline: Shell.pipeline,
    AndOr: Shell.and_or,
    Sequence: Shell.sequence,
    Background: Shell.background,
    If: Shell.if_clause,
    Loop: Shell.loop,
    For: Shell.for_loop,
    Case: Shell.case,
    Function: Shell.define,
    Subshell: Shell.subshell,
    Redirected: Shell.redirected,
}
#: What ``set -e`` looks at: a command's own status, not that of what it consists of.
_CHECKED: Final = frozenset((Simple, Pipeline, Subshell, Redirected))
