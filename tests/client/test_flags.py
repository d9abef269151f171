import pytest

from minidocker.client.flags import Flag, UsageError, parse

FLAGS = (
    Flag(name="name", takes="string"),
    Flag(name="env", short="e", takes="list"),
    Flag(name="detach", short="d"),
    Flag(name="rm"),
    Flag(name="publish", short="p", takes="list", modelled=False),
)


def test_values_switches_and_words():
    parsed = parse(
        ["--name", "web", "-e", "A=1", "-eB=2", "--env=C=3", "-d", "--rm=false", "image", "-x"],
        FLAGS,
        interspersed=False,
    )
    assert parsed.last("name") == "web"
    assert parsed.all("env") == ("A=1", "B=2", "C=3")
    assert parsed.has("detach")
    assert not parsed.has("rm")
    assert parsed.words == ["image", "-x"]


def test_flags_may_stand_between_the_words_of_most_commands():
    parsed = parse(["one", "-d", "two", "--", "-d"], FLAGS)
    assert parsed.has("detach")
    assert parsed.words == ["one", "two", "-d"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--it"], "unknown flag: --it"),
        (["-name"], "unknown shorthand flag: 'n' in -name"),
        (["-dx"], "unknown shorthand flag: 'x' in -dx"),
        (["--name"], "flag needs an argument: --name"),
        (["-e"], "flag needs an argument: 'e' in -e"),
        (["-p", "80"], "minidocker does not have --publish yet; it does not pretend to"),
    ],
)
def test_complaints_are_the_clients(words, message):
    with pytest.raises(UsageError, match=message.replace("(", r"\(")):
        parse(words, FLAGS)
