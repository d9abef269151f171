"""Another task's memory: process_vm_readv(2), process_vm_writev(2) (mm/process_vm_access.c)."""

import errno
from typing import TYPE_CHECKING

from minidocker.linux import fail
from minidocker.sim.ptrace import may_access
from minidocker.sim.sparse import PAGE, pages

if TYPE_CHECKING:
    from minidocker.sim.memory import AddressSpace
    from minidocker.sim.shared_memory import Attachment
    from minidocker.sim.task import Task


def sys_process_vm_readv(task: "Task", pid: int, address: int, length: int) -> bytes:
    """Read a task's memory, the caller's own or another's, up to the end of what is mapped (process_vm_readv(2)).

    ESRCH; EPERM unless one may look into it; EFAULT if nothing is mapped at the address.
    """
    if not length:
        return b""
    memory, found = _memory(task, pid), bytearray()
    while len(found) < length:
        here, left = address + len(found), length - len(found)
        shared = _attachment(memory, here)
        if shared is not None:
            found += shared[1].segment.data.read(here - shared[0], left)
        elif memory.maps(here):
            page, start = divmod(here, PAGE)
            held = memory.written.get(page)
            part = min(left, PAGE - start)
            found += held[start : start + part] if held else bytes(part)
        else:
            break
    return bytes(found) if found else fail(errno.EFAULT)


def sys_process_vm_writev(task: "Task", pid: int, address: int, data: bytes) -> int:
    """Write a task's memory, and return how many bytes (process_vm_writev(2)); EFAULT where it is read-only too."""
    if not data:
        return 0
    memory, done = _memory(task, pid), 0
    while done < len(data):
        here = address + done
        shared = _attachment(memory, here)
        if shared is not None and not shared[1].readonly:
            start, segment = here - shared[0], shared[1].segment
            part = data[done : done + pages(segment.size) * PAGE - start]
            segment.data.write(start, part)
        elif shared is None and memory.maps(here):
            page, start = divmod(here, PAGE)
            part = data[done : done + PAGE - start]
            memory.written.setdefault(page, bytearray(PAGE))[start : start + len(part)] = part
        else:
            break
        done += len(part)
    return done or fail(errno.EFAULT)


def _memory(task: "Task", pid: int) -> "AddressSpace":
    subject = task.ns.pid.find(pid)
    if subject is None or not subject.alive:
        fail(errno.ESRCH)
    return subject.memory if may_access(task, subject, real=True) else fail(errno.EPERM)


def _attachment(memory: "AddressSpace", address: int) -> "tuple[int, Attachment] | None":
    """Return the segment that is attached where an address points to, and where it begins."""
    for start, attachment in memory.attached.items():
        if start <= address < start + pages(attachment.segment.size) * PAGE:
            return start, attachment
    return None
