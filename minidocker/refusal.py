"""Refusal: what init found that makes a start impossible; it crosses to the daemon in JSON, over the error pipe."""


class Refused(Exception):
    """The container cannot start. Exit codes 126 and 127 are the program's fault (runc says so), 125 the request's."""

    def __init__(self, reason: str, exit_code: int = 125) -> None:
        """Take runc's words, and what docker run ends with."""
        super().__init__(reason)
        self.reason = reason
        self.exit_code = exit_code
