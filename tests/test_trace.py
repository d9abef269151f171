import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.state import Change, apply, empty_state
from minidocker.trace import KEYFRAME_EVERY, SYSCALL, Step, Trace, chain_digest


def step(index, **fields):
    fields = {"depth": SYSCALL, "actor": "sh", "task": "0.1", "call": "write", "text": f"write({index})", **fields}
    return Step(index=index, **fields)


def counting(length):
    """A trace whose state counts its steps."""
    changes = [Change(("tasks", "n"), number or None, number + 1) for number in range(length)]
    return Trace(
        command="docker run", kernel={"kind": "sim"}, steps=tuple(step(i, changes=(c,)) for i, c in enumerate(changes))
    )


@given(st.integers(min_value=0, max_value=KEYFRAME_EVERY * 3))
def test_a_state_is_that_of_all_steps_up_to_it(length):
    trace = counting(length)
    state = empty_state()
    assert trace.at(-1) == state
    for number in range(length):
        state = apply(state, trace.steps[number].changes)
        assert trace.at(number) == state


@pytest.mark.parametrize("index", [-2, 3])
def test_there_is_no_state_outside(index):
    with pytest.raises(IndexError, match="of a trace of 3"):
        counting(3).at(index)


def test_json_and_back():
    trace = counting(5)
    assert Trace.from_json(json.loads(json.dumps(trace.to_json()))) == trace


def test_another_schema_is_refused():
    with pytest.raises(ValueError, match="schema is 'other/9'"):
        Trace.from_json({"schema": "other/9"})


def test_a_digest_covers_what_both_kernels_agree_on():
    one = step(0, result="3")
    assert chain_digest("", one) == chain_digest("", step(0, result="3", why="words", observed=True))
    assert chain_digest("", one) != chain_digest("", step(0, result="4"))
    assert chain_digest("", one) != chain_digest("before", one)


def test_a_local_number_is_not_compared_but_an_error_is():
    pid, other = step(0, call="clone", result="17", local=True), step(0, call="clone", result="18", local=True)
    assert pid.same_as() == other.same_as()
    assert pid.same_as() != step(0, call="clone", result="-1 EAGAIN (…)", errno="EAGAIN", local=True).same_as()
