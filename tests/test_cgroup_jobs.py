"""Jobs on control groups: what no kernel here can be brought to show. The rest: tests/conformance/test_limits.py."""

import errno

import pytest

from minidocker import cgroup_jobs
from minidocker.kernel import Files
from minidocker.linux import SIGKILL


class Group(Files):
    """A group in which a task is that cannot be seen from here, and others as long as they live."""

    def __init__(self, *pids):
        self.pids, self.killed, self.said = list(pids), [], b""

    def syscall(self, name, /, *args, **kwargs):
        if name == "rmdir":
            raise OSError(errno.EBUSY, "busy", *args)
        if name == "listdir":
            return []
        if name == "open":
            self.said = "".join(f"{pid}\n" for pid in (0, *self.pids)).encode()
        elif name == "read":
            said, self.said = self.said, b""
            return said
        return 3

    def kill(self, pid, signal):
        self.killed.append((pid, signal))
        self.pids.remove(pid)


def test_who_cannot_be_seen_is_not_taken_for_everybody():
    group = Group(7, 9)
    cgroup_jobs.kill_group(group, "/sys/fs/cgroup/docker/1")
    assert group.killed == [(7, SIGKILL), (9, SIGKILL)]


def test_a_group_that_stays_busy_is_no_secret():
    group = Group(7)
    with pytest.raises(OSError, match="busy") as busy:
        cgroup_jobs.remove_groups(group, ["/sys/fs/cgroup/docker/1"])
    assert busy.value.filename == "/sys/fs/cgroup/docker/1"
    assert group.killed == [(7, SIGKILL)]
