"""From characters to tokens and words: quoting, expansions, comments, here-documents (XCU 2.2, 2.3, 2.6)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from minidocker.programs.sh.syntax import (
    Arithmetic,
    Command,
    Incomplete,
    Literal,
    Parameter,
    Part,
    Redirect,
    Substitution,
    Word,
)

#: Longest first, so that the first that fits is the right one.
OPERATORS: Final = ("<<-", "&&", "||", ";;", "<<", ">>", "<&", ">&", "<>", ">|", ";", "&", "|", "(", ")", "<", ">")
REDIRECTIONS: Final = frozenset(("<<-", "<<", ">>", "<&", ">&", "<>", ">|", "<", ">"))
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPECIAL: Final = "@*#?-$!0123456789"
_EXPANSION: Final = re.compile(r":?[-=?+]|%%?|##?")
_END_OF_WORD: Final = " \t\n;&|()<>"
UNTERMINATED: Final = "unterminated quoted string"


@dataclass(frozen=True, slots=True)
class Token:
    """``kind``: word, operator, number (before a redirection), newline or end."""

    kind: str
    text: str = ""
    word: Word = ()
    line: int = 0


class Words:
    """Collects the parts of a word; neighbouring characters become one Literal."""

    def __init__(self) -> None:
        """Start with no part."""
        self.parts: list[Part] = []

    def add(self, text: str, *, quoted: bool = False) -> None:
        """Add characters."""
        last = self.parts[-1] if self.parts else None
        if isinstance(last, Literal) and last.quoted == quoted:
            self.parts[-1] = Literal(last.text + text, quoted)
        else:
            self.parts.append(Literal(text, quoted))


class Lexer:
    """Reads tokens off a text. ``final`` says that no more text will follow the end."""

    def __init__(self, text: str, *, line: int = 1, final: bool = True) -> None:
        """Start at the text's beginning, which is on the given line."""
        self.text = text
        self.position = 0
        self.line = line
        self.final = final
        self.here_documents: list[tuple[Redirect, str, bool]] = []
        self.parse_substitution: Callable[[Lexer], Command | None] | None = None
        """Parses commands up to the closing parenthesis: the parser's part, set by it."""

    # characters

    def peek(self, length: int = 1) -> str:
        """Return the next characters without taking them; fewer at the end."""
        return self.text[self.position : self.position + length]

    def take(self, length: int = 1) -> str:
        """Take the next characters."""
        taken = self.peek(length)
        self.position += len(taken)
        self.line += taken.count("\n")
        return taken

    def demand(self, message: str) -> str:
        """Take the next character; the text may not end here."""
        char = self.take()
        if not char:
            raise Incomplete(message, self.line)
        return char

    # tokens

    def token(self) -> Token:
        """Take the next token."""
        self._skip_blanks()
        line, char = self.line, self.peek()
        if not char:
            if not self.final:
                raise Incomplete("unexpected end of file", line)
            self._read_here_documents()
            return Token("end", "end of file", line=line)
        if char == "\n":
            self.take()
            self._read_here_documents()
            return Token("newline", "newline", line=line)
        for operator in OPERATORS:
            if self.text.startswith(operator, self.position):
                self.take(len(operator))
                return Token("operator", operator, line=line)
        start = self.position
        word = self.read_word(_END_OF_WORD)
        text = self.text[start : self.position]
        kind = "number" if text.isdigit() and self.peek() in ("<", ">") and self.peek() else "word"
        return Token(kind, text, word, line)

    def _skip_blanks(self) -> None:
        while True:
            if self.peek() in (" ", "\t"):
                self.take()
            elif self.peek(2) == "\\\n":
                self.take(2)
            elif self.peek() == "#":
                while self.peek() not in ("", "\n"):
                    self.take()
            else:
                return

    # words

    def read_word(self, stop: str) -> Word:
        """Take a word, up to one of the stopping characters outside of quotes, which is left."""
        words = Words()
        while (char := self.peek()) and char not in stop:
            self.take()
            if char == "\\":
                self._escaped(words)
            elif char == "'":
                words.add(self._single_quoted(), quoted=True)
            elif char == '"':
                self._double_quoted(words)
            elif char in "$`":
                self._expansion(char, words, quoted=False)
            else:
                words.add(char)
        if not char and (not self.final or "}" in stop):
            raise Incomplete(UNTERMINATED, self.line)
        return tuple(words.parts)

    def _escaped(self, words: Words) -> None:
        char = self.take()
        if not char:
            words.add("\\", quoted=True)
        elif char != "\n":
            words.add(char, quoted=True)

    def _single_quoted(self) -> str:
        end = self.text.find("'", self.position)
        if end < 0:
            raise Incomplete(UNTERMINATED, self.line)
        return self.take(end - self.position + 1)[:-1]

    def _double_quoted(self, words: Words) -> None:
        if self.peek() == '"':
            words.add("", quoted=True)
        while (char := self.demand(UNTERMINATED)) != '"':
            self._in_double_quotes(char, words, '$`"\\')

    def _in_double_quotes(self, char: str, words: Words, escapable: str) -> None:
        if char in "$`":
            self._expansion(char, words, quoted=True)
        elif char == "\\" and self.peek() == "\n":
            self.take()
        elif char == "\\" and self.peek() and self.peek() in escapable:
            words.add(self.take(), quoted=True)
        else:
            words.add(char, quoted=True)

    def read_quoted(self, stop: str, escapable: str = '$`"\\}') -> Word:
        """Take text as within double quotes, up to a stopping character, which is left; "" stops at the text's end."""
        words = Words()
        while (char := self.peek()) != stop:
            self.demand(UNTERMINATED)
            if char == '"' and stop:
                self._double_quoted(words)
            else:
                self._in_double_quotes(char, words, escapable)
        return tuple(words.parts)

    # expansions

    def _expansion(self, char: str, words: Words, *, quoted: bool) -> None:
        part = self._backquoted(quoted) if char == "`" else self._dollar(quoted)
        if part is None:
            words.add("$", quoted=quoted)
        else:
            words.parts.append(part)

    def _dollar(self, quoted: bool) -> Part | None:
        if self.peek(2) == "((":
            self.take(2)
            return self._arithmetic(quoted)
        if self.peek() == "(":
            self.take()
            return Substitution(self._commands(), quoted)
        if self.peek() == "{":
            self.take()
            return self._braced(quoted)
        name = self._name()
        return Parameter(name, quoted=quoted) if name else None

    def _name(self) -> str:
        match = NAME.match(self.text, self.position)
        if match:
            return self.take(len(match[0]))
        return self.take() if self.peek() and self.peek() in _SPECIAL else ""

    def _commands(self) -> Command | None:
        assert self.parse_substitution is not None
        return self.parse_substitution(self)

    def _backquoted(self, quoted: bool) -> Substitution:
        script = ""
        line = self.line
        while (char := self.demand("EOF in backquote substitution")) != "`":
            if char == "\\" and self.peek() in (("$", "`", "\\", '"') if quoted else ("$", "`", "\\")):
                char = self.take()
            script += char
        inner = Lexer(script + ")", line=line)
        inner.parse_substitution = self.parse_substitution
        return Substitution(inner._commands(), quoted)

    def _arithmetic(self, quoted: bool) -> Arithmetic:
        words, depth = Words(), 0
        while depth or self.peek(2) != "))":
            char = self.demand(UNTERMINATED)
            depth += {"(": 1, ")": -1}.get(char, 0)
            if char != '"':
                self._in_double_quotes(char, words, "$`\\")
        self.take(2)
        return Arithmetic(tuple(words.parts), quoted)

    def _braced(self, quoted: bool) -> Parameter:
        if self.peek() == "#" and self.peek(2) not in ("#}", "#:", "#-", "#=", "#+", "#%"):
            self.take()
            parameter = Parameter(self._long_name(), "length", quoted=quoted)
        else:
            parameter = self._operation(self._long_name(), quoted)
        if self.peek() == "}" and parameter.name:
            self.take()
            return parameter
        self.read_quoted("}")
        self.take()
        return Parameter(parameter.name, "bad", quoted=quoted)

    def _long_name(self) -> str:
        match = re.compile(r"[0-9]+").match(self.text, self.position)
        return self.take(len(match[0])) if match else self._name()

    def _operation(self, name: str, quoted: bool) -> Parameter:
        match = _EXPANSION.match(self.text, self.position)
        if not match:
            return Parameter(name, quoted=quoted)
        operator = self.take(len(match[0]))
        as_pattern = operator[0] in "#%"
        word = self.read_word("}") if as_pattern or not quoted else self.read_quoted("}")
        return Parameter(name, operator, word, quoted)

    # here-documents

    def _read_here_documents(self) -> None:
        pending, self.here_documents = self.here_documents, []
        for redirect, delimiter, literal in pending:
            body = self._body(delimiter, tabs=redirect.operator == "<<-")
            redirect.word = (Literal(body, quoted=True),) if literal else self._expandable(body)

    def _body(self, delimiter: str, *, tabs: bool) -> str:
        body = ""
        while self.peek():
            end = self.text.find("\n", self.position)
            line = self.take((len(self.text) if end < 0 else end + 1) - self.position)
            line = line.lstrip("\t") if tabs else line
            if line.rstrip("\n") == delimiter:
                return body
            body += line
        if not self.final:
            raise Incomplete(UNTERMINATED, self.line)
        return body

    def _expandable(self, body: str) -> Word:
        inner = Lexer(body, line=self.line)
        inner.parse_substitution = self.parse_substitution
        return inner.read_quoted("", "$`\\")
