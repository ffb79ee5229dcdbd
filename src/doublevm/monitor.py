"""The monitor: applies the barriers in their order to every operation of an enclave.

Arguments, names, budget, rate, sequence: the first objection stands. Whatever cannot be judged is
denied: a barrier that raises ends the operation, not the judging.

What of the policy is not enforced lets its operations through: the first such objection becomes a
would-be denial, unless a later one that is enforced denies. Such an operation takes place, so it is
remembered as one that was allowed.

The monitor is a value. All it knows is the history of the last minute or so and how many attempts
the run has made; every barrier's memory follows from these. So its state can be exported as bytes
and restored elsewhere, and a restored monitor judges as the one that never stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from doublevm.barriers.arguments import judge_arguments, named_arguments
from doublevm.barriers.budget import judge_budget
from doublevm.barriers.custom import judge_custom
from doublevm.barriers.names import MAX_NAME, judge_name, judge_patterns
from doublevm.barriers.rate import WINDOW as RATE_WINDOW
from doublevm.barriers.rate import RateBarrier
from doublevm.barriers.sequence import Pattern, built_in_patterns
from doublevm.history import History, OperationHistoryEntry
from doublevm.operation import BindingError, Operation, ToolSpec
from doublevm.state import StateError, decode_state, encode_state
from doublevm.verdict import Allow, Deny, Verdict, WouldDeny, would_be
from doublevm.wire.codec import CodecError, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from doublevm.barriers.patience import Patience
    from doublevm.policy import ParentValidation, SuspiciousPattern

__all__ = ["Attempt", "Hold", "Monitor", "StateError"]

GIVEN_UP: Final = Deny(
    "rate", "max_operations_per_second", "the run's time was up while it was held back"
)
"""What became of an attempt that was held back too long."""

_NOTHING: Final = encode({})
_ALLOW: Final = Allow()

_LONGEST_REASON: Final = 1000
"""Characters kept of what a VM says of arguments it could not read."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An operation that has been read, before rate and sequence have been asked."""

    operation: Operation
    args: bytes
    """Its arguments by name, encoded."""
    objection: Deny | WouldDeny | None
    """What the first barriers had against it."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Ask again in ``seconds``: the rate is exceeded, and the policy is to wait."""

    seconds: float


class Monitor:
    """Judges the operations of one enclave."""

    def __init__(
        self,
        tools: Iterable[ToolSpec],
        validation: ParentValidation | None,
        *,
        catch_all: bool = False,
        patience: Patience | None = None,
    ) -> None:
        """Know the tools and the policy.

        Args:
            tools: what is registered.
            validation: the policy; None judges registration, arguments and budget only.
            catch_all: whether names that are not registered have a handler all the same.
            patience: limits the time of name patterns and detectors.
        """
        self._tools = {spec.name: spec for spec in tools}
        self._catch_all, self._validation, self._patience = catch_all, validation, patience
        self._attempts = self._max_tool_calls = 0
        self._now = float("-inf")
        self._begin_empty()

    def _begin_empty(self) -> None:
        v = self._validation
        windows = (v.sequence_window, v.rapid_enumeration_window) if v else ()
        self._history = History(max(RATE_WINDOW, *windows) if windows else RATE_WINDOW)
        self._rate = RateBarrier(v.max_operations_per_second) if v else None
        self._custom: tuple[SuspiciousPattern, ...] = ()
        self._patterns: tuple[Pattern, ...] = ()
        self._unenforced: frozenset[str] = frozenset()
        if v and v.block_suspicious_sequences:
            self._custom = v.suspicious_patterns
            self._unenforced = frozenset(v.unenforced_patterns)
            self._patterns = built_in_patterns(
                window=v.sequence_window,
                rapid_window=v.rapid_enumeration_window,
                rapid_threshold=v.rapid_enumeration_threshold,
                rapid_overrides=v.rapid_enumeration_overrides,
                disabled=frozenset(v.disabled_patterns),
            )
        self._enforce = v is None or v.enforce
        if not self._enforce:
            self._custom = tuple(replace(each, enforce=False) for each in self._custom)
            self._unenforced = frozenset(pattern.id for pattern in self._patterns)

    def begin_run(self, max_tool_calls: int) -> None:
        """Start counting a run's attempts."""
        self._attempts = 0
        self._max_tool_calls = max_tool_calls

    # --- judging ------------------------------------------------------------------------------

    def attempt(
        self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], problem: str = ""
    ) -> Attempt:
        """Count an attempt and read it.

        ``problem`` says why the arguments could not be read at all, if so.
        """
        self._attempts += 1
        if problem:
            return _unreadable(name, problem)
        try:
            return self._read(name, args, kwargs)
        except CodecError as error:  # each could cross alone, but not all together
            return _unreadable(name, str(error))
        # The border of judging: a barrier that broke has not allowed anything.
        except Exception as error:  # noqa: BLE001
            return Attempt(Operation(name, {}), _NOTHING, _broken(error))

    def decide(
        self, attempt: Attempt, now: float, after: Deny | WouldDeny | None = None
    ) -> Verdict | Hold:
        """Return the verdict and remember it, or a Hold.

        Args:
            attempt: what ``attempt`` returned.
            now: seconds since the epoch; a clock that goes backwards is held still.
            after: what somebody else objects to it, asked after all barriers.
        """
        self._now = now = max(now, self._now)
        entry = self._entry(attempt, now, allowed=True)
        try:
            verdict: Verdict | Hold = self._decide(attempt, entry)
        # The border of judging, as above.
        except Exception as error:  # noqa: BLE001
            verdict = _broken(error)
        if after is not None and isinstance(verdict, Allow | WouldDeny):
            verdict = after if isinstance(after, Deny) or isinstance(verdict, Allow) else verdict
        if isinstance(verdict, Allow | WouldDeny):
            self._remember(entry)
        elif isinstance(verdict, Deny):
            self._remember(self._entry(attempt, now, allowed=False))
        return verdict

    def give_up(self, attempt: Attempt) -> Deny:
        """Deny, and remember, an attempt that was held back until its run's time was up.

        It counts as made when it was last asked about.
        """
        self._remember(self._entry(attempt, self._now, allowed=False))
        return GIVEN_UP

    def _read(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Attempt:
        spec = self._tools.get(name)
        objection: Deny | WouldDeny | None
        objection = judge_name(name, self._tools, catch_all=self._catch_all)
        try:
            operation = Operation(name, named_arguments(spec, args, kwargs))
        except BindingError as error:
            operation = Operation(name, dict(kwargs))
            objection = objection or Deny("arguments", "binding", str(error))
        encoded = encode(operation.args, "arguments")
        if objection is None and spec is not None:
            objection = judge_arguments(operation, spec.parameters)
        if objection is None and self._validation is not None:
            objection = self._tried(judge_patterns(name, self._validation, self._patience))
        if not isinstance(objection, Deny):
            objection = judge_budget(self._attempts, self._max_tool_calls) or objection
        return Attempt(operation, encoded, objection)

    def _tried(self, denial: Deny | None) -> Deny | WouldDeny | None:
        """Return a denial by the policy as what it counts for."""
        return denial if denial is None or self._enforce else would_be(denial)

    def _decide(self, attempt: Attempt, entry: OperationHistoryEntry) -> Verdict | Hold:
        objection = attempt.objection
        if isinstance(objection, Deny):
            return objection
        # A rate is enforced or not as the whole policy is: one objection that is not is enough.
        if objection is None:
            limit = self._too_fast(entry.timestamp)
            if isinstance(limit, Deny | Hold):
                return limit
            objection = limit
        return self._sequence(attempt, entry, objection) or _ALLOW

    def _too_fast(self, now: float) -> Deny | WouldDeny | Hold | None:
        if self._rate is None or self._validation is None:
            return None
        if self._validation.on_rate_limit == "wait" and (wait := self._rate.wait(now)) > 0:
            return Hold(wait) if self._enforce else _would_hold(wait)
        return self._tried(self._rate.judge(now))

    def _sequence(
        self, attempt: Attempt, entry: OperationHistoryEntry, before: WouldDeny | None
    ) -> Deny | WouldDeny | None:
        now = entry.timestamp
        self._history.forget(now)
        operation = attempt.operation
        for pattern in self._patterns:
            if before is not None and pattern.id in self._unenforced:
                continue
            reason = pattern.detect(operation, now)
            if reason is not None:
                denial = Deny("sequence", pattern.id, reason)
                if pattern.id not in self._unenforced:
                    return denial
                before = would_be(denial)
        if not self._history.has_room_for(entry):
            return Deny("sequence", "history_full", "more was attempted lately than can be kept")
        if not self._custom:
            return before
        view = self._history.view
        name, args = operation.name, attempt.args
        return judge_custom(self._custom, name, args, view, self._patience, before)

    def _kept(self, args: bytes) -> bytes:
        """Return what is kept of arguments: only detectors look at earlier ones."""
        return args if self._custom else _NOTHING

    def _entry(self, attempt: Attempt, now: float, *, allowed: bool) -> OperationHistoryEntry:
        name, args = _kept_name(attempt.operation.name), self._kept(attempt.args)
        return OperationHistoryEntry(name, args, now, allowed)

    def _remember(self, entry: OperationHistoryEntry) -> None:
        self._history.forget(entry.timestamp)
        # INVARIANT: what the barriers know follows from the history, or a restored monitor would
        # judge differently. So a denied attempt that does not fit is not counted either.
        if not entry.allowed and not self._history.has_room_for(entry):
            return
        self._history.add(entry)
        if entry.allowed and self._rate is not None:
            self._rate.accept(entry.timestamp)
        for pattern in self._patterns:
            pattern.note(entry.name, entry.timestamp, allowed=entry.allowed)

    @property
    def now(self) -> float:
        """When something was judged last: a clock that goes backwards is held still."""
        return self._now

    # --- state --------------------------------------------------------------------------------

    @property
    def history(self) -> tuple[OperationHistoryEntry, ...]:
        """What is remembered, oldest first."""
        return tuple(self._history)

    def export_state(self) -> bytes:
        """Return everything that judging depends on, policy and tools left out."""
        self._history.forget(self._now)
        return encode_state(self._history, self._attempts, self._max_tool_calls, self._now)

    def restore_state(self, state: bytes) -> None:
        """Become the monitor that exported ``state`` (under the same policy and tools).

        Raises:
            StateError: the bytes are not such a state; this monitor is unchanged.
        """
        entries, attempts, max_tool_calls, now = decode_state(state)
        self._begin_empty()
        self._attempts, self._max_tool_calls = attempts, max_tool_calls
        self._now = float("-inf")
        self.remember(entries)
        self._now = now

    def remember(self, entries: Iterable[OperationHistoryEntry]) -> None:
        """Learn of operations that were judged elsewhere, oldest first."""
        for entry in entries:
            self._now = now = max(self._now, entry.timestamp)
            args = self._kept(entry.encoded_args)
            self._remember(OperationHistoryEntry(_kept_name(entry.name), args, now, entry.allowed))


def _kept_name(name: str) -> str:
    """Return what is kept of a name, valid or not: a little more than the longest valid one."""
    if len(name) <= MAX_NAME and name.isascii():
        return name
    return name[: MAX_NAME + 1].encode("utf-8", "replace").decode()


def _unreadable(name: str, problem: str) -> Attempt:
    return Attempt(
        Operation(name, {}), _NOTHING, Deny("arguments", "values", problem[:_LONGEST_REASON])
    )


def _would_hold(seconds: float) -> WouldDeny:
    reason = f"it would have been held back for {seconds:.3f} s"
    return WouldDeny("rate", "max_operations_per_second", reason)


def _broken(error: Exception) -> Deny:
    return Deny("monitor", "error", f"judging failed: {type(error).__name__}")
