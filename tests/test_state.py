import copy

from hypothesis import assume, given
from hypothesis import strategies as st

from minidocker.state import Change, apply, diff, empty_state, put, revert

leaves = st.one_of(st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=2))
tables = st.recursive(
    leaves, lambda inner: st.dictionaries(st.text(max_size=2), inner, min_size=1, max_size=3), max_leaves=8
)
states = st.dictionaries(st.text(max_size=2), tables, max_size=4)


@given(states, states)
def test_what_differs_leads_from_one_state_to_the_other(old, new):
    assert apply(old, diff(old, new)) == new


@given(states, states)
def test_backwards_undoes_forwards(old, new):
    changes = list(diff(old, new))
    assert revert(apply(old, changes), changes) == old


@given(states, states)
def test_a_state_is_never_changed_in_place(old, new):
    before = copy.deepcopy(old)
    apply(old, diff(old, new))
    assert old == before


def test_what_is_not_touched_is_shared():
    state = {**empty_state(), "uppers": {"web": {"/a": {"kind": "file"}}}}
    after = apply(state, [Change(("tasks", "0"), None, {"name": "daemon"})])
    assert after["uppers"] is state["uppers"]
    assert state["tasks"] == {}


def test_a_change_is_json_and_back():
    change = Change(("uppers", "web", "/a"), None, {"kind": "whiteout"})
    assert Change.from_json(change.to_json()) == change
    assert change.to_json() == [["uppers", "web", "/a"], None, {"kind": "whiteout"}]


@given(states, st.lists(st.text(max_size=2), min_size=1, max_size=4), leaves)
def test_what_was_put_is_taken_back_with_the_tables_it_came_in(state, path, new):
    table = state
    for key in path[:-1]:  # a path leads through tables
        table = table.get(key, {})
        assume(isinstance(table, dict))
    change = put(state, tuple(path), new)
    after = apply(state, [change])
    assert revert(after, [change]) == state
    for key in path:
        after = after[key]
    assert after == new
