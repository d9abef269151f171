"""Measure: what copy-on-write costs on this machine's kernel, in time and in memory. A simulator's seconds say nothing.

Each function gives a table whose heading says where the numbers come from: measured now, or recorded on a real kernel
(``recordings/measured.json``, written by ``scripts/record``).
"""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from minidocker import overlay2
from minidocker.kernel import Files
from minidocker.lab.display import Rich, escape
from minidocker.lab.layers import build_job
from minidocker.lab.verdict import kernel_name
from minidocker.linux import O_RDONLY, O_WRONLY
from minidocker.tree import make_directories, remove_tree

if TYPE_CHECKING:
    from minidocker.lab.lab import Lab
    from minidocker.world import Host

MB: Final = 1_000_000


class Table(Rich):
    """Rows of numbers, and where they are from."""

    def __init__(self, title: str, source: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """``source`` says whose kernel this is; ``rows`` are under ``heads``."""
        self.title = title
        self.source = source
        self.heads = tuple(heads)
        self.rows = tuple(tuple(row) for row in rows)
        cells = [f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows]
        head = "".join(f"<th>{escape(head)}</th>" for head in heads)
        note = f'<span class="md-note">{escape(source)}</span>'
        lines = [title, source, *("  ".join(f"{cell!s:>16}" for cell in row) for row in (heads, *rows))]
        super().__init__(
            f"<b>{escape(title)}</b> {note}<table><tr>{head}</tr>{''.join(cells)}</table>", "\n".join(lines)
        )


def first_write(lab: "Lab", sizes_mb: Sequence[int] = (1, 4, 16, 64)) -> Table:
    """Time open(2) for writing of a file that a lower layer has, by the file's size; and the same open once more."""
    heads = ("file", "first open", "second open")
    measured = _measured(lab, "first_write", [_first_write, sizes_mb])
    rows = [(f"{mb} MB", f"{first:,} µs", f"{second:,} µs") for mb, first, second in measured["rows"]]
    return Table("Opening a lower file for writing", measured["source"], heads, rows)


def page_cache(lab: "Lab", containers: int = 10, size_mb: int = 8) -> Table:
    """Measure the kernel's memory for files: many containers of one image read a file, then each copies it up."""
    heads = ("what", "memory for files grew by")
    measured = _measured(lab, "page_cache", [_page_cache, containers, size_mb])
    rows = [(what, f"{mb:,} MB") for what, mb in measured["rows"]]
    title = f"{containers} containers of one image, a file of {size_mb} MB"
    return Table(title, measured["source"], heads, rows)


def _measured(lab: "Lab", name: str, work: Sequence[Any]) -> dict[str, Any]:
    host = lab.hosts.get("real")
    if host is None:
        recorded: dict[str, Any] = json.loads((files("minidocker.lab.recordings") / "measured.json").read_text("utf-8"))
        return {
            **recorded[name],
            "source": f"recorded on {recorded[name]['kernel']}; the simulated kernel has no such costs",
        }
    function, *args = work
    kernel = kernel_name(host.description)
    return {"rows": function(host, *args), "source": f"measured now on {kernel}", "kernel": kernel}


def _first_write(host: "Host", sizes_mb: Sequence[int]) -> list[list[int]]:
    rows = []
    for mb in sizes_mb:
        with _Stacks(host, 1, mb) as stacks:
            rows.append([mb, *host.kernel.job(open_twice_job, f"{stacks.merged[0]}/file")])
    return rows


def _page_cache(host: "Host", containers: int, size_mb: int) -> list[list[Any]]:
    with _Stacks(host, containers, size_mb) as stacks:
        start = host.kernel.job(cached_job)
        for merged in stacks.merged:
            host.kernel.job(read_job, f"{merged}/file")
        read = host.kernel.job(cached_job)
        for merged in stacks.merged:
            host.kernel.job(open_twice_job, f"{merged}/file")
        copied = host.kernel.job(cached_job)
    grown = [round(max(0, value - start) / MB) for value in (read, copied)]
    return [["each has read it", grown[0]], ["each has opened it for writing", grown[1]]]


class _Stacks:
    """Overlays over one lower directory that has one file, each with an upper directory of its own."""

    def __init__(self, host: "Host", count: int, size_mb: int) -> None:
        self._kernel = host.kernel
        given = (*overlay2.OPTIONS, "userxattr" if host.description.get("rootless") else "redirect_dir=off")
        self._options = f",{','.join(given)}"
        self._root = f"/var/lib/docker/measure-{count}-{size_mb}"
        self._size = size_mb * MB
        self.merged = [f"{self._root}/{number}/merged" for number in range(count)]

    def __enter__(self) -> "_Stacks":
        self._kernel.job(stacks_job, self._root, len(self.merged), self._size)
        for merged in self.merged:
            own = merged.removesuffix("/merged")
            options = f"lowerdir={self._root}/lower,upperdir={own}/upper,workdir={own}/work{self._options}"
            self._kernel.mount("overlay", merged, "overlay", 0, options)
        return self

    def __exit__(self, *_: object) -> None:
        for merged in self.merged:
            self._kernel.umount2(merged, 0)
        self._kernel.job(remove_job, self._root)


def stacks_job(k: Files, root: str, count: int, size: int) -> None:
    """Make the directories, and the file in the lower one."""
    for number in range(count):
        for name in ("upper", "work", "merged"):
            make_directories(k, f"{root}/{number}/{name}")
    make_directories(k, f"{root}/lower")
    build_job(k, f"{root}/lower", [("/file", {"size": size})], "")


def open_twice_job(k: Files, path: str) -> list[int]:
    """Return how long two opens for writing take, in microseconds."""
    took = []
    for _ in range(2):
        start = perf_counter_ns()
        fd = k.open(path, O_WRONLY)
        took.append((perf_counter_ns() - start) // 1000)
        k.close(fd)
    return took


def read_job(k: Files, path: str) -> int:
    """Read a file to its end, and return its size."""
    fd, size = k.open(path, O_RDONLY), 0
    while data := k.read(fd, 1 << 20):
        size += len(data)
    k.close(fd)
    return size


def cached_job(k: Files) -> int:
    """Return the kernel's memory for files, in bytes (proc(5), /proc/meminfo: Cached)."""
    fd = k.open("/proc/meminfo", O_RDONLY)
    text = k.read(fd, 1 << 16).decode()
    k.close(fd)
    line = next(line for line in text.splitlines() if line.startswith("Cached:"))
    return int(line.split()[1]) * 1024


def remove_job(k: Files, root: str) -> None:
    """Remove it all."""
    remove_tree(k, root)


def to_record(lab: "Lab") -> Mapping[str, Any]:
    """Return what ``recordings/measured.json`` holds, measured now."""
    made = {"first_write": [_first_write, (1, 4, 16, 64)], "page_cache": [_page_cache, 10, 8]}
    rows = {name: _measured(lab, name, work) for name, work in made.items()}
    return {name: {"rows": row["rows"], "kernel": row["kernel"]} for name, row in rows.items()}
