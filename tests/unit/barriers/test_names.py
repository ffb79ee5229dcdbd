"""The names barrier: one grammar, ASCII only, and nobody but the host's own tools."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doublevm.barriers.names import MAX_NAME, is_name, judge_name

ALLOWED = string.ascii_letters + string.digits + "_.:/-"
REGISTERED = {"users:list", "mail.send", "x"}

NAMES = ["a", "users:list", "mail.send", "v1/users/get-all", "A_9", "-", "...", "x" * MAX_NAME]
NO_NAMES = [
    "", " ", "a b", "a\n", "\na", "a\x00", "a\r", "a\t", "a;b", "a,b", "a*", "a(b)", "'a'", '"a"',
    "a\\b", "a$b", "a&b", "a|b", "a`b", "{a}", "[a]", "<a>", "a=b", "a?b", "a#b", "a@b", "a%b",
    "\xe9", "\uff41", "\u0430dmin", "list\u200b", "\u202elist", "lis\u0301t", "\ufb01le", "\ud800",
    "x" * (MAX_NAME + 1),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    assert is_name(name)
    assert judge_name(name, (), catch_all=True) is None
    assert judge_name(name, {name}, catch_all=False) is None


@pytest.mark.parametrize("name", NO_NAMES, ids=ascii)
@pytest.mark.parametrize("catch_all", [True, False])
def test_what_is_no_name_is_denied_even_if_registered(name: str, *, catch_all: bool) -> None:
    assert not is_name(name)
    denial = judge_name(name, {name}, catch_all=catch_all)
    assert denial is not None
    assert denial.address == "names/grammar"


@pytest.mark.parametrize("name", ["users:lis", "users:list2", "Users:list", "users.list", "y", "X"])
def test_a_name_that_nobody_registered(name: str) -> None:
    denial = judge_name(name, REGISTERED, catch_all=False)
    assert denial is not None
    assert denial.address == "names/unregistered"
    assert name not in denial.reason
    # The twin: a host that handles all names takes it.
    assert judge_name(name, REGISTERED, catch_all=True) is None


@given(st.text(max_size=200))
def test_the_grammar_is_what_it_says(name: str) -> None:
    assert is_name(name) == (1 <= len(name) <= MAX_NAME and set(name) <= set(ALLOWED))


@given(st.text(ALLOWED, min_size=1, max_size=MAX_NAME), st.characters())
def test_one_strange_character_is_enough(name: str, extra: str) -> None:
    assert is_name(name)
    for place in (0, len(name) // 2, len(name)):
        changed = (name[:place] + extra + name[place:])[:MAX_NAME]
        assert is_name(changed) == (set(changed) <= set(ALLOWED))
