"""id: who the caller is."""

from minidocker.programs import names, stdio
from minidocker.programs.options import Usage, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print user and groups, by number and name."""
    try:
        options = parse(argv, "ugGnr")
    except Usage as usage:
        return await refuse(k, "id", usage, "[-ugGnr]")
    users = await names.read_names(k, names.USERS)
    groups = await names.read_names(k, names.GROUPS)
    uid, gid = (
        await (k.getuid() if "r" in options else k.geteuid()),
        await (k.getgid() if "r" in options else k.getegid()),
    )
    others = await k.getgroups()
    if "u" in options:
        text = _one(uid, users, named="n" in options)
    elif "g" in options:
        text = _one(gid, groups, named="n" in options)
    elif "G" in options:
        text = " ".join(
            _one(number, groups, named="n" in options) for number in [gid, *(o for o in others if o != gid)]
        )
    else:
        text = f"uid={_both(uid, users)} gid={_both(gid, groups)}"
        if others:
            text += " groups=" + ",".join(_both(number, groups) for number in others)
    await stdio.write_all(k, stdio.STDOUT, stdio.to_bytes(text + "\n"))
    return 0


def _one(number: int, table: dict[int, str], *, named: bool) -> str:
    return table.get(number, str(number)) if named else str(number)


def _both(number: int, table: dict[int, str]) -> str:
    return f"{number}({table[number]})" if number in table else str(number)
