"""The hosts that are attacked: tools that look at what they are called with."""

from __future__ import annotations

import datetime as dt
import functools
import warnings
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict

from doublevm import DoubleVM, Limits, ParentValidation, SuspiciousPattern, tool
from doublevm.guard_options import LEVEL_GUARD
from doublevm.host.core import EnclaveCore
from doublevm.host.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from doublevm.host.settings import Settings

MISFITS: Final[list[str]] = []
"""What handlers were called with that does not fit their annotations."""

CALLS_PER_RUN, DENIALS_PER_RUN, OUTPUT_PER_RUN = 12, 6, 3000


class Person(TypedDict):
    """What a parameter takes."""

    name: str
    age: int


def _need(what: str, fits: bool, value: object) -> None:  # noqa: FBT001
    if not fits:
        MISFITS.append(f"{what} was called with a {type(value).__name__}")


def _echo(value: Any) -> Any:
    return value


def _add(a: int, b: int = 0, kind: Literal["fast", "slow"] = "fast") -> int:
    _need("add(a)", type(a) is int, a)
    _need("add(b)", type(b) is int, b)
    _need("add(kind)", kind in ("fast", "slow"), kind)
    return a + b


def _add_note(title: str, tags: list[str] | None = None, person: Person | None = None) -> str:
    _need("notes:add(title)", type(title) is str, title)
    texts = tags is None or (type(tags) is list and all(type(tag) is str for tag in tags))
    _need("notes:add(tags)", texts, tags)
    if person is not None:
        _need("notes:add(person)", person.keys() == {"name", "age"}, person)
        _need("notes:add(name)", type(person["name"]) is str, person["name"])
        _need("notes:add(age)", type(person["age"]) is int, person["age"])
    return title


def _pay(amount: Decimal, day: dt.date, rates: dict[str, float] | None = None) -> Decimal:
    _need("pay(amount)", type(amount) is Decimal, amount)
    _need("pay(day)", type(day) is dt.date, day)
    for name, rate in (rates or {}).items():
        _need("pay(rates)", type(name) is str and type(rate) in (int, float), rate)
    return amount


def _export(data: bytes) -> int:
    _need("files:export(data)", type(data) is bytes, data)
    return len(data)


def _list_users() -> list[int]:
    return [1, 2]


def _delete_user(user: int) -> None:
    _need("users:delete(user)", type(user) is int, user)
    raise KeyError(user)


def _any_name(name: str, args: dict[str, Any]) -> Any:
    _need("the handler of other names", type(name) is str and type(args) is dict, args)
    _need("the handler of other names", all(type(key) is str for key in args), args)
    return args


def _watches(name: str, args: dict[str, Any], history: list[Any]) -> bool:
    return "export" in name and len(args) > 1 and any("list" in entry.name for entry in history)


def _tools() -> list[Any]:
    named: dict[str, Callable[..., Any]] = {
        "echo": _echo,
        "add": _add,
        "notes:add": _add_note,
        "pay": _pay,
        "files:export": _export,
        "users:list": _list_users,
        "users:delete": _delete_user,
    }
    return [tool(name=name)(function) for name, function in named.items()]


PROFILES: Final = 3


@functools.cache
def _settings(profile: int) -> Settings:
    pattern = SuspiciousPattern(id="WATCHES", description="an export", detect=_watches)
    validation = ParentValidation(
        max_operations_per_second=5 if profile == 1 else 500,
        suspicious_patterns=(pattern,) if profile == 1 else (),
        rapid_enumeration_threshold=3 if profile == 1 else 1000,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one judges nothing, another takes every name
        return settings(
            tools=_tools(),
            tool_handler=_any_name if profile == 1 else None,
            security_level="PERMISSIVE",
            limits=Limits(
                timeout=60.0,
                max_tool_calls=CALLS_PER_RUN,
                max_denied=DENIALS_PER_RUN,
                max_output_bytes=OUTPUT_PER_RUN,
                max_prints=20,
            ),
            double_vm=DoubleVM(enabled=profile != 2, parent_validation=validation),
            engine="cpython",
            inputs=None,
            guard=LEVEL_GUARD,
            scoring_gate=None,
            gather_on_one_core=False,
            audit=None,
            policy=None,
        )


def new_core(profile: int) -> EnclaveCore:
    """Return an enclave that has not run yet. Profile 1 has more rules, 2 has the fewest."""
    return EnclaveCore(_settings(profile))
