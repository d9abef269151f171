"""The data of a file that may have holes: only pages that were written take room, all else reads as zeros (lseek(2)).

Most files have none. So what lies from the beginning on, up to the first hole, is one bytearray, and only what was
written behind a hole is held page by page.
"""

from typing import Final

PAGE: Final = 4096


def pages(size: int) -> int:
    """Return how many pages so many bytes take."""
    return (size + PAGE - 1) // PAGE


class SparseData:
    """The bytes of one file. ``size`` is where it ends, be there a hole at the end or not."""

    __slots__ = ("_far", "_head", "size")

    def __init__(self, head: bytearray) -> None:
        """Take the bytes up to the first hole; they are changed in place."""
        self._head = head
        self._far: dict[int, bytearray] = {}
        self.size = len(head)

    @property
    def taken(self) -> int:
        """How many pages were written."""
        return pages(len(self._head)) + len(self._far)

    def missing(self, start: int, end: int) -> int:
        """Return how many pages a write from start to end would take that were not written yet."""
        first = max(start // PAGE, pages(len(self._head)))
        if not self._far:
            return max(0, pages(end) - first)
        return sum(page not in self._far for page in range(first, pages(end)))

    def room(self, start: int, end: int, free: int) -> int:
        """Return where a write from start to end must stop that may take so many pages more."""
        first, last = max(start // PAGE, pages(len(self._head))), pages(end)
        for page in range(first, last):
            if page not in self._far:
                if not free:
                    return page * PAGE
                free -= 1
        return end

    def read(self, offset: int, n: int) -> bytes:
        """Return at most n bytes from an offset on."""
        end = min(offset + n, self.size)
        head = self._head
        if end <= len(head):
            return bytes(head[offset:end])
        parts = [bytes(head[offset:])]
        offset += len(parts[0])
        while offset < end and self._far:
            page, start = divmod(offset, PAGE)
            stop = min(PAGE, start + end - offset)
            data = self._far.get(page)
            parts.append(bytes(data[start:stop]) if data else bytes(stop - start))
            offset += stop - start
        parts.append(bytes(max(0, end - offset)))
        return b"".join(parts)

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes at an offset; a page in between that was not written stays a hole."""
        end = offset + len(data)
        if offset <= pages(len(self._head)) * PAGE:
            self._write_head(offset, data)
        else:
            self._write_far(offset, data)
        self.size = max(self.size, end)

    def _write_head(self, offset: int, data: bytes) -> None:
        head, end = self._head, offset + len(data)
        if self._far and end > len(head):  # the head grows over pages that it now has itself
            last = self._far.get(end // PAGE)
            for page in range(pages(len(head)), pages(end)):
                self._far.pop(page, None)
            data += bytes(last[end % PAGE :]) if last and end % PAGE else b""
            end = offset + len(data)
        if offset > len(head):
            head.extend(bytes(offset - len(head)))
        head[offset:end] = data

    def _write_far(self, offset: int, data: bytes) -> None:
        done = 0
        while done < len(data):
            page, start = divmod(offset + done, PAGE)
            part = data[done : done + PAGE - start]
            self._far.setdefault(page, bytearray(PAGE))[start : start + len(part)] = part
            done += len(part)

    def resize(self, size: int) -> None:
        """End at a size: what is beyond is gone, what is added is a hole."""
        del self._head[size:]
        for page in [page for page in self._far if page >= size // PAGE]:
            if page >= pages(size):
                del self._far[page]
            else:
                self._far[page][size % PAGE :] = bytes(PAGE - size % PAGE)
        self.size = size

    def written(self, size: int) -> list[tuple[int, int]]:
        """Return (start, end) of what is no hole of the first bytes (lseek(2), SEEK_DATA)."""
        found = [(0, min(size, len(self._head)))] if self._head else []
        ends = [(page * PAGE, min(size, (page + 1) * PAGE)) for page in sorted(self._far)]
        return found + [(start, end) for start, end in ends if start < end]
