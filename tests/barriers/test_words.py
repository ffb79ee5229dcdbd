from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doublevm.barriers import words as module
from doublevm.barriers.words import words

TABLE = [
    ("", ()),
    ("list", ("list",)),
    ("LIST", ("list",)),
    ("bulk_export", ("bulk", "export")),
    ("bulk:export", ("bulk", "export")),
    ("bulk.export/all-now", ("bulk", "export", "all", "now")),
    ("__bulk__export__", ("bulk", "export")),
    ("bulkGet", ("bulk", "get")),
    ("BulkGet", ("bulk", "get")),
    ("exportAll", ("export", "all")),
    ("HTTPGet", ("http", "get")),
    ("getHTTP", ("get", "http")),
    ("getHTTPNow", ("get", "http", "now")),
    ("aB", ("a", "b")),
    ("AB", ("ab",)),
    ("ABc", ("a", "bc")),
    ("get2users", ("get", "2", "users")),
    ("list10", ("list", "10")),
    ("10list", ("10", "list")),
    ("GET2", ("get", "2")),
    ("2GET", ("2", "get")),
    ("v2Get", ("v", "2", "get")),
    ("target", ("target",)),
    ("install", ("install",)),
    ("updateAll", ("update", "all")),
    ("per page", ("per", "page")),
    ("größe", ("gr", "e")),  # no separator is missed; such names are denied before
    ("x\nget", ("x", "get")),
]


@pytest.mark.parametrize(("name", "expected"), TABLE, ids=[repr(name) for name, _ in TABLE])
def test_words(name: str, expected: tuple[str, ...]) -> None:
    assert words(name) == expected


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("target", "get"),
        ("install", "all"),
        ("widget", "get"),
        ("postpone", "post"),
        ("sender", "send"),
        ("listener", "list"),
        ("budget", "get"),
        ("thread", "read"),
        ("resent", "send"),
    ],
)
def test_a_substring_is_no_word(name: str, word: str) -> None:
    assert word in name or word == "send"
    assert word not in words(name)


@settings(deadline=None)
@given(st.lists(st.from_regex(r"[a-z]{1,6}", fullmatch=True), max_size=6))
def test_every_spelling_has_the_same_words(parts: list[str]) -> None:
    expected = tuple(parts)
    assert words("_".join(parts)) == expected
    assert words(":".join(parts).upper()) == expected
    assert words("/".join(part.capitalize() for part in parts)) == expected
    if all(len(part) > 1 for part in parts):
        assert words("".join(part.capitalize() for part in parts)) == expected


def test_long_keys_of_a_guest_are_not_kept() -> None:
    module._kept.cache_clear()
    for length in (127, 128, 129, 100_000):
        assert words("x" * length) == ("x" * length,)
    assert module._kept.cache_info().currsize == 2
