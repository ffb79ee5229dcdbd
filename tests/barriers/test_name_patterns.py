"""The allow pattern and the block list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from doublevm.barriers.patience import TooSlowError
from doublevm.monitor import Monitor
from doublevm.policy import ParentValidation
from tests.barriers.cases import ALLOWED, Denial, Harmless, Setting, Step, Table, judge

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCKED, NOT_ALLOWED = "names/blocked", "names/not_allowed"


def setting(
    allow: str | re.Pattern[str] | None = None,
    *block: str | re.Pattern[str],
    validate: bool = True,
    **more: Any,
) -> Setting:
    options = {
        "allowed_operation_pattern": allow,
        "blocked_operation_patterns": block,
        "validate_operation_names": validate,
        **more,
    }
    return Setting(options=options)


def blocked(id_: str, on: Setting, name: str, twin: str) -> Denial:
    return Denial(
        id=id_,
        on=on,
        steps=[Step(name, expect=BLOCKED)],
        off={"blocked_operation_patterns": ()},
        twin=[Step(twin)],
    )


def not_allowed(id_: str, on: Setting, name: str, twin: str) -> Denial:
    return Denial(
        id=id_,
        on=on,
        steps=[Step(name, expect=NOT_ALLOWED)],
        off={"validate_operation_names": False},
        twin=[Step(twin)],
    )


SPECIFIED = setting(
    re.compile(r"^[a-z]+:[a-z]+$", re.IGNORECASE),
    re.compile(r"^admin:", re.IGNORECASE),
    re.compile(r"^system:", re.IGNORECASE),
    re.compile(r"delete", re.IGNORECASE),
)


class TestBlocked(Table):
    denials = (
        blocked("as-specified-prefix", SPECIFIED, "admin:list", "users:list"),
        blocked("as-specified-mixed-case", SPECIFIED, "AdMiN:list", "AdMi:list"),
        blocked("as-specified-second", SPECIFIED, "System:halt", "systems:halt"),
        blocked("as-specified-anywhere", SPECIFIED, "users:softDELETEnow", "users:delet"),
        blocked("whole-name", setting(None, "admin"), "admin", "adm"),
        blocked("at-the-start", setting(None, "admin"), "admin:x", "adm:x"),
        blocked("in-the-middle", setting(None, "admin"), "x:admin:y", "x:adm:y"),
        blocked("at-the-end", setting(None, "admin"), "x:admin", "x:adm"),
        blocked("anchored-start", setting(None, "^admin:"), "admin:x", "x:admin:y"),
        blocked("anchored-end", setting(None, ":drop$"), "db:drop", "db:drop:not"),
        blocked("the-second-of-two", setting(None, "aaa", "bbb"), "x:bbb", "x:bb"),
        blocked("inline-flag", setting(None, "(?i)admin"), "ADMIN", "ADM"),
        blocked("case-matters-without-flag", setting(None, "admin"), "admin", "ADMIN"),
        blocked("names-not-validated", setting(None, "admin", validate=False), "admin", "adm"),
        blocked("not-validated-but-allowed", setting("ok", "adm", validate=False), "adm", "any"),
        blocked("allowed-and-blocked", setting("[a-z:]+", "^a:"), "a:b", "b:a"),
        blocked(
            "sequences-off",
            setting(None, "admin", block_suspicious_sequences=False),
            "admin",
            "adm",
        ),
        blocked("verbose-flag", setting(None, re.compile("a d # x", re.VERBOSE)), "x:ad", "x:a"),
    )
    harmless = (
        Harmless("no-patterns", [Step("admin:delete")], setting()),
        Harmless("none-found", [Step("users:list")], SPECIFIED),
    )


class TestAllowed(Table):
    denials = (
        not_allowed("as-specified", SPECIFIED, "users:list:all", "users:list"),
        not_allowed("prefix-only", setting("safe"), "safe:read", "safe"),
        not_allowed("suffix-only", setting("read"), "safe:read", "read"),
        not_allowed("path", setting("safe:[a-z]+"), "safe:../../etc/passwd", "safe:passwd"),
        not_allowed("alternation", setting("safe|fine"), "safe:x", "fine"),
        not_allowed("unanchored-alternation", setting("a:b|c:d"), "a:bc:d", "c:d"),
        not_allowed("case-matters-without-flag", setting("safe"), "SAFE", "safe"),
        not_allowed("dollar", setting("safe$"), "safe:x", "safe"),
        not_allowed("lookahead", setting("(?!admin).*"), "admin:x", "x:admin"),
        not_allowed("shorter-alternative-first", setting("a|ab"), "abc", "ab"),
        not_allowed("digits-are-not-letters", setting("[a-z]+"), "a1", "al"),
    )
    harmless = (
        Harmless("no-pattern", [Step("any:thing")], setting()),
        Harmless("flags", [Step("SAFE:Read")], setting(re.compile("safe:read", re.IGNORECASE))),
        Harmless("not-validated", [Step("other")], setting("safe", validate=False)),
    )


@pytest.mark.parametrize("name", ["admin:list", "ADMIN:list", "x:delete", "users:list", "no/match"])
def test_a_pattern_has_no_memory(name: str) -> None:
    options = {**SPECIFIED.options, "block_suspicious_sequences": False}
    monitor = Setting(options=options).monitor()
    first = judge(monitor, Step(name, at=0.0))
    # One in ten seconds: neither the rate nor the budget objects.
    assert {judge(monitor, Step(name, at=10.0 * i)) for i in range(1, 1000)} == {first}


def test_patterns_in_turn_do_not_disturb_one_another() -> None:
    options = {**SPECIFIED.options, "block_suspicious_sequences": False}
    monitor = Setting(options=options).monitor()
    expected = {"admin:list": BLOCKED, "users:list": ALLOWED, "no/match": NOT_ALLOWED}
    for i in range(999):
        name = list(expected)[i % 3]
        assert judge(monitor, Step(name, at=10.0 * i)) == expected[name]


@pytest.mark.parametrize("asked", [False, True])
def test_only_patterns_need_a_timer(*, asked: bool) -> None:
    def patience(ask: Callable[[], object]) -> object:
        calls.append(ask)
        return ask()

    calls: list[object] = []
    validation = ParentValidation(blocked_operation_patterns=("admin",) if asked else ())
    monitor = Monitor((), validation, catch_all=True, patience=patience)
    monitor.begin_run(1)
    assert judge(monitor, Step("users:list")) == ALLOWED
    assert len(calls) == asked


@pytest.mark.parametrize(
    "setting",
    [{"blocked_operation_patterns": ["admin"]}, {"allowed_operation_pattern": "users:list"}],
    ids=["blocked", "allowed"],
)
def test_patterns_that_take_too_long_deny(setting: dict[str, Any]) -> None:
    def patience(ask: Callable[[], object]) -> object:
        raise TooSlowError

    monitor = Monitor((), ParentValidation(**setting), catch_all=True, patience=patience)
    monitor.begin_run(1)
    assert judge(monitor, Step("users:list")) == "names/too_slow"
