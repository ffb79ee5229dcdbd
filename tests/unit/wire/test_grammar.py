"""The grammar, from its own tables: every frame in every state moves as they say, or is refused."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doublevm.wire import frames as f
from doublevm.wire import inner_frames as i
from doublevm.wire.frames import FrameError, frame_name
from doublevm.wire.grammar import (
    HOST_SIDE,
    INNER_SIDE,
    PARENT_SIDE,
    Grammar,
    host_side,
    inner_side,
    parent_side,
)
from tests.unit.wire.every_frame import FROM_INNER, HOST, KINDS, PARENT, TO_INNER, example

if TYPE_CHECKING:
    from collections.abc import Callable

    from doublevm.wire.grammar import Table

SIDES: dict[str, tuple[Callable[[], Grammar], Table]] = {
    "host": (host_side, HOST_SIDE),
    "parent": (parent_side, PARENT_SIDE),
    "inner": (inner_side, INNER_SIDE),
}
CASES = [
    (side, state, kind)
    for side, (_, table) in SIDES.items()
    for state, kind in itertools.product(table, KINDS)
]


def way_to(table: Table, state: str) -> list[type]:
    """Return frames that lead from ``new`` to a state: every state can be reached."""
    ways: dict[str, list[type]] = {"new": []}
    todo = ["new"]
    while todo:
        here = todo.pop(0)
        for kind, after in table[here].items():
            if after not in ways:
                ways[after] = [*ways[here], kind]
                todo.append(after)
    return ways[state]


@pytest.mark.parametrize(
    ("side", "state", "kind"), CASES, ids=[f"{a}-{b}-{c.__name__}" for a, b, c in CASES]
)
def test_every_frame_in_every_state(side: str, state: str, kind: type) -> None:
    make, table = SIDES[side]
    grammar = make()
    for step in way_to(table, state):
        grammar.step(example(step))
    assert grammar.state == state
    after = table[state].get(kind)
    if after is not None:
        grammar.step(example(kind))
        assert grammar.state == after
        return
    with pytest.raises(FrameError, match=f"may not come in state {state!r}") as caught:
        grammar.step(example(kind))
    assert caught.value.frame == frame_name(example(kind))
    assert grammar.state == state


@pytest.mark.parametrize("side", SIDES)
def test_tables_are_closed(side: str) -> None:
    """Every state that a frame leads to has a row of its own, and a way out."""
    _, table = SIDES[side]
    for row in table.values():
        assert row
        assert set(row.values()) <= set(table)


def test_each_table_speaks_of_its_own_frames_and_of_all_of_them() -> None:
    def spoken(table: Table) -> set[type]:
        return {kind for row in table.values() for kind in row}

    assert spoken(HOST_SIDE) == {*HOST, *PARENT}
    assert spoken(INNER_SIDE) == {*TO_INNER, *FROM_INNER}
    assert spoken(PARENT_SIDE) == {*HOST, f.Checked, f.Scored, f.Done, f.Failed, f.Broken}


def test_a_guest_is_only_heard_while_it_runs() -> None:
    """What carries a guest's doing may come in no other state than running."""
    doings = {f.Call, f.Denied, f.Output, f.Done}
    assert {state for state, row in HOST_SIDE.items() if doings & set(row)} == {"running"}


def test_an_inner_vm_that_has_asked_says_nothing_before_its_answer() -> None:
    for state in ("calling", "waiting"):
        assert set(INNER_SIDE[state]) <= set(TO_INNER)
        assert i.Print not in INNER_SIDE[state]


@pytest.mark.parametrize("side", SIDES)
@given(kinds=st.lists(st.sampled_from(KINDS), max_size=30))
def test_any_sequence_of_frames(side: str, kinds: list[Any]) -> None:
    make, table = SIDES[side]
    grammar, state = make(), "new"
    for kind in kinds:
        after = table[state].get(kind)
        try:
            grammar.step(example(kind))
        except FrameError:
            assert after is None
        else:
            assert after is not None
            state = after
        assert grammar.state == state


def test_two_conversations_have_nothing_in_common() -> None:
    one, other = host_side(), host_side()
    one.step(example(f.Configure))
    assert (one.state, other.state) == ("configuring", "new")
