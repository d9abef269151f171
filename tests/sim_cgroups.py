"""Reading and writing control groups through the port, and programs that do nothing but live."""

import errno

from minidocker.linux import O_RDONLY, O_WRONLY, errno_name

ROOT = "/sys/fs/cgroup"


class Files:
    """The files below /sys/fs/cgroup, as the host's side of a kernel sees them."""

    def __init__(self, kernel):
        """Use a kernel."""
        self.kernel = kernel

    def read(self, path, root=ROOT):
        """Return a file's text, or the name of the errno."""
        try:
            fd = self.kernel.open(f"{root}/{path}" if root else path, O_RDONLY)
        except OSError as error:
            return errno_name(error.errno)
        try:
            return self.kernel.read(fd, 1 << 16).decode()
        except OSError as error:
            return errno_name(error.errno)
        finally:
            self.kernel.close(fd)

    def write(self, path, text):
        """Write a text; return the name of the errno, or nothing."""
        try:
            fd = self.kernel.open(f"{ROOT}/{path}", O_WRONLY)
        except OSError as error:
            return errno_name(error.errno)
        try:
            self.kernel.write(fd, str(text).encode())
        except OSError as error:
            return errno_name(error.errno)
        finally:
            self.kernel.close(fd)
        return ""

    def mkdir(self, path):
        """Make a group; return the name of the errno, or nothing."""
        return self._try(self.kernel.mkdir, path)

    def rmdir(self, path):
        """Remove a group; return the name of the errno, or nothing."""
        return self._try(self.kernel.rmdir, path)

    def _try(self, call, path):
        try:
            call(f"{ROOT}/{path}")
        except OSError as error:
            return errno_name(error.errno)
        return ""

    def keys(self, path):
        """Return a flat keyed file as a dictionary of numbers."""
        return {key: int(value) for key, value in (line.split() for line in self.read(path).splitlines())}

    def start(self, main, *args, group=""):
        """Start a task, in a group if one is named, and return its pid. It has not run yet."""
        pid = self.kernel.clone(main, *args)
        for path in group.split():
            assert self.write(f"{path}/cgroup.procs", pid) == ""
        return pid


async def wait_for_signal(k):
    """Live until a signal ends it."""
    while True:
        try:
            await k.pause()
        except OSError as error:
            if error.errno != errno.EINTR:
                raise


async def sleep(k, seconds):
    """Sleep and end."""
    await k.sleep(seconds)
    return 0
