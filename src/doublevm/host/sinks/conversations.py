"""The monitors of a trail that is judged once more: one for each conversation that goes on.

A trail may have millions of conversations. Of one that has been silent for longer than any window
nothing is left to judge by but its run's attempts; so its monitor goes, and these stay, until no
run can go on any more.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from doublevm.limits import MAX_TIMEOUT
from doublevm.monitor import Monitor
from doublevm.state import decode_state, encode_state

if TYPE_CHECKING:
    from doublevm.barriers.patience import Patience
    from doublevm.host.sinks.entries import Attempt
    from doublevm.policy import ParentValidation

_MARGIN: Final = 10.0
"""Seconds that judging and recording may lie apart, with all clocks as they should be."""


@dataclass(slots=True)
class Conversation:
    """What is known of one enclave."""

    monitor: Monitor
    run: int = 0
    number: int = 0
    """Of the last record."""
    missing: int = 0
    """Records that should be before the next operation."""
    judged: float = float("-inf")
    """When the last operation was judged."""
    begun: bool = False
    """Whether an operation was judged."""


@dataclass(frozen=True, slots=True)
class _Silent:
    """What is left of a conversation that has not been heard of lately."""

    state: bytes
    run: int
    number: int
    judged: float
    begun: bool


class Conversations:
    """Finds conversations by their names, and lets go of those that are over."""

    def __init__(self, validation: ParentValidation | None, patience: Patience | None) -> None:
        """Judge by ``validation``."""
        self._validation, self._patience = validation, patience
        v = validation
        windows = (1.0, v.sequence_window, v.rapid_enumeration_window) if v is not None else (1.0,)
        self._silence = max(windows) + _MARGIN
        self._heard: OrderedDict[str, tuple[Conversation, float]] = OrderedDict()
        self._silent: OrderedDict[str, tuple[_Silent, float]] = OrderedDict()

    def __len__(self) -> int:
        """How many are known that go on."""
        return len(self._heard)

    def of(self, attempt: Attempt) -> Conversation:
        """Return the conversation of an attempt, which is the next of the trail."""
        name, time = attempt.enclave, attempt.time
        known = self._heard.pop(name, None)
        conversation = known[0] if known is not None else self._woken(name)
        self._heard[name] = (conversation, time)
        self._let_go(time)
        return conversation

    def _woken(self, name: str) -> Conversation:
        monitor = Monitor((), self._validation, catch_all=True, patience=self._patience)
        silent, _ = self._silent.pop(name, (None, 0.0))
        if silent is None:
            return Conversation(monitor)
        monitor.restore_state(silent.state)
        return Conversation(
            monitor, silent.run, silent.number, judged=silent.judged, begun=silent.begun
        )

    def _let_go(self, time: float) -> None:
        while (name := next(iter(self._heard))) and self._heard[name][1] < time - self._silence:
            conversation, last = self._heard.pop(name)
            self._silent[name] = (_silenced(conversation), last)
        while self._silent:
            name = next(iter(self._silent))
            if self._silent[name][1] >= time - MAX_TIMEOUT:
                break
            del self._silent[name]


def _silenced(conversation: Conversation) -> _Silent:
    _, attempts, budget, now = decode_state(conversation.monitor.export_state())
    state = encode_state((), attempts, budget, now)
    c = conversation
    return _Silent(state, c.run, c.number, c.judged, c.begun)
