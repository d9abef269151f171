"""Check: does something hold? ✓, or ✗ with what to look at."""

from collections.abc import Callable

from minidocker.lab.display import Rich, escape, in_notebook
from minidocker.lab.run import Unanswered


class Checked(Rich):
    """A check's outcome: true in an ``if``, shown as ✓ or ✗."""

    def __init__(self, text: str, *, ok: bool | None, look: str = "") -> None:
        """``ok`` is None while a question above still waits."""
        self.ok = ok
        mark, kind = {True: ("✓", "md-yes"), False: ("✗", "md-no"), None: ("…", "md-wait")}[ok]
        more = f"<br>{escape(look)}" if look else ""
        super().__init__(
            f'<div class="md-card {kind}">{mark} {escape(text)}<span class="md-note">{more}</span></div>',
            f"{mark} {text}" + (f"\n  {look}" if look else ""),
        )

    def __bool__(self) -> bool:
        return bool(self.ok)


def check(text: str, condition: bool | Callable[[], bool], look: str = "") -> Checked:
    """Say whether a condition holds, and if not, what to ``look`` at. What a function raises is told."""
    try:
        ok: bool | None = bool(condition() if callable(condition) else condition)
        why = "" if ok else look
    except Unanswered as waiting:
        ok, why = None, str(waiting)
    except (OSError, LookupError, ValueError, AttributeError, TypeError) as error:
        ok, why = False, f"{type(error).__name__}: {error}. {look}".rstrip(". ") + "."
    checked = Checked(text, ok=ok, look=why)
    if not in_notebook():
        print(checked)
    return checked
