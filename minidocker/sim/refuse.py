"""What the simulator refuses: it says so by name, with the errno of a Linux that was built without it."""

from typing import NoReturn

from minidocker.linux import strerror


def refuse(number: int, text: str) -> NoReturn:
    """Raise an OSError that says what the simulator lacks: ``refuse(errno.EINVAL, "does not model CLONE_NEWTIME")``."""
    raise OSError(number, f"{strerror(number)}: the simulator {text}")
