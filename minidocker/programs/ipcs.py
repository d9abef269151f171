"""ipcs: the System V message queues and shared memory of the IPC namespace, in util-linux's words (ipcs(1))."""

from typing import Final

from minidocker.programs import names, stdio
from minidocker.programs.options import Usage, parse
from minidocker.system import System

LONG: Final = ("queues", "shmems", "semaphores", "all")
#: The mode's bit of a segment that goes with the last who has it attached (SHM_DEST).
_DESTROYED: Final = 0o1000


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """List what there is."""
    try:
        options = parse(argv, "qmsa", LONG)
    except Usage as usage:
        await stdio.complain(k, f"ipcs: {usage}\nTry 'ipcs --help' for more information.")
        return 1
    kinds = [kind for kind, words in _WORDS.items() if set(words) & options.given.keys()]
    users = await names.read_names(k, names.USERS)
    output = stdio.Output(k)
    for kind in kinds if kinds and not {"a", "all"} & options.given.keys() else _WORDS:
        title, head, shown = _KINDS[kind]
        await output.line(f"\n------ {title} --------\n{head}")
        for row in await _rows(k, kind):
            owner = users.get(int(row["uid"]), row["uid"])
            await output.line(shown({**row, "owner": owner, "perms": int(row["perms"], 8)}))
    await output.line("")
    await output.flush()
    return 0


async def _rows(k: System, kind: str) -> list[dict[str, str]]:
    """Return what /proc says, column → value; nothing where there is no proc."""
    try:
        text = stdio.to_text(await stdio.read_file(k, f"/proc/sysvipc/{kind}"))
    except OSError:
        return []
    head, *lines = [line.split() for line in text.splitlines()]
    return [dict(zip(head, line, strict=False)) for line in lines]


def _start(row: dict[str, object], number: str) -> str:
    key = int(str(row["key"])) & 0xFFFFFFFF
    perms = int(str(row["perms"])) & 0o777
    return f"0x{key:08x} {row[number]!s:<10} {row['owner']!s:<10} {perms:<10o}"


def _queue(row: dict[str, object]) -> str:
    return f"{_start(row, 'msqid')} {row['cbytes']!s:<12} {row['qnum']!s:<12}"


def _segment(row: dict[str, object]) -> str:
    status = "dest" if int(str(row["perms"])) & _DESTROYED else " "
    return f"{_start(row, 'shmid')} {row['size']!s:<10} {row['nattch']!s:<10} {status:<6} {' ':<6}"


def _semaphores(row: dict[str, object]) -> str:
    return f"{_start(row, 'semid')} {row['nsems']!s:<10}"


_WORDS: Final = {"msg": ("q", "queues"), "shm": ("m", "shmems"), "sem": ("s", "semaphores")}
_KINDS: Final = {
    "msg": ("Message Queues", "key        msqid      owner      perms      used-bytes   messages    ", _queue),
    "shm": (
        "Shared Memory Segments",
        "key        shmid      owner      perms      bytes      nattch     status      ",
        _segment,
    ),
    "sem": ("Semaphore Arrays", "key        semid      owner      perms      nsems     ", _semaphores),
}
