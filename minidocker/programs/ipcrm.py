"""ipcrm: remove message queues and shared memory segments, in util-linux's words (ipcrm(1))."""

import errno
from typing import Final

from minidocker.linux import IPC_RMID
from minidocker.programs import stdio
from minidocker.programs.options import Usage, parse
from minidocker.system import System

LONG: Final = ("queue-id=", "queue-key=", "shmem-id=", "shmem-key=", "all")
#: What an option names: the letter, by number or by key, and of which kind.
_MEANS: Final = {
    "q": "q", "queue-id": "q", "Q": "Q", "queue-key": "Q", "m": "m", "shmem-id": "m", "M": "M", "shmem-key": "M",
}  # fmt: skip


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Remove each that is named; go on where one fails."""
    try:
        options = parse(argv, "q:Q:m:M:a", LONG, most=0)
    except Usage as usage:
        await stdio.complain(k, f"ipcrm: {usage}\nTry 'ipcrm --help' for more information.")
        return 1
    wanted = [(_MEANS[name], value) for name, value in options.order if name in _MEANS]
    if "a" in options or "all" in options:
        wanted += [("q", number) for number in await _all(k, "msg")]
        wanted += [("m", number) for number in await _all(k, "shm")]
    failed = [each for each in wanted if not await _remove(k, *each)]
    return 1 if failed else 0


async def _all(k: System, kind: str) -> list[str]:
    lines = stdio.to_text(await stdio.read_file(k, f"/proc/sysvipc/{kind}")).splitlines()[1:]
    return [line.split()[1] for line in lines]


async def _remove(k: System, letter: str, text: str) -> bool:
    """Remove one, and return whether that worked."""
    by_key, is_queue = letter.isupper(), letter in "qQ"
    try:
        number = int(text, 0)
    except ValueError:
        await stdio.complain(k, f"ipcrm: failed to parse argument: '{text}'")
        return False
    try:
        if by_key:
            number = await k.msgget(number, 0) if is_queue else await k.shmget(number, 0, 0)
        await (k.msgctl(number, IPC_RMID) if is_queue else k.shmctl(number, IPC_RMID))
    except OSError as error:
        await stdio.complain(k, f"ipcrm: {_why(error, text, by_key=by_key)}")
        return False
    return True


def _why(error: OSError, text: str, *, by_key: bool) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"permission denied for {'key' if by_key else 'id'} ({text})"
    if error.errno == errno.EIDRM:
        return f"already removed {'key' if by_key else 'id'} ({text})"
    return f"invalid {'key' if by_key else 'id'} ({text})"
