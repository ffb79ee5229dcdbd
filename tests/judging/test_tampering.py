"""Changes to an audit trail show, wherever they are made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import Allow, Deny, Enclave, tool
from doublevm.audit import ChainFault, digest, verify

if TYPE_CHECKING:
    from doublevm import AuditRecord

PROGRAM = """
notes.add(text='a')
try:
    call_tool('nobody', {'b': (1, 2)})
except PermissionError:
    pass
notes.add(text='c')
"""


@pytest.fixture(scope="module")
def trail() -> tuple[AuditRecord, ...]:
    @tool(name="notes:add")
    def add(text: str) -> str:
        return text

    with Enclave(tools=[add], engine="monty") as enclave:
        enclave.run(PROGRAM)
        enclave.run(PROGRAM)
        return enclave.history


def test_untouched(trail: tuple[AuditRecord, ...]) -> None:
    assert len(trail) == 6
    assert verify(trail) is None
    assert verify(trail, last_hash=trail[-1].hash) is None
    assert verify(trail[2:5]) is None  # a part of it, from anywhere
    assert verify(()) is None


CHANGES: dict[str, Any] = {
    "run": 9,
    "timestamp": 1.0,
    "operation": "notes:read",
    "arguments": {"text": "z"},
    "verdict": Deny("names", "blocked", "its name is blocked"),
    "outcome": "abandoned",
    "duration": 0.5,
    "previous_hash": "f" * 64,
    "hash": "f" * 64,
}


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("field", CHANGES)
def test_a_changed_field(trail: tuple[AuditRecord, ...], field: str, place: int) -> None:
    changed = replace(trail[place], **{field: CHANGES[field]})
    assert verify((*trail[:place], changed, *trail[place + 1 :])) == ChainFault(
        place + 1, "it was changed"
    )


def test_a_denial_that_becomes_allowed_or_gets_another_reason(
    trail: tuple[AuditRecord, ...],
) -> None:
    denial = trail[1].verdict
    assert isinstance(denial, Deny)
    others = (
        Allow(),
        Deny("x", denial.rule, denial.reason),
        Deny(denial.barrier, "x", denial.reason),
        Deny(denial.barrier, denial.rule, "x"),
    )
    for verdict in others:
        fault = verify((trail[0], replace(trail[1], verdict=verdict), *trail[2:]))
        assert fault == ChainFault(2, "it was changed")


@pytest.mark.parametrize("args", [{"b": [1, 2]}, {"b": (1, 2.0)}, {"b": (1, 2), "c": None}, {}])
def test_arguments_that_only_look_alike(trail: tuple[AuditRecord, ...], args: Any) -> None:
    changed = replace(trail[1], arguments=args)
    assert verify((trail[0], changed, *trail[2:])) == ChainFault(2, "it was changed")


@pytest.mark.parametrize("place", range(5))
def test_a_removed_record(trail: tuple[AuditRecord, ...], place: int) -> None:
    fault = verify((*trail[:place], *trail[place + 1 :]), last_hash=trail[-1].hash)
    if place == 0:  # what is left is a whole part; who needs the first one asks for number 1
        assert fault is None
    else:
        assert fault == ChainFault(place + 1, f"record {place + 2} stands in its place")


def test_records_removed_at_the_end(trail: tuple[AuditRecord, ...]) -> None:
    assert verify(trail[:-1]) is None
    fault = verify(trail[:-1], last_hash=trail[-1].hash)
    assert fault == ChainFault(6, "records are missing at the end")


@pytest.mark.parametrize("place", range(5))
def test_two_records_exchanged(trail: tuple[AuditRecord, ...], place: int) -> None:
    records = list(trail)
    records[place], records[place + 1] = records[place + 1], records[place]
    assert verify(records) is not None


def test_a_record_twice(trail: tuple[AuditRecord, ...]) -> None:
    assert verify((*trail[:2], trail[1], *trail[2:])) is not None


def test_a_record_that_was_changed_and_sealed_anew(trail: tuple[AuditRecord, ...]) -> None:
    forged = replace(trail[2], operation="notes:drop")
    forged = replace(forged, hash=digest(forged))
    fault = verify((*trail[:2], forged, *trail[3:]))
    assert fault == ChainFault(4, "it does not follow the record before it")


def test_a_first_record_that_pretends_there_was_nothing_before(
    trail: tuple[AuditRecord, ...],
) -> None:
    forged = replace(trail[3], number=1)
    forged = replace(forged, hash=digest(forged))
    assert verify((forged,)) == ChainFault(1, "it does not follow the record before it")
