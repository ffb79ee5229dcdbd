"""Options that cannot be right: a ConfigError that names the option, before anything starts."""

from __future__ import annotations

import math
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import (
    AsyncEnclave,
    ConfigError,
    DoubleVM,
    Enclave,
    Guard,
    GuardRule,
    Limits,
    ParentValidation,
    tool,
)
from tests.support.procfs import descendants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BOTH = pytest.mark.parametrize("kind", [Enclave, AsyncEnclave])


@pytest.fixture(autouse=True)
def nothing_starts() -> Iterator[None]:
    before = descendants()
    yield
    assert descendants() == before


def plain() -> None:
    return None


def named(name: str) -> Any:
    return tool(name=name)(plain)


class _Unsendable:
    def __reduce__(self) -> str:
        raise TypeError("not me")


open_file = _Unsendable()


def with_file(_file: Any, source: str, tree: Any) -> tuple[()]:
    return ()


def thresholds(name: str) -> DoubleVM:
    overrides = {name: 50}
    return DoubleVM(parent_validation=ParentValidation(rapid_enumeration_overrides=overrides))


OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown level": (
        {"security_level": "HIGH"},
        "security_level must be one of STRICT, SECURE, STANDARD, PERMISSIVE, not 'HIGH'",
    ),
    "a level in lower case": ({"security_level": "strict"}, "not 'strict'"),
    "no level": ({"security_level": None}, "security_level must be one of"),
    "limits that are a dict": ({"limits": {"timeout": 1}}, "limits must be Limits(...), not"),
    "settings that are off": (
        {"double_vm": False},
        "double_vm must be DoubleVM(...), not False; write DoubleVM(enabled=False)",
    ),
    "settings that are a bool": ({"double_vm": True}, "double_vm must be DoubleVM(...), not True"),
    "settings of the parent VM alone": (
        {"double_vm": ParentValidation()},
        "; write DoubleVM(parent_validation=...)",
    ),
    "a threshold of a tool that is not there": (
        {"tools": [named("files:read")], "double_vm": thresholds("files.read")},
        "overrides: there is no tool 'files.read'; did you mean 'files:read'?",
    ),
    "a guard that is off": ({"guard": False}, "guard must be Guard(...) or None, not False"),
    "iterations on monty": (
        {"guard": Guard(max_iterations=5), "engine": "monty"},
        "guard.max_iterations: iterations are counted on the cpython engine, which may not be used",
    ),
    "iterations where auto means monty": (
        {"guard": Guard(max_iterations=5), "security_level": "STRICT"},
        "guard.max_iterations: iterations are counted on the cpython engine, which may not be used",
    ),
    "a rule that cannot be sent": (
        {"guard": Guard(rules=(GuardRule(id="OPEN", check=partial(with_file, open_file)),))},
        "guard rule 'OPEN': check uses argument 0 (_Unsendable), which cannot be sent",
    ),
    "rules that are too large": (
        {"guard": Guard(rules=(GuardRule(id="BIG", check=partial(with_file, bytes(2**20))),))},
        "guard.rules: their functions, with all they use, have 1,04",
    ),
    "an unknown engine": (
        {"engine": "javascript"},
        "engine must be one of 'auto', 'monty', 'cpython' or CPython(...), not 'javascript'",
    ),
    "an engine that is none": ({"engine": None}, "engine must be one of"),
    "several engines": ({"engine": ["auto"]}, "engine must be one of"),
    "tools that are text": ({"tools": "search"}, "tools must be a list of functions, not 'search'"),
    "tools that are a dict": ({"tools": {"f": plain}}, "tools must be a list of functions"),
    "tools that are one function": ({"tools": plain}, "tools must be a list of functions"),
    "no list of tools": ({"tools": None}, "tools must be a list of functions, not None"),
    "a tool that is text": ({"tools": ["search"]}, "tools must be functions, not 'search'"),
    "a tool that is None": ({"tools": [None]}, "tools must be functions, not None"),
    "two tools of one name": ({"tools": [plain, plain]}, "two tools named 'plain'"),
    "two tools, one name given": (
        {"tools": [plain, named("plain")]},
        "tools has two tools named 'plain'; rename one of them",
    ),
    "a tool and a namespace": (
        {"tools": [named("a"), named("a:b")]},
        "tools 'a' and 'a:b' cannot both be called by a guest: a would be two things",
    ),
    "one path of two names": ({"tools": [named("a.b"), named("a:b")]}, "a.b would be two things"),
    "a handler that is no function": ({"tool_handler": "f"}, "tool_handler must be a function"),
    "a handler without parameters": ({"tool_handler": plain}, "tool_handler must be a function"),
    "inputs that are a list": ({"inputs": [1]}, "inputs must be a dict of names and values"),
    "an input without a name": ({"inputs": {"": 1}}, "inputs: '' cannot be a variable's name"),
    "an input named by a number": ({"inputs": {1: 2}}, "inputs: 1 cannot be a variable's name"),
    "an input named in words": ({"inputs": {"a b": 1}}, "inputs: 'a b' cannot be"),
    "an input named by a keyword": ({"inputs": {"class": 1}}, "inputs: 'class' cannot be"),
    "an input named as Python's own": ({"inputs": {"__builtins__": 1}}, "inputs: '__builtins__'"),
    "an input named as a tool": (
        {"tools": [plain], "inputs": {"plain": 1}},
        "inputs: 'plain' is the name of a tool; choose another",
    ),
    "an input named as a namespace": (
        {"tools": [named("a:b")], "inputs": {"a": 1}},
        "inputs: 'a' is the name of a tool",
    ),
    "an input named call_tool": ({"inputs": {"call_tool": 1}}, "inputs: 'call_tool' is the name"),
    "an input that cannot cross": (
        {"inputs": {"x": [plain]}},
        "inputs['x'][0] is of type function",
    ),
}


@BOTH
@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_that_cannot_be_right(kind: Callable[..., Any], name: str) -> None:
    options, message = OPTIONS[name]
    with pytest.raises(ConfigError) as raised:
        kind(**options)
    assert isinstance(raised.value, ValueError)
    assert message in str(raised.value)


LIMITS: list[tuple[str, Any, str]] = [
    ("timeout", 0, "seconds between 0 and 86400, not 0"),
    ("timeout", -1, "not -1"),
    ("timeout", math.nan, "not nan"),
    ("timeout", math.inf, "not inf"),
    ("timeout", 10**9, "not 1000000000"),
    ("timeout", "5", "must be a number of seconds, not '5'"),
    ("timeout", True, "must be a number of seconds, not True"),
    ("memory", 0, "must be at least 8388608 bytes (8 MiB), not 0"),
    ("memory", -1, "not -1"),
    ("memory", 1.5e9, "must be an int, not 1500000000.0"),
    ("memory", 2**100, "must be at most"),
    ("memory", True, "must be an int, not True"),
    ("max_tool_calls", -1, "must be 0 or more, not -1"),
    ("max_tool_calls", 1.0, "must be an int, not 1.0"),
    ("max_tool_calls", math.nan, "must be an int, not nan"),
    ("max_tool_calls", 2**64, "must be at most"),
    ("max_output_bytes", "1MB", "must be an int, not '1MB'"),
    ("max_output_bytes", 2**64, "must be at most"),
    ("max_prints", -5, "must be 0 or more, not -5"),
    ("max_denied", False, "must be an int, not False"),
]


@pytest.mark.parametrize(("field", "value", "message"), LIMITS)
def test_a_limit_that_cannot_be_right(field: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Limits(**{field: value})
    assert str(raised.value).startswith(f"limits.{field} must be")
    assert message in str(raised.value)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "1", None, 10**12])
def test_a_buffer_that_cannot_be_right(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"double_vm\.parent_timeout_buffer must be"):
        DoubleVM(parent_timeout_buffer=value)


def handler(name: str, args: dict[str, Any]) -> None: ...


@BOTH
def test_a_threshold_without_a_tool(kind: Callable[..., Any]) -> None:
    far = thresholds("nothing/like/it")
    with pytest.raises(ConfigError, match=r"there is no tool 'nothing/like/it'$"):
        kind(tools=[plain], double_vm=far)
    with pytest.raises(ConfigError, match=r"there is no tool 'nothing/like/it'$"):
        kind(double_vm=far)
    # A handler for all names takes this one as well.
    kind(tools=[plain], double_vm=far, tool_handler=handler)
    kind(tools=[plain], double_vm=thresholds("plain"))


def allowing(pattern: str, **more: Any) -> DoubleVM:
    validation = ParentValidation(allowed_operation_pattern=pattern, **more)
    return DoubleVM(parent_validation=validation)


@BOTH
def test_an_allow_pattern_that_matches_no_tool(kind: Callable[..., Any]) -> None:
    with pytest.warns(UserWarning, match=r"allowed_operation_pattern matches no tool") as caught:
        kind(tools=[named("users:list"), plain], double_vm=allowing("users"))
    assert [warning.filename for warning in caught] == [__file__]


@BOTH
@pytest.mark.parametrize(
    "options",
    [
        {"double_vm": allowing("users:.*")},
        {"double_vm": allowing("users"), "tool_handler": handler},
        {"double_vm": allowing("users", validate_operation_names=False)},
        {"double_vm": allowing("users"), "tools": []},
        {"double_vm": DoubleVM()},
    ],
)
def test_no_warning(kind: Callable[..., Any], options: dict[str, Any]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        kind(**{"tools": [named("users:list"), plain], **options})
    assert not caught
