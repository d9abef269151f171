import pytest
from hypothesis import given
from lab.sample_trace import directory, file, whiteout
from lab.stacks import stacks

from minidocker.provider import Layer, hidden_bytes, names_of, provider

OPAQUE = directory(opaque=True)


def merged(stack: list[Layer]) -> dict[str, int]:
    """Build the merged tree from the lowest layer up, as one would by hand; names to the layer that serves them."""
    tree: dict[str, int] = {}
    kinds: dict[str, str] = {}
    for number in reversed(range(len(stack))):
        for path in sorted(stack[number]):
            entry = stack[number][path]
            inside = [name for name in tree if name.startswith(path + "/")]
            if entry["kind"] != "dir" or entry.get("opaque") or kinds.get(path) not in (None, "dir"):
                for name in inside:
                    del tree[name]
            if entry["kind"] == "whiteout":
                tree.pop(path, None)
                kinds.pop(path, None)
            else:
                tree[path], kinds[path] = number, entry["kind"]
    return tree


def test_the_topmost_layer_that_has_a_name_serves_it():
    assert provider("/a", [{}, {"/a": file(1)}, {"/a": file(2)}]).found == ((1, "/a"),)


def test_a_name_that_no_layer_has_is_served_by_nobody():
    assert provider("/a", [{}, {"/b": file(1)}]).layer is None


def test_a_whiteout_ends_the_search():
    who = provider("/a", [{"/a": whiteout()}, {"/a": file(2)}])
    assert (who.layer, who.ended_by) == (None, 0)


def test_directories_are_merged_until_an_opaque_one():
    who = provider("/d", [{"/d": directory()}, {}, {"/d": OPAQUE}, {"/d": directory()}])
    assert (who.found, who.ended_by) == (((0, "/d"), (2, "/d")), 2)


def test_an_opaque_parent_hides_what_is_below_it_in_lower_layers():
    stack = [{"/d": OPAQUE}, {"/d": directory(), "/d/a": file(1)}]
    assert provider("/d/a", stack).layer is None


def test_a_file_in_the_way_hides_what_lies_below_it():
    assert provider("/d/a", [{"/d": file(1)}, {"/d": directory(), "/d/a": file(1)}]).layer is None
    who = provider("/d", [{"/d": directory()}, {"/d": file(1)}, {"/d": directory()}])
    assert (who.found, who.ended_by) == (((0, "/d"),), 1)


def test_a_redirect_looks_for_the_directory_under_its_old_name_from_there_on_down():
    moved = {"/new": directory(redirect="/old"), "/old": whiteout()}
    stack = [moved, {"/old": directory(), "/old/a": file(3)}]
    assert provider("/new/a", stack).found == ((1, "/old/a"),)
    assert provider("/old/a", stack).layer is None
    assert hidden_bytes(stack) == 0


def test_a_redirect_without_a_slash_stays_in_its_parent():
    stack = [
        {"/d": directory(), "/d/new": directory(redirect="old")},
        {"/d": directory(), "/d/old": directory(), "/d/old/a": file(3)},
    ]
    assert provider("/d/new/a", stack).found == ((1, "/d/old/a"),)


def test_the_root_is_merged_of_all_layers():
    assert provider("/", [{}, {"/a": file(1)}]).found == ((0, "/"), (1, "/"))


def test_hidden_bytes_are_those_that_no_name_reaches():
    lowers = [{"/a": file(5)}, {"/a": file(7), "/b": file(11)}]
    assert hidden_bytes([{}, *lowers]) == 7
    assert hidden_bytes([{"/b": whiteout()}, *lowers]) == 18
    assert hidden_bytes([{"/a": file(100)}, *lowers]) == 12


@pytest.mark.slow
@given(stacks)
def test_the_search_from_above_finds_what_building_from_below_leaves(stack):
    plain = [
        {path: {key: entry[key] for key in entry if key != "redirect"} for path, entry in layer.items()}
        for layer in stack
    ]
    tree = merged(plain)
    assert {path: who for path in names_of(plain) if (who := provider(path, plain).layer) is not None} == tree
