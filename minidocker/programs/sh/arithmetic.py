"""``$((…))``: C's integer arithmetic on 64 bits, with the shell's variables (POSIX.1-2017, XCU 2.6.4)."""

import re
from collections.abc import Callable
from typing import Final, Protocol

_LEXEME: Final = re.compile(
    r"\s*(0[xX][0-9a-fA-F]+|[0-9]+|[A-Za-z_]\w*|<<=|>>=|\+\+|--|\*\*|&&|\|\||[-+*/%&|^<>=!]=|<<|>>|[-+*/%&|^<>=!~?:(),])"
)
_LEVELS: Final = (
    ("||",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="), ("<=", ">=", "<", ">"), ("<<", ">>"), ("+", "-"),
    ("*", "/", "%"),
)  # fmt: skip


SYNTAX: Final = "arithmetic syntax error"


class ArithmeticFailure(Exception):
    """The expression is none, or divides by zero; the text is ash's."""


class Variables(Protocol):
    """The shell's variables as arithmetic uses them."""

    def get(self, name: str) -> str | None:
        """Return a variable's value."""

    def assign(self, name: str, value: str) -> None:
        """Set a variable."""


def wrap(value: int) -> int:
    """Return what is left of a number in 64 bits."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def _divide(left: int, right: int) -> int:
    if right == 0:
        raise ArithmeticFailure("divide by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _power(base: int, exponent: int) -> int:
    if exponent < 0:
        raise ArithmeticFailure("exponent less than 0")
    return pow(base, exponent, 1 << 64)


OPERATIONS: Final[dict[str, Callable[[int, int], int]]] = {
    "|": int.__or__, "^": int.__xor__, "&": int.__and__, "+": int.__add__, "-": int.__sub__, "*": int.__mul__,
    "==": lambda a, b: int(a == b), "!=": lambda a, b: int(a != b), "<=": lambda a, b: int(a <= b),
    ">=": lambda a, b: int(a >= b), "<": lambda a, b: int(a < b), ">": lambda a, b: int(a > b),
    "<<": lambda a, b: a << (b & 63), ">>": lambda a, b: a >> (b & 63),
    "/": _divide, "%": lambda a, b: a - b * _divide(a, b), "**": _power,
}  # fmt: skip


def evaluate(text: str, variables: Variables) -> int:
    """Return the value of an expression; an empty one is 0."""
    return _Expression(text, variables).whole()


class _Expression:
    """One expression, evaluated while it is parsed; ``live`` is false in the branch that is not taken."""

    def __init__(self, text: str, variables: Variables) -> None:
        self.variables = variables
        self.live = True
        self.lexemes = self._lexemes(text.strip())
        self.position = 0

    def _lexemes(self, text: str) -> list[str]:
        lexemes, position = [], 0
        while position < len(text):
            match = _LEXEME.match(text, position)
            if match is None:
                raise ArithmeticFailure(SYNTAX)
            lexemes.append(match[1])
            position = match.end()
        return lexemes

    def peek(self, ahead: int = 0) -> str:
        index = self.position + ahead
        return self.lexemes[index] if index < len(self.lexemes) else ""

    def take(self) -> str:
        lexeme = self.peek()
        self.position += 1
        return lexeme

    def expect(self, lexeme: str) -> None:
        if self.take() != lexeme:
            raise ArithmeticFailure(SYNTAX)

    def whole(self) -> int:
        if not self.lexemes:
            return 0
        value = self.comma()
        if self.peek():
            raise ArithmeticFailure(SYNTAX)
        return value

    def comma(self) -> int:
        value = self.assignment()
        while self.peek() == ",":
            self.take()
            value = self.assignment()
        return value

    def assignment(self) -> int:
        name, operator = self.peek(), self.peek(1)
        if not (re.match(r"[A-Za-z_]", name) and operator.endswith("=") and operator not in ("==", "!=", "<=", ">=")):
            return self.ternary()
        self.position += 2
        value = self.assignment()
        if operator != "=":
            value = wrap(OPERATIONS[operator[:-1]](self.variable(name), value))
        return self.store(name, value)

    def store(self, name: str, value: int) -> int:
        if self.live:
            self.variables.assign(name, str(value))
        return value

    def ternary(self) -> int:
        condition = self.binary(0)
        if self.peek() != "?":
            return condition
        self.take()
        chosen = self.branch(self.comma, taken=bool(condition))
        self.expect(":")
        other = self.branch(self.assignment, taken=not condition)
        return chosen if condition else other

    def branch(self, parse: Callable[[], int], *, taken: bool) -> int:
        live, self.live = self.live, self.live and taken
        value = parse()
        self.live = live
        return value

    def binary(self, level: int) -> int:
        if level == len(_LEVELS):
            return self.power()
        value = self.binary(level + 1)
        while (operator := self.peek()) in _LEVELS[level]:
            self.take()
            value = self.logical(operator, value) if level < 2 else self.operate(operator, value, level)
        return value

    def logical(self, operator: str, left: int) -> int:
        wanted = bool(left) == (operator == "&&")
        right = self.branch(lambda: self.binary(1 if operator == "||" else 2), taken=wanted)
        return int(bool(right) if wanted else bool(left))

    def operate(self, operator: str, left: int, level: int) -> int:
        right = self.binary(level + 1)
        return wrap(OPERATIONS[operator](left, right)) if self.live else 0

    def power(self) -> int:
        base = self.unary()
        if self.peek() != "**":
            return base
        self.take()
        return wrap(OPERATIONS["**"](base, self.power()))

    def unary(self) -> int:
        lexeme = self.peek()
        if lexeme in ("++", "--") and re.match(r"[A-Za-z_]", self.peek(1)):
            self.take()
            name = self.take()
            return self.store(name, self.variable(name) + (1 if lexeme == "++" else -1))
        if lexeme in ("-", "+", "!", "~", "++", "--"):
            self.take()
            value = self.unary()
            return {"-": -value, "+": value, "!": int(not value), "~": ~value, "++": value, "--": value}[lexeme]
        return self.primary()

    def primary(self) -> int:
        lexeme = self.take()
        if lexeme == "(":
            value = self.comma()
            self.expect(")")
            return value
        if re.match(r"[A-Za-z_]", lexeme):
            value = self.variable(lexeme)
            if self.peek() in ("++", "--"):
                self.store(lexeme, value + (1 if self.take() == "++" else -1))
            return value
        return self.number(lexeme)

    def number(self, lexeme: str) -> int:
        try:
            if lexeme.lower().startswith("0x"):
                return wrap(int(lexeme, 16))
            return wrap(int(lexeme, 8 if lexeme.startswith("0") and len(lexeme) > 1 else 10))
        except ValueError:
            raise ArithmeticFailure(SYNTAX) from None

    def variable(self, name: str) -> int:
        value = (self.variables.get(name) or "").strip()
        return evaluate(value, self.variables) if value and value != name else 0
