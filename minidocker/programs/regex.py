"""POSIX regular expressions, basic and extended (regex(7)), by way of Python's.

Python takes the first alternative that fits where POSIX takes the longest; the lab's programs live with that.
"""

import re
from typing import Final

_CLASSES: Final = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": r" \t", "digit": "0-9", "lower": "a-z", "upper": "A-Z",
    "punct": r"!-/:-@\[-`{-~", "space": r"\s", "xdigit": "0-9a-fA-F", "print": r"\x20-\x7e", "cntrl": r"\x00-\x1f\x7f",
    "graph": r"\x21-\x7e",
}  # fmt: skip
_WORDS: Final = {
    "<": r"\b(?=\w)",
    ">": r"\b(?<=\w)",
    "w": r"\w",
    "W": r"\W",
    "b": r"\b",
    "B": r"\B",
    "s": r"\s",
    "S": r"\S",
}


def compile_posix(pattern: str, *, extended: bool, ignore_case: bool = False) -> re.Pattern[str]:
    """Return a compiled pattern; re.error if it is none."""
    return re.compile(translate(pattern, extended=extended), re.IGNORECASE if ignore_case else 0)


def translate(pattern: str, *, extended: bool) -> str:
    """Return the pattern as Python writes it."""
    return _Translation(pattern, extended=extended).run()


class _Translation:
    def __init__(self, pattern: str, *, extended: bool) -> None:
        self.pattern = pattern
        self.extended = extended
        self.position = 0
        self.result = ""
        self.at_start = True

    def run(self) -> str:
        while self.position < len(self.pattern):
            self.step()
        return self.result

    def take(self) -> str:
        char = self.pattern[self.position]
        self.position += 1
        return char

    def step(self) -> None:
        """Translate one character, or what it begins."""
        start, self.at_start = self.at_start, False
        char = self.take()
        if char == "\\" and self.position < len(self.pattern):
            self.escaped(self.take())
        elif char == "[":
            self.bracket()
        elif char == "*" and start:
            self.result += r"\*"
        elif char == "^":
            self.result += "^" if start or self.extended else r"\^"
            self.at_start = True
        elif char == "$":
            self.result += "$" if self.extended or self.ends() else r"\$"
        elif char in "+?{}|()":
            self.result += char if self.extended else "\\" + char
            self.at_start = self.extended and char in "(|"
        else:
            self.result += char if char in ".*" else re.escape(char)

    def ends(self) -> bool:
        rest = self.pattern[self.position :]
        return not rest or rest.startswith((r"\)", r"\|"))

    def escaped(self, char: str) -> None:
        if char in "(){}|+?":
            self.result += "\\" + char if self.extended else char
            self.at_start = not self.extended and char in "(|"
        elif char in _WORDS:
            self.result += _WORDS[char]
        elif char.isdigit() and char != "0":
            self.result += f"(?:\\{char})"
        elif char == "n":
            self.result += "\n"
        else:
            self.result += re.escape(char)

    def bracket(self) -> None:
        """Translate ``[…]``, of which the first bracket has been taken."""
        negated = self.pattern[self.position : self.position + 1] == "^"
        self.position += negated
        content, first = "", True
        while True:
            if self.position >= len(self.pattern):
                message = "unmatched [, [^, [:, [., or [="
                raise re.error(message)
            char = self.take()
            if char == "]" and not first:
                break
            first = False
            if char == "[" and self.pattern[self.position : self.position + 1] == ":":
                end = self.pattern.find(":]", self.position)
                content += _CLASSES.get(self.pattern[self.position + 1 : end], "")
                self.position = end + 2
            else:
                content += "\\" + char if char in r"\[]^&~|" else char
        self.result += f"[{'^' if negated else ''}{content}]"
