"""ps: the tasks that /proc shows, which are those of its PID namespace."""

from minidocker.programs import names, stdio
from minidocker.programs.options import Options, Usage, parse, refuse
from minidocker.system import System

COLUMNS = {"pid": 5, "user": 8, "time": 5, "stat": 4, "ppid": 5, "comm": 16, "args": 0}
DEFAULT = "pid,user,time,args"


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """List tasks by their number."""
    try:
        options = parse([word for word in argv if word not in ("aux", "ax", "-ef")], "o:wTlaefA")
        columns = _columns(options)
        listing = sorted(int(name) for name in await k.listdir("/proc") if name.isdigit())
    except Usage as usage:
        return await refuse(k, "ps", usage, "[-o COL1,COL2]")
    except OSError as error:
        await stdio.complain(k, f"ps: can't open '/proc': {stdio.reason(error)}")
        return 1
    users = await names.read_names(k, names.USERS) if "user" in columns else {}
    output = stdio.Output(k)
    await output.line(_line({name: name.upper() if name != "args" else "COMMAND" for name in columns}, columns))
    for pid in listing:
        row = await _row(k, pid, users)
        if row:
            await output.line(_line(row, columns))
    await output.flush()
    return 0


def _columns(options: Options) -> list[str]:
    columns = ",".join(options.all("o") or [DEFAULT]).split(",")
    for name in columns:
        if name not in COLUMNS:
            raise Usage(f"bad -o argument '{name}', supported arguments: {','.join(COLUMNS)}")
    return columns


def _line(row: dict[str, str], columns: list[str]) -> str:
    cells = [
        row[name].rjust(COLUMNS[name]) if name in ("pid", "ppid") else row[name].ljust(COLUMNS[name])
        for name in columns
    ]
    return " ".join(cells).rstrip()


async def _row(k: System, pid: int, users: dict[int, str]) -> dict[str, str] | None:
    """Return a task's columns; None if it has ended since it was listed."""
    try:
        owner = (await k.stat(f"/proc/{pid}")).st_uid
        fields = stdio.to_text(await stdio.read_file(k, f"/proc/{pid}/stat"))
        command = stdio.to_text(await stdio.read_file(k, f"/proc/{pid}/cmdline"))
    except OSError:
        return None
    comm, _, rest = fields.partition("(")[2].rpartition(")")
    values = rest.split()
    ticks = int(values[11]) + int(values[12]) if len(values) > 12 else 0
    seconds = ticks // 100
    return {
        "pid": str(pid),
        "user": users.get(owner, str(owner)),
        "time": f"{seconds // 60}:{seconds % 60:02}",
        "stat": values[0],
        "ppid": values[1],
        "comm": comm,
        "args": command.rstrip("\0").replace("\0", " ") or f"[{comm}]",
    }
