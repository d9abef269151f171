"""The shell's memory: variables, positional and special parameters, options (XCU 2.5)."""

from typing import Final

from minidocker.programs.sh.failure import ShellFailure
from minidocker.programs.sh.lexer import NAME

#: Options by their letter, and the names that ``set -o`` has for them.
OPTIONS: Final = {
    "a": "allexport", "b": "notify", "C": "noclobber", "e": "errexit", "f": "noglob", "i": "interactive",
    "m": "monitor", "n": "noexec", "s": "stdin", "u": "nounset", "v": "verbose", "x": "xtrace",
}  # fmt: skip


class Variables:
    """What ``$`` can ask for. ``pid`` is the main shell's, in its subshells too."""

    def __init__(self, name: str, positional: list[str], environ: dict[str, str]) -> None:
        """Start with the environment's variables, all exported."""
        self.name = name
        self.positional = positional
        self.values = {key: value for key, value in environ.items() if NAME.fullmatch(key)}
        self.exported = set(self.values)
        self.read_only: set[str] = set()
        self.locals: list[dict[str, tuple[str | None, bool]]] = []
        """For each function that runs: what its local variables were outside."""
        self.options = dict.fromkeys(OPTIONS, False)
        self.status = 0
        self.pid = 0
        self.last_background: int | None = None

    def get(self, name: str) -> str | None:
        """Return a variable's value, None if it is not set."""
        return self.values.get(name)

    def assign(self, name: str, value: str) -> None:
        """Set a variable; a read-only one is a failure."""
        if name in self.read_only:
            raise ShellFailure(f"{name}: is read only")
        self.values[name] = value
        if self.options["a"]:
            self.exported.add(name)

    def unset(self, name: str) -> None:
        """Forget a variable."""
        if name in self.read_only:
            raise ShellFailure(f"{name}: is read only")
        self.values.pop(name, None)
        self.exported.discard(name)

    def environ(self) -> dict[str, str]:
        """Return what a command gets as its environment."""
        return {name: self.values[name] for name in self.values if name in self.exported}

    def parameter(self, name: str) -> str | None:
        """Return the value of a variable, a positional or a special parameter; None if it is not set."""
        if name.isdigit():
            index = int(name)
            if index == 0:
                return self.name
            return self.positional[index - 1] if index <= len(self.positional) else None
        special = self._special_parameter(name)
        return self.values.get(name) if special is None else special

    def _special_parameter(self, name: str) -> str | None:
        if name in ("@", "*"):
            return " ".join(self.positional) if self.positional else None
        if name == "!":
            return None if self.last_background is None else str(self.last_background)
        if name == "-":
            return "".join(letter for letter, on in self.options.items() if on)
        return {"#": str(len(self.positional)), "?": str(self.status), "$": str(self.pid)}.get(name)

    def make_local(self, name: str) -> None:
        """Remember a variable's value for when the function ends."""
        self.locals[-1].setdefault(name, (self.values.get(name), name in self.exported))

    def restore(self, saved: dict[str, tuple[str | None, bool]]) -> None:
        """Give variables the values they had."""
        for name, (value, exported) in saved.items():
            if value is None:
                self.values.pop(name, None)
            else:
                self.values[name] = value
            (self.exported.add if exported else self.exported.discard)(name)
