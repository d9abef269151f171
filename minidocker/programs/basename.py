"""basename: the last name of a path, without a suffix."""

from minidocker.programs import stdio
from minidocker.programs.options import Usage, demand, parse, refuse
from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Print the last names."""
    try:
        options = parse(argv, "as:")
        words, suffix = options.operands, options.get("s")
        demand(1 <= len(words) <= 2 or (words and ("a" in options or "s" in options)))
    except Usage as usage:
        return await refuse(k, "basename", usage, "FILE [SUFFIX] | -a FILE... | -s SUFFIX FILE...")
    if len(words) == 2 and "a" not in options and "s" not in options:
        words, suffix = words[:1], words[1]
    names = [base_name(word, suffix) for word in words]
    await stdio.write_all(k, stdio.STDOUT, stdio.to_bytes("".join(name + "\n" for name in names)))
    return 0


def base_name(path: str, suffix: str = "") -> str:
    """Return a path's last name."""
    name = path.rstrip("/").rpartition("/")[2] or ("/" if path.startswith("/") else "")
    return name.removesuffix(suffix) if name != suffix else name
