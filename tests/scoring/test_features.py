from __future__ import annotations

import ast

import pytest

from doublevm.guard.scoring import ledger
from doublevm.guard.scoring.ledger import TooMuchError
from doublevm.score import MOST_ARGUMENTS, MOST_CALLS, MOST_FIELDS, Argument, FieldRead, ToolCall
from tests.scoring.programs import features_of


def test_features_of_a_program() -> None:
    found = features_of("é = users.list('*', limit=5)\nmail.send(text=é[0].name, urgent=None)")
    star = Argument("query", "text", "*", 1, 16)
    five = Argument("limit", "number", 5, 1, 27)
    text = Argument("text", "unknown", None, 2, 16)
    urgent = Argument("urgent", "none", None, 2, 34)
    assert found.calls == (
        ToolCall("users:list", 1, 5, looped=False, arguments=(star, five), sources=()),
        ToolCall("mail:send", 2, 1, looped=False, arguments=(text, urgent), sources=(0,)),
    )
    assert found.fields == (FieldRead("name", 2, 16),)


def test_a_program_without_tools_has_no_features() -> None:
    found = features_of("import os\nx = [i for i in range(3)]\nprint(x[0].name)")
    assert not found.calls
    assert not found.fields


@pytest.mark.parametrize(
    ("argument", "kind", "value"),
    [
        ("'a'", "text", "a"),
        ("1", "number", 1),
        ("1.5", "number", 1.5),
        ("2 ** 60", "number", 2.0**60),
        ("10 ** 310", "number", 1e300),
        ("-1e999", "number", -1e300),
        ("True", "flag", True),
        ("None", "none", None),
        ("''", "empty", None),
        ("[]", "empty", None),
        ("b'x'", "unknown", None),
        ("x", "unknown", None),
        ("'a' + x + 'b'", "text", "a{}b"),
        ("x + y", "unknown", None),
        ("x + 1", "unknown", None),
        ("1 + (x + 'b')", "text", "{}{}b"),
        ("f'{1}{x}b'", "text", "{}{}b"),
        ("'a' * 100000000", "unknown", None),
        ("-'a'", "unknown", None),
        ("+1", "number", 1),
        ("~1", "unknown", None),
        ("-True", "unknown", None),
        ("True + 1", "unknown", None),
        ("float('1')", "unknown", None),
    ],
)
def test_arguments(argument: str, kind: str, value: object) -> None:
    (call,) = features_of(f"users.list({argument})").calls
    assert [(each.kind, each.value) for each in call.arguments] == [(kind, value)]


def test_a_text_that_grows_and_grows_is_not_followed() -> None:
    (call,) = features_of("x = 'a' * 2\n" + "x = x + x\n" * 30 + "x = 'a'\nusers.list(x)").calls
    assert call.arguments[0].value == "a"
    doubled = "x = '" + "a" * 1000 + "'\n" + "x = x + x\n" * 30
    (call,) = features_of(doubled + "users.list(x)").calls
    assert call.arguments[0].kind == "unknown"


def test_a_list_that_holds_itself_is_not_followed_for_ever() -> None:
    (call,) = features_of("x = [1]\nx = [x, x]\nusers.list(x)").calls
    assert [each.kind for each in call.arguments] == ["unknown", "unknown"]


def test_names_are_not_known_where_branches_differ() -> None:
    branches = "if y:\n    x = {a}\nelse:\n    x = {b}\nusers.list(x)"
    kinds = [
        features_of(branches.format(a=a, b=b)).calls[0].arguments[0].kind
        for a, b in [("1", "1"), ("1", "2"), ("1", "True"), ("'a'", "1")]
    ]
    assert kinds == ["number", "unknown", "unknown", "unknown"]


def test_a_tool_by_another_name_in_one_branch_only_is_not_followed() -> None:
    assert not features_of("if y:\n    f = users.list\nelse:\n    f = print\nf()").calls
    assert features_of("f = users.list\nif y:\n    f = users.list\nf()").calls


@pytest.mark.parametrize(
    "program",
    [
        "users.get(1)\n" * (MOST_CALLS + 1),
        f"users.get({list(range(MOST_ARGUMENTS + 1))})",
        "x = users.get(1)\n" + "x.a\n" * (MOST_FIELDS + 1),
    ],
    ids=["calls", "arguments", "fields"],
)
def test_a_program_that_is_too_much_is_not_scored(program: str) -> None:
    with pytest.raises(TooMuchError, match="more than"):
        features_of(program)


def test_what_is_just_not_too_much_is_scored() -> None:
    assert len(features_of("users.get(1)\n" * MOST_CALLS).calls) == MOST_CALLS


def test_functions_are_counted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MOST_BITS", 3)
    assert features_of("def f(a, b): pass\nusers.get(1)").calls
    with pytest.raises(TooMuchError, match="functions"):
        features_of("def f(a, b, c): pass\nusers.get(1)")


def test_whatever_is_valid_is_read() -> None:
    """Every kind of statement and expression, with and without a tool's result in it."""
    program = """
@decorated
class A(B, metaclass=C):
    x: int
    y: int = 1
    @property
    async def f(self, a, /, b=1, *c, d, e=2, **g):
        global h
        h = a
        async for i in b:
            await i
        async with j as k, l:
            yield
        return
    def n(self):
        nonlocal_ = 1
        def o():
            nonlocal nonlocal_
            nonlocal_ = 2
        return o
del x[0], y
import a.b as c, d.e
from . import f as g
raise ValueError from None
assert x, y
try:
    pass
except (A, B) as e:
    raise
else:
    pass
finally:
    pass
while x:
    break
for x.a in y:
    continue
match x:
    case 1 | None | A(b=2) | [_, *_] | {"a": _}:
        pass
    case _:
        pass
lambda *a, **b: (yield)
x = (yield)
x[1:2, ...] = ~x if not x else {**x, "a": {1}}
print(*x, **y)
f"{x!r:{y}}"
(lambda: 1)()
f()()
x @= y
return 1
"""
    assert not features_of(program).calls
    assert features_of(program.replace("x", "users.list()[0]", 0) + "\nusers.list()").calls
    tree = ast.parse(program)
    assert len({type(node) for node in ast.walk(tree)}) > 60
