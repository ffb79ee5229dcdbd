"""Judges what trails have recorded once more, by another policy, and in the same monitor.

A monitor is a value: given the attempts of a conversation, with the times they were judged by, it
gives the verdicts that a parent VM with this policy would have given. A denial that is no matter of
the policy stays one, in its place of the order.
"""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from doublevm.barriers.sequence import BUILT_IN_IDS
from doublevm.host.sinks.conversations import Conversations
from doublevm.host.sinks.entries import Attempt, arguments_of, verdict_of
from doublevm.host.sinks.reading import entry_of
from doublevm.monitor import GIVEN_UP, Hold
from doublevm.parent.patience import patience
from doublevm.policy import MOST
from doublevm.verdict import Allow, Deny, WouldDeny, would_be

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.barriers.patience import Patience
    from doublevm.host.sinks.reading import HasPlaces
    from doublevm.monitor import Attempt as Read
    from doublevm.monitor import Monitor
    from doublevm.policy import DoubleVM
    from doublevm.verdict import Verdict

_BEFORE_THE_POLICY: Final = ("names/grammar", "names/unregistered")
_JUDGED: Final = (
    "names/blocked",
    "names/not_allowed",
    "names/too_slow",
    "rate/max_operations_per_second",
    "sequence/history_full",
    *(f"sequence/{id_}" for id_ in BUILT_IN_IDS),
)
"""What is asked anew, whatever was answered: the rules that a policy has."""

_REDACTED: Final = "[redacted "


@dataclass(frozen=True, slots=True)
class Rejudged:
    """An operation with what the trail says of it, and what the policy says."""

    seq: int
    """The attempt's place in the trail."""
    attempt: Attempt
    before: Verdict
    after: Verdict
    held: bool
    """Whether it would have been held back for a while."""
    kept: bool
    """Whether the trail's verdict was taken over: what objected is no matter of the policy."""
    redacted: bool
    """Whether something of it is not in the trail, so that it may have been judged otherwise."""
    missing: int
    """Records of the conversation that should be before it, and are not in the trail."""
    set_back: bool
    """Whether the clock was set back before it: monitors are told apart by that, or not."""
    begins: bool
    """Whether it is the first of its conversation."""


def rejudged(
    trail: HasPlaces, double_vm: DoubleVM, max_tool_calls: int | None
) -> Iterator[Rejudged]:
    """Return the operations of a trail, in the order they were judged in.

    Raises:
        ValueError: something in the trail is no entry.
    """
    judge = _Judge(double_vm, max_tool_calls)
    for place in trail.places():
        if place.torn:
            continue
        entry = None if place.link is None else entry_of(place.link)
        if place.link is None or entry is None:
            raise ValueError(f"{place.where}: no entry")
        if isinstance(entry, Attempt):
            found = judge.judge(place.link.seq, entry)
            if found is not None:
                yield found


class _Judge:
    """Knows the policy, and the conversations."""

    def __init__(self, double_vm: DoubleVM, max_tool_calls: int | None) -> None:
        self._validation = double_vm.parent_validation if double_vm.enabled else None
        self._max_tool_calls = max_tool_calls
        v = self._validation
        own = v.suspicious_patterns if v is not None else ()
        self._judged = {*_JUDGED, *(f"sequence/{pattern.id}" for pattern in own)}
        self._conversations = Conversations(v, _patience())

    def judge(self, seq: int, attempt: Attempt) -> Rejudged | None:
        """Return the verdict on the next attempt of the trail; None for a score."""
        conversation, before = self._conversations.of(attempt), verdict_of(attempt)
        conversation.missing += max(0, attempt.number - conversation.number - 1)
        conversation.number = attempt.number
        if not attempt.operation and _is_score(before):
            return None
        if attempt.run != conversation.run:
            conversation.run = attempt.run
            budget = MOST if self._max_tool_calls is None else self._max_tool_calls
            conversation.monitor.begin_run(budget)
        read = conversation.monitor.attempt(attempt.operation, (), arguments_of(attempt))
        after, held = self._decide(conversation.monitor, read, attempt, before)
        found = Rejudged(
            seq,
            attempt,
            before,
            after,
            held=held,
            kept=not isinstance(before, Allow) and not self._is_judged(before),
            redacted=_REDACTED in attempt.operation or _REDACTED.encode() in read.args,
            missing=conversation.missing,
            set_back=attempt.judged < conversation.judged,
            begins=not conversation.begun,
        )
        conversation.judged = max(attempt.judged, conversation.judged)
        conversation.missing, conversation.begun = 0, True
        return found

    def _decide(
        self, monitor: Monitor, read: Read, attempt: Attempt, before: Verdict
    ) -> tuple[Verdict, bool]:
        read, after = self._kept(read, before)
        now, held = attempt.judged, False
        while isinstance(verdict := monitor.decide(read, now, after), Hold):
            if before == GIVEN_UP:
                return monitor.give_up(read), held
            now, held = monitor.now + verdict.seconds, True
        return verdict, held

    def _kept(self, read: Read, before: Verdict) -> tuple[Read, Deny | WouldDeny | None]:
        """Put an objection that is no matter of the policy where it belongs in the order.

        Returns:
            The attempt with an objection of those that come before the policy, or with the budget's
            behind the names; and an objection that comes after all others.
        """
        if isinstance(before, Allow) or self._is_judged(before):
            return read, None
        if isinstance(before, WouldDeny):
            return read, before
        if before.barrier == "arguments" or before.address in _BEFORE_THE_POLICY:
            return replace(read, objection=before), None
        if before.barrier == "budget":
            first = read.objection if isinstance(read.objection, Deny) else before
            return replace(read, objection=first), None
        v = self._validation
        tried = before.barrier == "sequence" and v is not None and not v.enforce
        return read, would_be(before) if tried else before

    def _is_judged(self, before: Deny | WouldDeny) -> bool:
        if before.barrier == "sequence":
            v = self._validation
            if v is None or not v.block_suspicious_sequences:
                return True
        if before.barrier == "budget":
            return self._max_tool_calls is not None
        return before.address in self._judged


def _is_score(verdict: Verdict) -> bool:
    """Whether it may be that of a program: an operation without a name is denied otherwise."""
    return isinstance(verdict, Allow) or verdict.barrier == "scoring"


def _patience() -> Patience | None:
    """Return what limits expressions and detectors as in a parent VM, where there is a timer."""
    is_main = threading.current_thread() is threading.main_thread()
    return patience if is_main and hasattr(signal, "setitimer") else None
