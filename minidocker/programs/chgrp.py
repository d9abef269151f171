"""chgrp: change the group of files."""

from minidocker.programs import stdio
from minidocker.programs.chown import UnknownName, change, parse_owner
from minidocker.programs.options import Usage, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Change groups."""
    try:
        options = parse(argv, "Rhf", least=2)
        group, *paths = options.operands
        _, gid = await parse_owner(k, f":{group}")
    except Usage as usage:
        return await refuse(k, "chgrp", usage, "[-Rh] GROUP FILE...")
    except UnknownName as unknown:
        await stdio.complain(k, f"chgrp: {unknown}")
        return 1
    status = 0
    for path in paths:
        status |= await change(k, path, -1, gid, program="chgrp", follow="h" not in options, recursive="R" in options)
    return status
