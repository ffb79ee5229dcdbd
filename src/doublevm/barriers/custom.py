"""Patterns of the host's own: functions that look at an operation and what went before.

They are the host's code but judged like a guest's: each gets copies, and one that raises, takes too
long or answers anything but True or False denies the operation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doublevm.barriers.patience import for_ever
from doublevm.verdict import Deny, WouldDeny, would_be
from doublevm.wire.codec import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from doublevm.barriers.patience import Patience
    from doublevm.history import OperationHistoryEntry
    from doublevm.policy import SuspiciousPattern


def judge_custom(
    patterns: Sequence[SuspiciousPattern],
    name: str,
    args: bytes,
    history: Callable[[], list[OperationHistoryEntry]],
    patience: Patience | None,
    before: WouldDeny | None = None,
) -> Deny | WouldDeny | None:
    """Ask each pattern in turn; a pattern that is not enforced only until one has objected.

    Args:
        patterns: the patterns.
        name: the operation's name.
        args: its arguments, encoded: each pattern gets a copy.
        history: gives a list of earlier operations, likewise.
        patience: limits each one's time; None sets no limit.
        before: an earlier objection that is not enforced: it stands if none of these denies.
    """
    for pattern in patterns:
        if before is not None and not pattern.enforce:
            continue
        denial = _ask(pattern, name, args, history, patience or for_ever)
        if denial is not None and pattern.enforce:
            return denial
        before = would_be(denial) if denial is not None else before
    return before


def _ask(
    pattern: SuspiciousPattern,
    name: str,
    args: bytes,
    history: Callable[[], list[OperationHistoryEntry]],
    patience: Patience,
) -> Deny | None:
    try:
        found = patience(lambda: pattern.detect(name, decode(args), history()))
    # The border to the host's function. SystemExit and the like are no verdict either.
    except BaseException as error:  # noqa: BLE001
        return Deny("sequence", pattern.id, f"its pattern failed ({type(error).__name__})")
    if found is True:
        return Deny("sequence", pattern.id, pattern.description)
    if found is not False:
        kind = type(found).__name__
        # None comes from a path without `return`, which no bool() mends.
        hint = "" if found is None else "; wrap it in bool(...)"
        reason = f"its pattern returned {kind}, not True or False{hint}"
        return Deny("sequence", pattern.id, reason)
    return None
