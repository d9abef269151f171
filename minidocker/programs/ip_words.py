"""The words after ``ip``, taken one by one, and what is said where they make no sense."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Bad(Exception):
    """A word that makes no sense here: what to say, and the exit code."""

    def __init__(self, message: str, status: int = 1) -> None:
        """Take both."""
        super().__init__(message)
        self.status = status


class Words:
    """What is left of the command line. ``status`` is the exit code for what is wrong; ``doing`` names the request."""

    def __init__(self, words: Sequence[str]) -> None:
        """Take the words."""
        self.left = list(words)
        self.status = 1
        self.doing = ""

    def peek(self) -> str:
        """Return the next word, which stays; an empty one at the end."""
        return self.left[0] if self.left else ""

    def take(self) -> str:
        """Take the next word; an empty one at the end."""
        return self.left.pop(0) if self.left else ""

    def value(self) -> str:
        """Take the word that another wants after it."""
        if not self.left:
            raise Bad('command line is not complete, try "help"', self.status)
        return self.left.pop(0)

    def device(self) -> str:
        """Take ``[dev] IFACE``, if it is there, and nothing after it."""
        name = ""
        while word := self.take():
            if name:
                raise self.twice("dev", word)
            name = self.value() if word == "dev" else word
        return name

    def twice(self, what: str, word: str) -> Bad:
        """Return what is said of a word that is one too many."""
        return Bad(f'either "{what}" is duplicate, or "{word}" is garbage', self.status)


def choose(word: str, among: Sequence[tuple[str, T]]) -> T | None:
    """Return what the one name that begins with a word stands for, or that is the word; None if there are several."""
    found = [value for name, value in among if word and name.startswith(word)]
    return dict(among).get(word, found[0] if len(found) == 1 else None)
