"""Who watches the engine: the monitor that it tells of its operations. :class:`Null` is told and keeps nothing."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Monitor(Protocol):
    """What the engine tells, beside the system calls that the kernel tells itself."""

    def operation(
        self,
        call: str,
        why: str,
        puts: Mapping[tuple[str, ...], Any] | None = None,
        *,
        ref: str = "",
        actor: str = "daemon",
    ) -> None:
        """Say what the engine begins to do, and what it puts into the state's tables (None: takes away)."""

    def layers(self, layers: Mapping[str, Any]) -> None:
        """Say what the layers are that the next stacks are made of (``docs/trace.md``, Layer)."""

    def stack(self, name: str, lowers: Sequence[str], merged: str, entries: Mapping[str, Any]) -> None:
        """Say that a stack of layers is about to be mounted, and what its upper directory already has."""


class Null:
    """A monitor that keeps nothing."""

    def operation(
        self,
        call: str,
        why: str,
        puts: Mapping[tuple[str, ...], Any] | None = None,
        *,
        ref: str = "",
        actor: str = "daemon",
    ) -> None:
        """Keep nothing."""

    def layers(self, layers: Mapping[str, Any]) -> None:
        """Keep nothing."""

    def stack(self, name: str, lowers: Sequence[str], merged: str, entries: Mapping[str, Any]) -> None:
        """Keep nothing."""
