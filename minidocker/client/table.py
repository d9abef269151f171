"""Tables as docker's client prints them: columns as wide as their widest cell, three spaces between."""

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]], least: int = 10) -> str:
    """Return header and rows in columns at least so wide (Go's tabwriter, padding 3), a line each."""
    lines = [list(header), *map(list, rows)]
    widths = [max(least, *(len(line[column]) + 3 for line in lines)) for column in range(len(header))]
    return "".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells[:-1], widths, strict=False)]
    return "".join(padded) + cells[-1] + "\n"
