"""SimKernel: Linux in Python. Here is only the dispatch; each call is a function ``sys_NAME`` in the module of its noun."""

from collections.abc import Callable, Sequence
from typing import Any

from minidocker.kernel import Event, Kernel, Listener
from minidocker.sim.task import Task

SystemCall = Callable[..., Any]


class SimKernel(Kernel):
    """A simulated Linux: no root, no Docker, no threads; runs wherever Python runs."""

    def syscall(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Perform a call for the host's task (line "0")."""
        return self.perform(self.host, name, args, kwargs)

    # To be completed: perform(task, name, args, kwargs) is the one place that every call passes.
