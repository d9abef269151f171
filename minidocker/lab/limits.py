"""Limits: which file each flag of ``docker run`` writes, in both versions of control groups, side by side."""

import shlex
from itertools import zip_longest

from minidocker.cgroup_files import Limit
from minidocker.cgroup_files import limits as limits_of
from minidocker.client import resources
from minidocker.client.flags import parse
from minidocker.lab.display import Rich, escape

_HEADS = ("flag", "v1: controller and file", "", "v2: file", "")


def limits(flags: str) -> Rich:
    """Return a table for flags such as ``"-m 64m --cpus 0.5"``, from what the engine itself goes by."""
    wanted = resources.of(parse(shlex.split(flags), resources.FLAGS))
    rows: list[tuple[str, ...]] = []
    old, new = limits_of(wanted, 1), limits_of(wanted, 2)
    for flag in dict.fromkeys(limit.flag for limit in (*old, *new)):
        pairs = zip_longest((one for one in old if one.flag == flag), (one for one in new if one.flag == flag))
        rows += [(flag, *_cells(one, v1=True), *_cells(other, v1=False)) for one, other in pairs]
    return Rich(_html(rows), "\n".join("  ".join(cell for cell in row if cell) for row in rows))


def _cells(limit: Limit | None, *, v1: bool) -> tuple[str, str]:
    if limit is None:
        return "", ""
    return f"{limit.controller}/{limit.file}" if v1 else limit.file, limit.value


def _html(rows: list[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in _HEADS)
    flags = ["", *(row[0] for row in rows)]
    shown = [("" if row[0] == before else row[0], *row[1:]) for before, row in zip(flags, rows, strict=False)]
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in shown)
    table = f'<table class="md-limits"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="md-scroll">{table}</div>'


def _cell(text: str) -> str:
    return f"<td><code>{escape(text)}</code></td>" if text else "<td></td>"
