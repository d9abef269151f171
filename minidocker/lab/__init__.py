"""The lab's face: ``from minidocker.lab import Lab``. In a notebook it shows steppers and questions; elsewhere, text.

Nothing of Jupyter is imported before it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from minidocker.lab import facts, measure
    from minidocker.lab.checked import check
    from minidocker.lab.lab import Lab
    from minidocker.lab.levels import Level
    from minidocker.lab.limits import limits
    from minidocker.lab.prediction import predict
    from minidocker.lab.questions import Quiz
    from minidocker.lab.stepper import Stepper

__all__ = [
    "Lab", "Level", "Quiz", "Stepper", "check", "facts", "limits", "load_ipython_extension", "measure", "predict",
]  # fmt: skip

_HOMES: Final = {
    "Lab": "lab", "Level": "levels", "Quiz": "questions", "Stepper": "stepper",
    "check": "checked", "limits": "limits", "predict": "prediction",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is."""
    if name in ("facts", "measure"):
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def load_ipython_extension(shell: Any) -> None:
    """Add ``%docker`` and ``%%docker``: ``%load_ext minidocker.lab``."""
    from minidocker.lab import magic  # noqa: PLC0415  IPython is there when this is called

    magic.load_ipython_extension(shell)
