"""kill: send a signal, TERM unless another is named. ``-l`` lists signals."""

import re
from typing import Final

from minidocker.linux import SIGNALS, SIGTERM
from minidocker.programs import stdio
from minidocker.system import System

#: The highest number of a signal as a word (busybox's NSIG, and what an exit status adds), and what a pid_t holds.
LAST_SIGNAL: Final = 64 + 128
MOST_PID: Final = (1 << 31) - 1


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Send a signal to tasks."""
    return await run(k, argv[0].rsplit("/", 1)[-1], argv[1:])


async def run(k: System, label: str, words: list[str]) -> int:
    """Do what the program does; ``label`` stands before its messages."""
    if words[:1] == ["-l"]:
        return await list_signals(k, label, words[1:])
    signum, words = SIGTERM, list(words)
    if words and words[0].startswith("-") and words[0] != "--":
        text = words.pop(0)[1:]
        if text == "s" and words:
            text = words.pop(0)
        signum_or_none = number_of(text)
        if signum_or_none is None:
            await stdio.complain(k, f"{label}: bad signal name '{text}'")
            return 1
        signum = signum_or_none
    if words[:1] == ["--"]:
        words.pop(0)
    if not words:
        await stdio.complain(k, f"{label}: you need to specify whom to kill")
        return 1
    failed = [word for word in words if not await _send(k, label, word, signum)]
    return 1 if failed else 0


async def _send(k: System, label: str, word: str, signum: int) -> bool:
    pid = int(word) if re.fullmatch(r"-?\d{1,10}", word, re.ASCII) else MOST_PID + 1
    if pid > MOST_PID:
        await stdio.complain(k, f"{label}: invalid number '{word}'")
        return False
    try:
        await k.kill(pid, signum)
    except OSError as error:
        await stdio.complain(k, f"{label}: can't kill pid {pid}: {stdio.reason(error)}")
        return False
    return True


def number_of(text: str) -> int | None:
    """Return a signal's number, given that or its name, with or without SIG."""
    if text.isdigit():
        return int(text) if len(text) <= 3 and int(text) <= LAST_SIGNAL else None
    return SIGNALS.get(text.upper().removeprefix("SIG"), 0 if text.upper() == "EXIT" else None)


async def list_signals(k: System, label: str, words: list[str]) -> int:
    """Print the signals' numbers and names, or translate one into the other."""
    names = {number: name for name, number in SIGNALS.items()} | {29: "POLL"}
    output, status = "", 0
    if not words:
        output = "".join(f"{number:2}) {name}\n" for number, name in sorted(names.items()))
    for word in words:
        number = number_of(word)
        if number is None:
            await stdio.complain(k, f"{label}: unknown signal '{word}'")
            status = 1
        elif word.isdigit():
            output += f"{names.get(number & 0x7F, number)}\n"
        else:
            output += f"{number}\n"
    await stdio.write_all(k, stdio.STDOUT, stdio.to_bytes(output))
    return status
