"""Names for containers that were given none: an adjective, an underscore, somebody who is worth looking up."""

from collections.abc import Container
from typing import Final

_ADJECTIVES: Final = """
    amber brave bright calm clever curious daring eager early fair fluent gentle golden happy honest humble jolly keen
    kind lively lucid merry mighty neat noble patient plain polite proud quick quiet ready silent sharp sincere steady
    sunny swift tidy vivid warm wise witty young
""".split()  # noqa: SIM905  a list of words reads as words

_PEOPLE: Final = """
    allen bartik borg cerf cray dijkstra engelbart floyd goldberg granville hamilton hoare holberton hopper iverson
    jennings johnson joy kahn kernighan knuth lamport liskov lovelace mccarthy mcilroy meitner milner minsky neumann
    noether perlis perlman ritchie rivest shannon stallman tanenbaum thompson torvalds turing wing wirth zuse
""".split()  # noqa: SIM905


def generate(seed: str, taken: Container[str] = ()) -> str:
    """Return a name that follows from an id's hexadecimal digits and is not taken; a number is added at need."""
    number = int(seed[:16], 16)
    name = f"{_ADJECTIVES[number % len(_ADJECTIVES)]}_{_PEOPLE[number // 64 % len(_PEOPLE)]}"
    candidate, again = name, 0
    while candidate in taken:
        candidate, again = f"{name}{again}", again + 1
    return candidate
