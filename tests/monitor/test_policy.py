"""The settings: what is wrong is found at construction, and the message names the field."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from doublevm.errors import ConfigError
from doublevm.host.policy import validation_frame
from doublevm.limits import MAX_TIMEOUT
from doublevm.parent.policy import validation_of
from doublevm.policy import MOST, DoubleVM, ParentValidation, SuspiciousPattern
from doublevm.shapes import brief
from doublevm.wire.frames import Validation, encode_frame, frame_decoder

HUGE = 10**5000
NAN, INF = float("nan"), float("inf")

BAD_BOOLS: list[Any] = [None, 0, 1, "yes", ""]
BAD_COUNTS: list[Any] = [None, -1, 1.0, "10", True, False, MOST + 1, HUGE, -HUGE]
BAD_SECONDS: list[Any] = [None, 0, 0.0, -1.0, "1", True, NAN, INF, -INF, HUGE, -HUGE]
BAD_LISTS: list[Any] = [None, 1, "text", b"bytes", True]
BAD_EXPRESSIONS: list[Any] = [
    *("(", "[a", "a{2,1}", "a{99999999999}", "(" * 9999 + ")" * 9999, "\ud800"),
    *(b"a", re.compile(b"a"), 1, ["a"]),
]

BAD_VALIDATIONS: list[Any] = [None, {}, True, ParentValidation]

WRONG: dict[str, list[Any]] = {
    "enforce": BAD_BOOLS,
    "validate_operation_names": BAD_BOOLS,
    "allowed_operation_pattern": BAD_EXPRESSIONS,
    "blocked_operation_patterns": [*BAD_LISTS, [None], *([bad] for bad in BAD_EXPRESSIONS)],
    "max_operations_per_second": [0, *BAD_COUNTS],
    "on_rate_limit": [None, "", "DENY", "drop", 1, [], ("deny",)],
    "block_suspicious_sequences": BAD_BOOLS,
    "suspicious_patterns": [*BAD_LISTS, [None], [lambda *_: False], ["EXFIL_LIST_SEND"]],
    "disabled_patterns": [*BAD_LISTS, ["NONE"], ["exfil_list_send"], [None], [["BULK_OPERATION"]]],
    "unenforced_patterns": [*BAD_LISTS, ["NONE"], [None], [["BULK_OPERATION"]]],
    "sequence_window": BAD_SECONDS,
    "rapid_enumeration_threshold": BAD_COUNTS,
    "rapid_enumeration_window": BAD_SECONDS,
    "rapid_enumeration_overrides": [
        *BAD_LISTS,
        [("a", 1)],
        {1: 1},
        {"no name": 1},
        {"": 1},
        {"\ud800": 1},
        *({"a": bad} for bad in BAD_COUNTS),
    ],
}

RIGHT: dict[str, list[Any]] = {
    "enforce": [True, False],
    "validate_operation_names": [True, False],
    "allowed_operation_pattern": [None, "", "a|b", re.compile("a", re.IGNORECASE)],
    "blocked_operation_patterns": [[], (), ["a", re.compile("b")], {"a"}, iter(["a"])],
    "max_operations_per_second": [1, MOST],
    "on_rate_limit": ["deny", "wait"],
    "block_suspicious_sequences": [True, False],
    "suspicious_patterns": [[], ()],
    "disabled_patterns": [["BULK_OPERATION"], ("EXFIL_LIST_SEND", "EXFIL_LIST_SEND")],
    "unenforced_patterns": [["BULK_OPERATION"], ("EXFIL_LIST_SEND", "EXFIL_LIST_SEND")],
    "sequence_window": [1, 0.001, 1e9],
    "rapid_enumeration_threshold": [0, MOST],
    "rapid_enumeration_window": [1, 0.001],
    "rapid_enumeration_overrides": [{}, {"a": 0}, {"users:list": MOST}],
}

MUST_BE: dict[str, str] = {
    "enforce": "True or False",
    "validate_operation_names": "True or False",
    "allowed_operation_pattern": "a regular expression",
    "blocked_operation_patterns": "a list or tuple|a regular expression",
    "max_operations_per_second": "an int of 1 to 1,000,000,000,",
    "on_rate_limit": "'deny' or 'wait',",
    "block_suspicious_sequences": "True or False,",
    "suspicious_patterns": "a list or tuple,|a list of SuspiciousPattern",
    "disabled_patterns": "a list or tuple,|ids out of EXFIL_LIST_SEND, ",
    "unenforced_patterns": "a list or tuple,|ids out of EXFIL_LIST_SEND, ",
    "sequence_window": "(more than 0 )?seconds,",
    "rapid_enumeration_threshold": "an int of 0 to 1,000,000,000,",
    "rapid_enumeration_window": "(more than 0 )?seconds,",
    "rapid_enumeration_overrides": "a dict (of|with) names|an int of 0 to 1,000,000,000,",
}

CASES = [(field, value) for field, values in WRONG.items() for value in values]


def test_every_field_is_in_the_tables() -> None:
    fields = [field.name for field in dataclasses.fields(ParentValidation)]
    assert list(WRONG) == list(RIGHT) == list(MUST_BE) == fields


def quoted(value: Any) -> tuple[str, ...]:
    """Return how a message may end: with a value, or an item, key or value that is in it."""
    inner = [*value, *value.values()] if isinstance(value, dict) else []
    inner += value if isinstance(value, list) else []
    return tuple(f", not {brief(each, 80)}" for each in (value, *inner))


@pytest.mark.parametrize(
    ("field", "value"), CASES, ids=[f"{field}-{brief(value, 20)}" for field, value in CASES]
)
def test_a_wrong_value_is_refused(field: str, value: Any) -> None:
    if field == "allowed_operation_pattern":
        assert value is not None
    with pytest.raises(ConfigError) as caught:
        ParentValidation(**{field: value})
    said, place = str(caught.value), r"(\[0\]|\['a'\])?"
    assert re.match(rf"parent_validation\.{field}{place} must be ({MUST_BE[field]})", said)
    assert said.endswith(quoted(value))
    assert len(said) < 300


LONG = "x" * 200
LONGER_THAN_SHOWN: list[tuple[type, str, Any, str]] = [
    (ParentValidation, "on_rate_limit", LONG, brief(LONG, 80)),
    (ParentValidation, "sequence_window", LONG, brief(LONG)),
    (DoubleVM, "enabled", LONG, brief(LONG)),
    (DoubleVM, "parent_timeout_buffer", 10**100, brief(10**100)),
    (DoubleVM, "parent_validation", LONG, brief(LONG, 80)),
]


@pytest.mark.parametrize(
    ("settings", "field", "value", "shown"),
    LONGER_THAN_SHOWN,
    ids=[field for _, field, _, _ in LONGER_THAN_SHOWN],
)
def test_a_long_value_is_cut(settings: type, field: str, value: Any, shown: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(**{field: value})
    assert str(caught.value).endswith(f", not {shown}")


def test_the_place_in_a_list_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^parent_validation\.blocked_operation_patterns\[1\]"):
        ParentValidation(blocked_operation_patterns=("a", "("))


@pytest.mark.parametrize("field", RIGHT)
def test_right_values_are_taken(field: str) -> None:
    for value in RIGHT[field]:
        ParentValidation(**{field: value})


def test_the_defaults() -> None:
    made = ParentValidation()
    values = {field.name: getattr(made, field.name) for field in dataclasses.fields(made)}
    assert values == {
        "enforce": True,
        "validate_operation_names": True,
        "allowed_operation_pattern": None,
        "blocked_operation_patterns": (),
        "max_operations_per_second": 100,
        "on_rate_limit": "deny",
        "block_suspicious_sequences": True,
        "suspicious_patterns": (),
        "disabled_patterns": (),
        "unenforced_patterns": (),
        "sequence_window": 60.0,
        "rapid_enumeration_threshold": 10,
        "rapid_enumeration_window": 5.0,
        "rapid_enumeration_overrides": {},
    }
    assert DoubleVM() == DoubleVM(
        enabled=True, parent_timeout_buffer=1.0, parent_validation=ParentValidation()
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("enabled", bad) for bad in BAD_BOOLS),
        *(("parent_timeout_buffer", bad) for bad in BAD_SECONDS),
        *(("parent_validation", bad) for bad in BAD_VALIDATIONS),
    ],
    ids=lambda value: brief(value, 20),
)
def test_the_double_vm_refuses_wrong_values(field: str, value: Any) -> None:
    right = {
        "enabled": r"True or False",
        "parent_timeout_buffer": r"(more than 0 and at most 86400 )?seconds",
        "parent_validation": r"ParentValidation\(\.\.\.\)",
    }
    said = rf"double_vm\.{field} must be {right[field]}, not {re.escape(brief(value, 80))}"
    with pytest.raises(ConfigError, match=rf"^{said}$"):
        DoubleVM(**{field: value})


def test_the_longest_buffer() -> None:
    assert DoubleVM(parent_timeout_buffer=MAX_TIMEOUT).parent_timeout_buffer == MAX_TIMEOUT
    with pytest.raises(ConfigError, match=r"more than 0 and at most 86400 seconds, not 86400\.5$"):
        DoubleVM(parent_timeout_buffer=MAX_TIMEOUT + 0.5)


def pattern(**changes: Any) -> SuspiciousPattern:
    made = {"id": "MINE", "description": "odd", "detect": lambda *_: False, **changes}
    return SuspiciousPattern(**made)


@pytest.mark.parametrize("made", [ParentValidation(), DoubleVM(), pattern()])
def test_they_are_frozen(made: Any) -> None:
    for field in dataclasses.fields(made):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, field.name, getattr(made, field.name))
        with pytest.raises(TypeError):
            type(made)(getattr(made, field.name))
    assert not hasattr(made, "__dict__")


def test_collections_are_taken_over_not_shared() -> None:
    blocked, overrides = ["a"], {"users:list": 1}
    made = ParentValidation(
        blocked_operation_patterns=blocked,  # type: ignore[arg-type]  # a list will do
        rapid_enumeration_overrides=overrides,
    )
    blocked.append("b")
    overrides["users:list"] = 99
    assert made.blocked_operation_patterns == (re.compile("a"),)
    assert made.rapid_enumeration_overrides == {"users:list": 1}
    with pytest.raises(TypeError):
        made.rapid_enumeration_overrides["users:list"] = 99  # type: ignore[index]  # what is tested


def test_the_way_to_the_parent_vm_changes_nothing() -> None:
    made = ParentValidation(
        enforce=False,
        validate_operation_names=False,
        allowed_operation_pattern=re.compile("a # b", re.IGNORECASE | re.VERBOSE),
        blocked_operation_patterns=("x", re.compile("y", re.DOTALL)),
        max_operations_per_second=7,
        on_rate_limit="wait",
        suspicious_patterns=(pattern(description="mine", detect=max, enforce=False),),
        disabled_patterns=("BULK_OPERATION",),
        unenforced_patterns=("EXFIL_LIST_SEND",),
        sequence_window=7,
        rapid_enumeration_threshold=3,
        rapid_enumeration_window=2.5,
        rapid_enumeration_overrides={"a": 0},
    )
    sent = encode_frame(validation_frame(made))
    assert validation_of(frame_decoder(Validation)(sent)) == made


def test_functions_too_large_to_send_are_refused() -> None:
    large = "x" * 600_000
    made = [pattern(id=f"P{i}", detect=lambda *_, i=i: large[i] == "y") for i in range(2)]
    validation_frame(ParentValidation(suspicious_patterns=tuple(made[:1])))
    with pytest.raises(ConfigError, match=r"^parent_validation.suspicious_patterns: their func"):
        validation_frame(ParentValidation(suspicious_patterns=tuple(made)))


def test_patterns_that_are_off_are_not_sent() -> None:
    made = ParentValidation(suspicious_patterns=(pattern(),), block_suspicious_sequences=False)
    assert validation_frame(made).suspicious_patterns == ()
