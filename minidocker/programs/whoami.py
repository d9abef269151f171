"""whoami: the name of the effective user."""

from minidocker.programs import names, stdio
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print who is calling."""
    uid = await k.geteuid()
    name = (await names.read_names(k, names.USERS)).get(uid)
    if name is None:
        await stdio.complain(k, f"whoami: unknown uid {uid}")
        return 1
    await stdio.write_all(k, stdio.STDOUT, stdio.to_bytes(name + "\n"))
    return 0
