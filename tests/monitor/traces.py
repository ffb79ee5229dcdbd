"""Random traces: what a guest might attempt, when, and under which policy.

All times are multiples of 1/64 s: sums and differences of them are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from doublevm.policy import ParentValidation
from tests.barriers.sequences import IDS

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES: Final = (
    "users:list",
    "getUser",
    "mail:send",
    "vault:token",
    "api_key",
    "http:request",
    "files:delete",
    "bulkGet",
    "exportAll",
    "read_and_send",
    "note",
    "x:blocked",
    "no name",
)

ARGS: Final[tuple[Mapping[str, Any], ...]] = ({}, {"limit": 10}, {"limit": 5000}, {"id": "*"})


@dataclass(frozen=True)
class Act:
    """One attempt; or a new run begins."""

    name: str
    args: Mapping[str, Any]
    later: float
    """Seconds since the act before; below 0 where the clock was set back."""
    begin: int | None = None
    """The budget of a run that begins before the attempt."""


GAPS: Final = (0.0, 0.0, 0.0, 1 / 64, 0.125, 0.5, 63 / 64, 1.0, 2.0, 4.5, 5.0, 55.0, 60.0, 200.0)


def traces(*, backwards: bool = True, longest: int = 60) -> st.SearchStrategy[list[Act]]:
    gaps = (*GAPS, -0.5, -10.0) if backwards else GAPS
    act = st.builds(
        Act,
        name=st.sampled_from((*NAMES, "users:list", "files:delete", "files:delete")),
        args=st.sampled_from(ARGS),
        later=st.sampled_from(gaps),
        begin=st.sampled_from((None, 100, None, None, 3, *(None,) * 8)),
    )
    # Hypothesis makes lists not much longer than they must be: short ones would show little.
    return st.lists(act, min_size=15, max_size=longest)


def policies(**fixed: Any) -> st.SearchStrategy[ParentValidation]:
    windows = st.sampled_from((0.25, 0.5, 1.0, 2.0, 5.0, 60.0, 90.0))
    fields = {
        "validate_operation_names": st.booleans(),
        "allowed_operation_pattern": st.sampled_from((None, None, "(?i)[a-z_:]+", "[a-z:]+")),
        "blocked_operation_patterns": st.sampled_from(((), ("^x:",))),
        "max_operations_per_second": st.sampled_from((100, 1, 2, 3)),
        "block_suspicious_sequences": st.sampled_from((True, True, True, False)),
        "disabled_patterns": st.lists(st.sampled_from(IDS), unique=True, max_size=3).map(tuple),
        "sequence_window": windows,
        "rapid_enumeration_threshold": st.sampled_from((10, 4, 2, 1, 0)),
        "rapid_enumeration_window": windows,
        "rapid_enumeration_overrides": st.sampled_from(({}, {"note": 8, "getUser": 1})),
    }
    fields |= {name: st.just(value) for name, value in fixed.items()}
    return st.builds(ParentValidation, **fields)
