"""false: do nothing, and fail."""

from minidocker.system import System


async def main(k: System, argv: list[str], environ: dict[str, str]) -> int:
    """Fail."""
    return 1
