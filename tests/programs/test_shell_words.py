"""The shell's front: tokens, words, commands, fields, patterns, arithmetic. No kernel is needed for any of these."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.programs.file_mode import change_mode, mode_text
from minidocker.programs.regex import translate
from minidocker.programs.sh import pattern
from minidocker.programs.sh.arithmetic import ArithmeticFailure, evaluate
from minidocker.programs.sh.builtins import logical, quote
from minidocker.programs.sh.expand import Piece, joined, split
from minidocker.programs.sh.lexer import Lexer
from minidocker.programs.sh.parser import RESERVED, Parser
from minidocker.programs.sh.syntax import (
    AndOr,
    Incomplete,
    Literal,
    Parameter,
    Pipeline,
    Redirected,
    Sequence,
    ShellSyntaxError,
    Simple,
    Substitution,
)


def tokens(text):
    lexer, found = Lexer(text), []
    while (token := lexer.token()).kind != "end":
        found.append((token.kind, token.text))
    return found


def test_operators_and_words():
    assert tokens("a&&b 2>&1|c #x\n") == [
        ("word", "a"), ("operator", "&&"), ("word", "b"), ("number", "2"), ("operator", ">&"), ("word", "1"),
        ("operator", "|"), ("word", "c"), ("newline", "newline"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a'b c'\"d\"", (Literal("a"), Literal("b cd", quoted=True))),
        ('""', (Literal("", quoted=True),)),
        ("\\$x", (Literal("$", quoted=True), Literal("x"))),
        ('"$x"y', (Parameter("x", quoted=True), Literal("y"))),
        ("${x:-a}", (Parameter("x", ":-", (Literal("a"),)),)),
        ("${#x}$#", (Parameter("x", "length"), Parameter("#"))),
        ("$", (Literal("$"),)),
    ],
)
def test_words(text, word):
    assert Lexer(text).token().word == word


def test_a_substitution_is_parsed_where_it_stands():
    (part,) = Parser("$(echo ')' | cat)").complete_command().words[0]
    assert isinstance(part, Substitution)
    assert isinstance(part.body, Pipeline)


def test_lists_group_from_the_left():
    command = Parser("a && b || c; d").complete_command()
    assert isinstance(command, Sequence)
    assert isinstance(command.items[0], AndOr)
    assert (command.items[0].operator, command.items[0].left.operator) == ("||", "&&")


def test_a_complete_command_is_what_its_lines_hold():
    parser = Parser("{ a\nb; } > f\nc\n")
    assert isinstance(parser.complete_command(), Redirected)
    assert isinstance(parser.complete_command(), Simple)
    assert parser.complete_command() is None


@pytest.mark.parametrize(
    "text", ["if a", "'x", '"x', "a &&", "a |", "$(a", "`a", "${a", "{ a", "(a", "case x in", "<<E\nx"]
)
def test_more_may_cure_it(text):
    with pytest.raises(Incomplete):
        Parser(text, final=False).complete_command()


@pytest.mark.parametrize(
    "text", ["a )", "fi", "; a", "a ;; b", "for 1 in", "a & & b", "(a))", "if then fi", "a <", "f() "]
)
def test_nothing_cures_it(text):
    with pytest.raises(ShellSyntaxError):
        Parser(text).complete_command()


def expanded(text, ifs=None):
    return [joined(field) for field in split([Piece(text, split=True)], ifs)]


@pytest.mark.parametrize(
    ("text", "ifs", "fields"),
    [
        ("  a  b ", None, ["a", "b"]),
        ("a::b:", ":", ["a", "", "b"]),
        (":a", ":", ["", "a"]),
        (" a : b ", " :", ["a", "b"]),
        ("a b", "", ["a b"]),
        ("", None, []),
    ],
)
def test_splitting(text, ifs, fields):
    assert expanded(text, ifs) == fields


@given(st.text(alphabet="ab \t\n", max_size=30))
def test_white_space_splits_as_python_does(text):
    assert expanded(text) == text.split()


@given(st.text(alphabet="ab:", max_size=30))
def test_other_characters_end_fields(text):
    assert expanded(text, ":") == (text.removesuffix(":").split(":") if text else [])


@given(st.text(alphabet="ab*?[]!-\\^ :", max_size=12), st.text(max_size=12))
def test_what_was_quoted_matches_only_itself(text, other):
    assert pattern.matches(pattern.escape(text), text)
    assert pattern.matches(pattern.escape(text), other) == (text == other)
    assert not pattern.is_magic(pattern.escape(text))
    assert pattern.unescape(pattern.escape(text)) == text


@given(st.text(alphabet=st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=20))
def test_quoting_and_reading_again_changes_nothing(text):
    (word,) = Parser(f"{quote(text, reserved=RESERVED)}\n").complete_command().words
    assert "".join(part.text for part in word) == text


@settings(max_examples=300)
@given(st.text(alphabet="ab'\"\\$`{}()#;&|<> \n=if", max_size=25))
def test_any_text_parses_or_is_refused(text):
    parser = Parser(text)
    try:
        while parser.complete_command() is not None:
            pass
    except ShellSyntaxError:
        return
    assert parser.position == len(text)


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("*.txt", "a.txt", "a.txt2"),
        ("[!a]", "b", "a"),
        ("[]]", "]", "["),
        ("[a-c]x", "bx", "dx"),
        ("\\*", "*", "a"),
        ("[[:digit:]]", "7", "x"),
        ("[", "[", "x"),
        ("a?c", "abc", "ac"),
    ],
)
def test_patterns(glob, yes, no):
    assert pattern.matches(glob, yes)
    assert not pattern.matches(glob, no)


@pytest.mark.parametrize(
    ("text", "glob", "results"),
    [("a.b.c", "*.", ("b.c", "c")), ("aXb", "X", ("aXb", "aXb"))],
)
def test_prefixes(text, glob, results):
    assert tuple(pattern.without_prefix(text, glob, longest=longest) for longest in (False, True)) == results


class Memory(dict):
    def assign(self, name, value):
        self[name] = value


@given(
    st.recursive(
        st.integers(0, 99).map(str), lambda inner: st.builds("({}{}{})".format, inner, st.sampled_from("+-*|&^"), inner)
    )
)
def test_arithmetic_is_cs(text):
    assert evaluate(text, Memory()) == eval(text)


@pytest.mark.parametrize("text", ["1+", "(1", "1 2", "08", "$", "1/0", "?:"])
def test_what_is_no_arithmetic(text):
    with pytest.raises(ArithmeticFailure):
        evaluate(text, Memory())


def test_arithmetic_assigns():
    memory = Memory(x="3", y="x")
    assert evaluate("y + (x += 2) * 10, x++ + x", memory) == 11
    assert memory["x"] == "6"


@pytest.mark.parametrize(
    ("here", "target", "path"),
    [("/a/b", "..", "/a"), ("/a", "../../x/.", "/x"), ("/a", "/b//c/", "/b/c"), ("", "x", "x"), ("/", ".", "/")],
)
def test_logical_paths(here, target, path):
    assert logical(here, target) == path


@pytest.mark.parametrize(
    ("text", "mode", "changed"),
    [
        ("644", 0, 0o644),
        ("u+x,g=u", 0o600, 0o770),
        ("+x", 0o644, 0o755),
        ("a=", 0o777, 0),
        ("+t", 0o777, 0o1777),
        ("-w", 0o666, 0o466),
    ],
)
def test_modes(text, mode, changed):
    assert change_mode(text, mode, mask=0o022) == changed


def test_mode_text():
    assert [mode_text(mode) for mode in (0o100644, 0o41777, 0o104755, 0o120777, 0o102640)] == [
        "-rw-r--r--", "drwxrwxrwt", "-rwsr-xr-x", "lrwxrwxrwx", "-rw-r-S---",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "extended", "yes", "no"),
    [
        (r"a\(b\)*c", False, "abbc", "ab"),
        ("a+", False, "a+", "aa"),
        ("a+", True, "aa", "b"),
        ("^*a", False, "*a", "a"),
        ("[[:space:]]x", False, " x", "ax"),
        (r"\<go\>", False, "a go b", "ago"),
        ("a{2}", True, "aa", "a"),
    ],
)
def test_posix_expressions(text, extended, yes, no):
    expression = re.compile(translate(text, extended=extended))
    assert expression.search(yes)
    assert not expression.search(no)
