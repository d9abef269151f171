"""From tokens to commands: a recursive descent through the shell's grammar (POSIX.1-2017, XCU 2.10)."""

from typing import Final

from minidocker.programs.sh.lexer import NAME, REDIRECTIONS, Lexer, Token
from minidocker.programs.sh.syntax import (
    AndOr,
    Background,
    Case,
    Command,
    For,
    Function,
    If,
    Incomplete,
    Literal,
    Loop,
    Parameter,
    Pipeline,
    Redirect,
    Redirected,
    Sequence,
    ShellSyntaxError,
    Simple,
    Subshell,
    Word,
    unquoted,
)

#: Words that end a list of commands where a command could begin.
CLOSING: Final = frozenset(("then", "else", "elif", "fi", "do", "done", "esac", "}"))
OPENING: Final = frozenset(("if", "while", "until", "for", "case", "{"))
RESERVED: Final = CLOSING | OPENING | {"in", "!"}

#: What ``for name; do`` goes through: "$@".
_ALL_PARAMETERS: Final = (Parameter("@", quoted=True),)


class Parser:
    """Parses one complete command (all that a line, or several, hold together) after the other."""

    def __init__(self, text: str, *, line: int = 1, final: bool = True) -> None:
        """Start at the beginning of a text."""
        self.start(Lexer(text, line=line, final=final))

    def start(self, lexer: Lexer) -> None:
        """Go on with a lexer, from where it is."""
        self.lexer = lexer
        lexer.parse_substitution = _parse_substitution
        self._token: Token | None = None

    # tokens

    @property
    def token(self) -> Token:
        """The token to be taken next."""
        if self._token is None:
            self._token = self.lexer.token()
        return self._token

    def take(self) -> Token:
        """Take the next token."""
        token, self._token = self.token, None
        return token

    def at_operator(self, *operators: str) -> bool:
        """Is one of these operators next?"""
        return self.token.kind == "operator" and self.token.text in operators

    def reserved(self) -> str:
        """Return the reserved word that is next, or "" if there is none."""
        text = unquoted(self.token.word) if self.token.kind == "word" else None
        return text if text in RESERVED else ""

    def expect(self, text: str) -> None:
        """Take this operator or reserved word; a syntax error if it is not there."""
        if not (self.at_operator(text) or self.reserved() == text):
            self.unexpected(text)
        self.take()

    def unexpected(self, expected: str = "") -> None:
        """Raise a syntax error for the next token, in ash's words."""
        token = self.token
        hint = f' (expecting "{expected}")' if expected else ""
        if token.kind in ("end", "newline"):
            kind = Incomplete if token.kind == "end" else ShellSyntaxError
            raise kind(f"unexpected {token.text}{hint}", token.line)
        shown = "word" if token.kind == "word" and not self.reserved() else f'"{token.text}"'
        raise ShellSyntaxError(f"unexpected {shown}{hint}", token.line)

    def skip_newlines(self) -> None:
        """Take newlines."""
        while self.token.kind == "newline":
            self.take()

    # lists

    def complete_command(self) -> Command | None:
        """Parse up to the end of a line that completes a command; None at the end of the text."""
        self.skip_newlines()
        if self.token.kind == "end":
            return None
        command = self.sequence(one_line=True)
        if self.token.kind not in ("newline", "end"):
            self.unexpected()
        self.take()
        return command

    @property
    def position(self) -> int:
        """How much of the text complete commands have taken."""
        return self.lexer.position

    def ends_list(self) -> bool:
        """Can no further command begin here?"""
        return self.token.kind == "end" or self.at_operator(")", ";;") or self.reserved() in CLOSING

    def sequence(self, *, one_line: bool = False) -> Command:
        """Parse ``a; b & c``, over several lines unless it is one line's."""
        items: list[Command] = []
        while True:
            command = self.and_or()
            separator = self.take().text if self.at_operator(";", "&") else ""
            items.append(Background(command) if separator == "&" else command)
            if self.token.kind == "newline" and not one_line:
                self.skip_newlines()
            elif not separator:
                break
            if self.token.kind == "newline" or self.ends_list():
                break
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def body(self, *closing: str) -> Command:
        """Parse the commands inside of a compound command, up to its closing word."""
        self.skip_newlines()
        if self.ends_list() and not (self.reserved() in closing and self.reserved() == "esac"):
            self.unexpected(closing[0] if self.token.kind == "end" else "")
        command = self.sequence()
        if not (self.at_operator(*closing) or self.reserved() in closing):
            self.unexpected(closing[0])
        return command

    def and_or(self) -> Command:
        """Parse ``a && b || c``, which groups from the left."""
        command = self.pipeline()
        while self.at_operator("&&", "||"):
            operator = self.take().text
            self.skip_newlines()
            command = AndOr(command, operator, self.pipeline())
        return command

    def pipeline(self) -> Command:
        """Parse ``! a | b | c``."""
        negated = self.reserved() == "!"
        if negated:
            self.take()
        commands = [self.command()]
        while self.at_operator("|"):
            self.take()
            self.skip_newlines()
            commands.append(self.command())
        return commands[0] if len(commands) == 1 and not negated else Pipeline(tuple(commands), negated)

    # commands

    def command(self) -> Command:
        """Parse a simple command, a compound one with its redirections, or a function."""
        if self.at_operator("("):
            self.take()
            inside = Subshell(self.body(")"))
            self.expect(")")
            return self.redirected(inside)
        word = self.reserved()
        if word in OPENING:
            return self.redirected(self.compound(word))
        if word:
            self.unexpected()
        return self.simple()

    def redirected(self, command: Command) -> Command:
        """Parse the redirections behind a compound command."""
        redirects = []
        while (redirect := self.redirect()) is not None:
            redirects.append(redirect)
        return Redirected(command, tuple(redirects)) if redirects else command

    def compound(self, word: str) -> Command:
        """Parse the compound command that begins with this word."""
        self.take()
        if word == "if":
            return self.if_clause()
        if word == "for":
            return self.for_clause()
        if word == "case":
            return self.case_clause()
        if word == "{":
            body = self.body("}")
            self.expect("}")
            return body
        condition = self.body("do")
        return Loop(condition, self.do_group(), word == "until")

    def do_group(self) -> Command:
        """Parse ``do body; done``."""
        self.expect("do")
        body = self.body("done")
        self.expect("done")
        return body

    def if_clause(self) -> If:
        """Parse what follows ``if`` or ``elif``."""
        condition = self.body("then")
        self.expect("then")
        body = self.body("fi", "else", "elif")
        otherwise: Command | None = None
        word = self.reserved()
        self.take()
        if word == "elif":
            return If(condition, body, self.if_clause())
        if word == "else":
            otherwise = self.body("fi")
            self.expect("fi")
        return If(condition, body, otherwise)

    def for_clause(self) -> For:
        """Parse what follows ``for``."""
        name = unquoted(self.token.word)
        if name is None or not NAME.fullmatch(name):
            raise ShellSyntaxError("bad for loop variable", self.token.line)
        self.take()
        words: list[Word] = [_ALL_PARAMETERS]
        self.skip_newlines()
        if self.reserved() == "in":
            self.take()
            words = []
            while self.token.kind == "word":
                words.append(self.take().word)
            if not (self.at_operator(";") or self.token.kind == "newline"):
                self.unexpected()
            self.take()
        elif self.at_operator(";"):
            self.take()
        self.skip_newlines()
        return For(name, tuple(words), self.do_group())

    def case_clause(self) -> Case:
        """Parse what follows ``case``."""
        if self.token.kind != "word":
            self.unexpected()
        word = self.take().word
        self.skip_newlines()
        self.expect("in")
        self.skip_newlines()
        branches = []
        while self.reserved() != "esac":
            branches.append(self.branch())
            self.skip_newlines()
        self.take()
        return Case(word, tuple(branches))

    def branch(self) -> tuple[tuple[Word, ...], Command | None]:
        """Parse ``pattern | pattern) body ;;``; the last one may go without ``;;``."""
        if self.at_operator("("):
            self.take()
        patterns = [self.pattern()]
        while self.at_operator("|"):
            self.take()
            patterns.append(self.pattern())
        self.expect(")")
        self.skip_newlines()
        body = None
        if not self.at_operator(";;") and self.reserved() != "esac":
            body = self.body(";;", "esac")
        if self.at_operator(";;"):
            self.take()
        return tuple(patterns), body

    def pattern(self) -> Word:
        """Take one pattern of a case."""
        if self.token.kind not in ("word", "number"):
            self.unexpected(")")
        return self.take().word

    def simple(self) -> Command:
        """Parse ``name=value … word … redirect …``, or a function's definition."""
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        line = self.token.line
        while True:
            redirect = self.redirect()
            if redirect is not None:
                redirects.append(redirect)
            elif self.token.kind == "word":
                word = self.take().word
                assignment = None if words else split_assignment(word)
                if assignment:
                    assignments.append(assignment)
                else:
                    words.append(word)
            elif self.at_operator("(") and len(words) == 1 and not assignments and not redirects:
                return self.function(words[0])
            else:
                break
        if not (assignments or words or redirects):
            self.unexpected()
        return Simple(assignments=tuple(assignments), words=tuple(words), redirects=tuple(redirects), line=line)

    def function(self, word: Word) -> Function:
        """Parse what follows a function's name."""
        name = unquoted(word)
        self.take()
        self.expect(")")
        if name is None or not NAME.fullmatch(name.replace("-", "_")):
            raise ShellSyntaxError("bad function name", self.lexer.line)
        self.skip_newlines()
        return Function(name, self.command())

    def redirect(self) -> Redirect | None:
        """Parse one redirection, if one is next."""
        fd = -1
        if self.token.kind == "number":
            fd = int(self.take().text)
        if not self.at_operator(*REDIRECTIONS):
            return None
        operator = self.take().text
        if self.token.kind not in ("word", "number"):
            self.unexpected()
        word = self.token.word
        redirect = Redirect(fd if fd >= 0 else int(operator[0] == ">"), operator, word)
        if operator in ("<<", "<<-"):
            delimiter = "".join(part.text for part in word if isinstance(part, Literal))
            literal = any(isinstance(part, Literal) and part.quoted for part in word)
            self.lexer.here_documents.append((redirect, delimiter, literal))
        self.take()
        return redirect


def split_assignment(word: Word) -> tuple[str, Word] | None:
    """Return name and value of a word that is an assignment, else None."""
    if not word or not isinstance(word[0], Literal) or word[0].quoted:
        return None
    name, equals, value = word[0].text.partition("=")
    if not equals or not NAME.fullmatch(name):
        return None
    return name, (Literal(value), *word[1:]) if value else word[1:]


def _parse_substitution(lexer: Lexer) -> Command | None:
    """Parse the commands of ``$(…)`` off the lexer that came to them, and the parenthesis."""
    parser = Parser("")
    pending, lexer.here_documents = lexer.here_documents, []
    final, lexer.final = lexer.final, True
    parser.start(lexer)
    parser.skip_newlines()
    command = None if parser.at_operator(")") else parser.body(")")
    parser.expect(")")
    lexer.here_documents, lexer.final = pending, final
    return command
