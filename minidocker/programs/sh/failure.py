"""What ends a command early: errors of the shell's own, and the jumps of exit, return, break and continue."""


class ShellFailure(Exception):
    """An error that the shell prints; it ends a script (XCU 2.8.1) unless what failed was an ordinary builtin."""

    def __init__(self, text: str, status: int = 2) -> None:
        """Say what is printed behind the shell's name, and the exit status."""
        super().__init__(text)
        self.text = text
        self.status = status


class RedirectionFailure(ShellFailure):
    """A redirection could not be done: the command is not run, and its status is 1."""


class Jump(Exception):
    """Leave commands that are being run."""


class Exit(Jump):
    """Leave the shell."""

    def __init__(self, status: int) -> None:
        """Say with which status."""
        super().__init__(status)
        self.status = status


class Return(Exit):
    """Leave a function or a sourced file."""


class Break(Jump):
    """Leave this many loops."""

    def __init__(self, levels: int) -> None:
        """Say how many are still to be left."""
        super().__init__(levels)
        self.levels = levels


class Continue(Break):
    """Leave all but the last of this many loops, and go on with the next turn of that."""
