import copy

from hypothesis import given
from hypothesis import strategies as st

from minidocker.state import Change, apply, diff, empty_state, revert

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
