"""A task's address space: what it has mapped, and who may look into it (Linux's struct mm_struct)."""

from minidocker.sim.user_namespace import FIRST, UserNamespace


class AddressSpace:
    """One address space. A clone gets a copy, an execve a new one."""

    __slots__ = ("dumpable", "user")

    def __init__(self, user: UserNamespace = FIRST, *, dumpable: bool = True) -> None:
        """Start with nothing mapped."""
        self.user: UserNamespace = user
        """The user namespace in which the program was executed."""
        self.dumpable: bool = dumpable
        """May others of the same user look into it (prctl(2), PR_SET_DUMPABLE; proc(5))?"""

    def copy(self) -> "AddressSpace":
        """Return a clone's (fork(2))."""
        return AddressSpace(self.user, dumpable=self.dumpable)
