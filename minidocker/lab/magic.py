"""Magic: ``%docker run …`` and ``%%docker`` in a notebook. Nothing in the line is expanded: ``$x`` and ``{x}`` stay."""

from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from minidocker.lab.lab import Lab
from minidocker.lab.run import Run


@magics_class
class DockerMagics(Magics):
    """docker in a cell. It runs on the notebook's ``lab``, or on one of its own if there is none."""

    @no_var_expand
    @line_cell_magic
    def docker(self, line: str, cell: str | None = None) -> Run | None:
        """Run ``%docker COMMAND``; or, in a ``%%docker`` cell, a command a line (a backslash continues it)."""
        commands = [line] if cell is None else [line, *cell.replace("\\\n", " ").splitlines()]
        last = None
        for command in commands:
            if command.strip() and not command.lstrip().startswith("#"):
                last = self._lab().docker(command.strip())
        return last

    def _lab(self) -> Lab:
        names = self.shell.user_ns if self.shell else {}
        lab = names.get("lab")
        if not isinstance(lab, Lab):
            lab = names["lab"] = Lab()
        return lab


def load_ipython_extension(shell: Any) -> None:
    """Add the magics."""
    shell.register_magics(DockerMagics)
