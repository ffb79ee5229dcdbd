from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from doublevm.barriers import bulk as module
from doublevm.barriers.bulk import (
    LIMIT_NAMES,
    NO_LIMIT_FLAGS,
    asks_for_everything,
    is_limit,
    is_no_limit_flag,
)
from doublevm.shapes import brief
from tests.barriers.cases import Denial, Harmless, Step, Table
from tests.barriers.sequences import OFF, only

ID = "BULK_OPERATION"
BULK = f"sequence/{ID}"
ON = only(ID)


def named(name: str, twin: str) -> Denial:
    return Denial(id=name, on=ON, steps=[Step(name, expect=BULK)], off=OFF, twin=[Step(twin)])


def asking(id_: str, args: dict[str, Any], twin: dict[str, Any]) -> Denial:
    steps = [Step("users:show", args, expect=BULK)]
    return Denial(id=id_, on=ON, steps=steps, off=OFF, twin=[Step("users:show", twin)])


def limits(value: Any, twin: Any) -> Denial:
    return asking(f"limit={brief(value, 20)}", {"limit": value}, {"limit": twin})


NAMES = [
    # bulk, and its harmless neighbour
    ("bulk_export", "bulky_export"),
    ("bulkGet", "hulkGet"),
    ("users:bulk", "users:bulkhead"),
    ("BULK", "BULKY"),
    ("batch:run", "batches:run"),
    ("users.batchUpdate", "users.batchedUpdate"),
    ("mass-mail", "massive-mail"),
    ("dump", "dumpling"),
    ("db/dump2", "db/dumper"),
    ("exportAll", "exportSmall"),
    ("export_all", "export_wall"),
    ("users:export:all", "users:export:tall"),
    ("EXPORT_ALL_NOW", "EXPORT_NOW_ALL"),
]

NOT_BULK = "install updateAll setAll target all getAll listAll allExport export all_export call"


FINE: list[tuple[str, dict[str, Any]]] = [
    ("credit-limit", {"credit_limit": 5000}),
    ("speed-limit", {"speedLimit": 5000}),
    ("top-score", {"top_score": 5000}),
    ("takeover", {"takeover": 5000}),
    ("first-name", {"first_name": "all"}),
    ("limited", {"limited": 5000}),
    ("amount", {"amount": 1_000_000}),
    ("year", {"year": 2024, "id": -1}),
    ("offset", {"offset": 5000, "page": 1000}),
    ("prose", {"text": "limit=5000, no limit, unlimited, all of them: SELECT * FROM t"}),
    ("limit-as-prose", {"limit": "all of the 5000 in the list"}),
    ("flag-as-text", {"unlimited": "True", "all": "yes"}),
    ("flag-of-another-word", {"install": True, "recall": True, "include_tall": True}),
    ("overall", {"overall": True, "all_day": True}),
    ("nothing", {"limit": None}),
    ("true-is-no-number", {"limit": True}),
    ("no-arguments", {}),
    ("bytes", {"limit": b"5000", "x": b"*"}),
]


class TestNames(Table):
    denials = tuple(named(*row) for row in NAMES)
    harmless = tuple(Harmless(name, [Step(name)], ON) for name in NOT_BULK.split(" "))


class TestArguments(Table):
    denials = (
        *(asking(f"name-{name}", {name: 1000}, {name: 999}) for name in
          ("limit", "LIMIT", "_limit_", "top", "take", "first", "pageSize", "page_size", "perPage",
           "max-results", "user_query_limit", "fetchSize", "myMaxRows")),
        *(asking("-".join(words), {"_".join(words): 1000}, {"_".join(words): 999})
          for words in sorted(LIMIT_NAMES)),
        *(asking(f"flag-{'-'.join(words)}", {"_".join(words): True}, {"_".join(words): False})
          for words in sorted(NO_LIMIT_FLAGS)),
        asking("flag-is-1", {"no_limit": True}, {"no_limit": 1}),
        limits(1000, 999),
        limits(10**5000, -(10**5000)),
        limits(1000.0, 999.5),
        limits(math.inf, math.nan),
        limits(-math.inf, -5.0),
        limits(-1, -2),
        limits(-1.0, 1.0),
        limits(Decimal(1000), Decimal("999.9")),
        limits(Decimal("Infinity"), Decimal("NaN")),
        limits(Decimal(-1), Decimal("sNaN")),
        limits("1000", "999"),
        limits(" 1000 ", " 999 "),
        limits("1,000", "0,999"),
        limits("1_000", "0_999"),
        limits("+1000", "+999"),
        limits("0" * 30 + "1000", "0" * 30 + "999"),
        limits("9" * 5000, "-" + "9" * 5000),
        limits("\uff11\uff10\uff10\uff10", "\uff19\uff19\uff19"),
        limits("-1", "-2"),
        limits("all", "some"),
        limits(" ALL ", "wall"),
        limits("unlimited", "limited"),
        limits("none", "one"),
        limits("Infinity", "finite"),
        limits("inf", ""),
        limits("max", "--5"),
        asking("star", {"fields": "*"}, {"fields": "* all *"}),
        asking("star-with-blanks", {"id": " *\n"}, {"id": "**"}),
        asking("star-in-a-list", {"ids": ["a", "*"]}, {"ids": ["a", "b*"]}),
        asking("star-in-a-tuple", {"ids": ("*",)}, {"ids": ("x",)}),
        asking("star-in-a-set", {"ids": {"*"}}, {"ids": {"x"}}),
        asking("star-in-a-frozenset", {"ids": frozenset("*")}, {"ids": frozenset("x")}),
        asking("nested", {"query": {"page": {"limit": 5000}}}, {"query": {"page": {"limit": 5}}}),
        asking("nested-in-a-list", {"queries": [{"limit": 1}, {"limit": 5000}]}, {"queries": [{}]}),
        asking("limit-is-a-list", {"limit": [1, 5000]}, {"limit": [1, 5]}),
        asking("limit-is-a-dict", {"limit": {"top": 5000}}, {"limit": {"users": 5000}}),
        asking("keys-that-are-no-text", {"q": {1: "*", 10**5000: 1}}, {"q": {1: 1}}),
    )  # fmt: skip
    harmless = tuple(Harmless(name, [Step("notes:add", args)], ON) for name, args in FINE)


@pytest.mark.parametrize(
    ("args", "found"),
    [
        ({"limit": 5000}, "limit=5000"),
        ({"a": 1, "b": {"pageSize": "all"}}, "pageSize='all'"),
        ({"where": " * "}, "where='*'"),
        ({"all": True}, "all=True"),
        ({"q": {5: "*"}}, "5='*'"),
        ({"x" * 50: "*"}, "x" * 40 + "='*'"),
        ({"limit": 10**5000}, "limit=<int>"),
        ({"limit": "9" * 100}, "limit='" + "9" * 39),
        pytest.param({"q": {"\ud800": "*"}}, "\\ud800='*'", id="surrogate"),
        ({"first": {"top": 5000}, "limit": 5000}, "top=5000"),
        ({"a": {"limit": 1000}, "b": "*"}, "limit=1000"),
        ({"a": {"x": "*", "y": "*"}}, "x='*'"),
        ({"a": {"x": 1}, "b": "*"}, "b='*'"),
        ({"a": [1], "b": "*"}, "b='*'"),
        ({"a": [], "b": {}, "c": "*"}, "c='*'"),
    ],
)
def test_what_is_found_first_is_shown(args: dict[str, Any], found: str) -> None:
    assert asks_for_everything(args) == found


def test_long_keys_of_a_guest_are_not_kept() -> None:
    module._kept_role.cache_clear()
    for length in (127, 128, 129, 100_000):
        assert asks_for_everything({"q": {"x" * length: 1}}) is None
    assert module._kept_role.cache_info().currsize == 2


def test_the_reason_says_what_it_is() -> None:
    from doublevm.barriers.sequence import BulkOperation
    from doublevm.operation import Operation

    pattern = BulkOperation()
    by_name = pattern.detect(Operation("bulk:get", {}), 0.0)
    assert by_name == "its name says that it works on many things at once"
    by_args = pattern.detect(Operation("users:list", {"limit": 1000}), 0.0)
    assert by_args == "limit=1000 asks for very much at once"
    assert pattern.detect(Operation("users:list", {"limit": 10}), 0.0) is None


@pytest.mark.parametrize(
    ("name", "limits", "lifts"),
    [
        ("limit", True, False),
        ("maxResults", True, False),
        ("speed_limit", False, False),
        ("no_limit", False, True),
        ("team", False, False),
        ("", False, False),
    ],
)
def test_what_a_name_says_to_others_that_ask(name: str, limits: bool, lifts: bool) -> None:  # noqa: FBT001
    assert (is_limit(name), is_no_limit_flag(name)) == (limits, lifts)
