"""The grammar of names, and registration; patterns are in ``test_name_patterns``."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doublevm.barriers.names import MAX_NAME, is_name, judge_name
from doublevm.operation import ToolSpec
from tests.barriers.cases import Denial, Harmless, Setting, Step, Table

# Lets every text pass, so that only the grammar can object.
EVERYTHING = re.compile(r".*", re.DOTALL)
ANY_NAME = Setting(options={"allowed_operation_pattern": EVERYTHING})
ONE_TOOL = Setting(tools=(ToolSpec("users:list", ()),), catch_all=False)

BAD = {
    "empty": "",
    "final-newline": "safe:read\n",
    "first-newline": "\nsafe:read",
    "newline-within": "safe:read\nadmin:delete",
    "carriage-return": "safe:read\r",
    "nul-at-the-end": "safe:read\x00",
    "nul-within": "safe\x00:read",
    "tab": "safe:\tread",
    "space": "safe: read",
    "space-only": " ",
    "escape-sequence": "safe:\x1b[2Jread",
    "delete-character": "safe:read\x7f",
    "c1-control": "safe:\x9bread",
    "next-line": "safe:read\x85",
    "line-separator": "safe:read\u2028",
    "backslash-path": "safe\\..\\read",
    "percent-path": "safe%2Fread",
    "query": "safe:read?x=1",
    "fragment": "safe:read#x",
    "backticks": "safe:`id`",
    "shell": "safe:$(id)",
    "semicolon": "safe:read;admin:delete",
    "pipe": "safe|read",
    "quote": "safe:'read'",
    "double-quote": 'safe:"read"',
    "braces": "safe:{read}",
    "angle-brackets": "<safe:read>",
    "at": "safe@read",
    "comma": "safe,read",
    "plus": "safe+read",
    "star": "safe:*",
    "full-width": "\uff53\uff41\uff46\uff45:read",
    "full-width-colon": "safe\uff1aread",
    "full-width-slash": "safe\uff0fread",
    "cyrillic-a": "s\u0430fe:read",
    "greek-omicron": "g\u03bf:read",
    "long-s": "\u017fafe:read",  # lower() and IGNORECASE make an s of it
    "kelvin": "to\u212aen:read",  # and a k of this
    "dotless-i": "l\u0131st",
    "ligature": "\ufb01nd:user",
    "mathematical": "\U0001d42cafe:read",
    "roman-numeral": "safe:\u2164",
    "arabic-digit": "safe:\u0661",
    "superscript-digit": "safe:\u00b2",
    "accent": "saf\u00e9:read",
    "combining-accent": "safe\u0301:read",
    "zero-width-space": "safe\u200b:read",
    "zero-width-joiner": "safe\u200d:read",
    "soft-hyphen": "safe\u00ad:read",
    "word-joiner": "safe\u2060:read",
    "byte-order-mark": "\ufeffsafe:read",
    "non-breaking-space": "safe\u00a0:read",
    "right-to-left-override": "safe\u202e:daer",
    "isolate": "\u2066safe\u2069:read",
    "variation-selector": "safe\ufe0f:read",
    "tag-character": "safe:read\U000e0041",
    "emoji": "safe:\U0001f4e7",
    "lone-surrogate": "safe:\ud800",
    "hyphen-look-alike": "safe\u2010read",
    "too-long": "a" * (MAX_NAME + 1),
    "much-too-long": "a" * 100_000,
}

GOOD = ["a", "Z", "0", "_", "a.b", "users:list", "users/list", "a-b", "A_b.c:d/e-9", "a" * MAX_NAME]

UNREGISTERED = {
    "another-name": "users:delete",
    "longer": "users:lists",
    "shorter": "users:lis",
    "upper-case": "USERS:LIST",
    "another-separator": "users.list",
    "path-within-the-grammar": "users:list/../../admin",
    "dots": "..",
    "dunder": "__import__",
    "the-guest's-own-function": "call_tool",
}


class TestGrammar(Table):
    denials = tuple(
        Denial(
            id=name,
            on=ANY_NAME,
            steps=[Step(text, expect="names/grammar")],
            without={"judge_name": lambda *_args, **_kwargs: None},
            twin=[Step("safe:read")],
        )
        for name, text in BAD.items()
    )
    harmless = tuple(Harmless(name[:20], [Step(name)], ANY_NAME) for name in GOOD)


class TestRegistration(Table):
    denials = tuple(
        Denial(
            id=name,
            on=ONE_TOOL,
            steps=[Step(text, expect="names/unregistered")],
            off={"catch_all": True},
            twin=[Step("users:list")],
        )
        for name, text in UNREGISTERED.items()
    )
    harmless = (Harmless("registered", [Step("users:list")] * 3, ONE_TOOL),)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_only_these_characters_and_lengths(text: str) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    good = set(letters + letters.upper() + "0123456789_.:/-")
    assert is_name(text) == (0 < len(text) <= 128 and set(text) <= good)


@pytest.mark.parametrize("catch_all", [True, False])
def test_the_grammar_holds_for_registered_names_too(*, catch_all: bool) -> None:
    denial = judge_name("a b", {"a b"}, catch_all=catch_all)
    assert denial is not None
    assert denial.address == "names/grammar"
    assert denial.reason == "a name has 1 to 128 of the characters A-Z a-z 0-9 _ . : / -"


def test_an_unknown_tool_is_called_one() -> None:
    denial = judge_name("a", {"b"}, catch_all=False)
    assert denial is not None
    assert denial.message("a") == "a denied: there is no such tool [names/unregistered]"
