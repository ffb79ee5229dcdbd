"""Patterns of a host's own, by the id under which the cases name them."""

from __future__ import annotations

import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from doublevm import OperationHistoryEntry

History = list["OperationHistoryEntry"]

# --- the two examples of the specification -----------------------------------------------------


def custom_pattern(operation_name: str, args: Any, history: History) -> bool:
    """Check the operation alone, then what went before it."""
    if "dangerous" in operation_name:
        return True
    recent = history[-5:]
    if any(entry.name == "sensitive:read" for entry in recent):
        return "send" in operation_name
    return False


def rate_spike(operation_name: str, args: Any, history: History) -> bool:
    """Ten operations within the last second; never before there have been ten."""
    last10 = history[-10:]
    return len(last10) == 10 and time.time() - last10[0].timestamp < 1


# --- broken ones -------------------------------------------------------------------------------


def raises(operation_name: str, args: Any, history: History) -> bool:
    if operation_name == "docs:read":
        raise ValueError("this detector is broken")
    return False


def exits(operation_name: str, args: Any, history: History) -> bool:
    if operation_name == "docs:read":
        raise SystemExit(0)
    return False


def returns_none(operation_name: str, args: Any, history: History) -> bool:
    return None if operation_name == "docs:read" else False  # type: ignore[return-value]


def returns_zero(operation_name: str, args: Any, history: History) -> bool:
    return 0 if operation_name == "docs:read" else False  # type: ignore[return-value]


def loops(operation_name: str, args: Any, history: History) -> bool:
    while operation_name == "docs:read":
        pass
    return False


def sleeps(operation_name: str, args: Any, history: History) -> bool:
    while operation_name == "docs:read":
        try:
            time.sleep(60)
        except Exception:  # noqa: BLE001, S112 - a detector that wants to go on
            continue
    return False


def opens_a_file(operation_name: str, args: Any, history: History) -> bool:
    """Write where it must not; a parent VM that lets it would allow the operation."""
    with open("/proc/self/comm", "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(operation_name[:8])
    return False


# --- ones that do what they must not be able to ------------------------------------------------


def mutates_its_arguments(operation_name: str, args: Any, history: History) -> bool:
    args["text"] = "changed"
    args["more"] = 1
    return False


def sees_its_arguments(operation_name: str, args: Any, history: History) -> bool:
    """Object to arguments that another detector has changed."""
    return bool(args != {"text": "as the guest said"})


def mutates_the_past(operation_name: str, args: Any, history: History) -> bool:
    for entry in history:
        entry.args["text"] = "changed"
        entry.args.clear()
    return False


def sees_the_past(operation_name: str, args: Any, history: History) -> bool:
    """Object when an earlier operation has not its arguments any more."""
    return any(entry.args != {"text": "as the guest said"} for entry in history)


def clears_the_history(operation_name: str, args: Any, history: History) -> bool:
    history.clear()
    return False


def appends_to_the_history(operation_name: str, args: Any, history: History) -> bool:
    history.extend(history)
    return False


def third_time(operation_name: str, args: Any, history: History) -> bool:
    return len(history) == 2


# --- what a detector may be --------------------------------------------------------------------


def denied_twice(operation_name: str, args: Any, history: History) -> bool:
    """Object to everything once two attempts have been denied."""
    return sum(not entry.allowed for entry in history) == 2


def same_arguments(operation_name: str, args: Any, history: History) -> bool:
    return any(entry.name == operation_name and entry.args == args for entry in history)


def _words_with(forbidden: set[str]) -> Callable[[str, Any, History], bool]:
    def closure(operation_name: str, args: Any, history: History) -> bool:
        return not forbidden.isdisjoint(operation_name.split(":"))

    return closure


def _within(operation_name: str, args: Any, history: History, *, limit: int) -> bool:
    return bool(args.get("limit", 0) > limit)


class _Budget:
    """A bound method with a state: what it changes is its own copy, in the parent VM."""

    def __init__(self, budget: int) -> None:
        self.left = budget

    def detect(self, operation_name: str, args: Any, history: History) -> bool:
        self.left -= args.get("limit", 0)
        return self.left < 0


class _Callable:
    def __call__(self, operation_name: str, args: Any, history: History) -> bool:
        return _SECRET.search(str(args.get("text", ""))) is not None


_SECRET: Final = re.compile(r"sk-[a-z0-9]{8}")

DETECTORS: Final[dict[str, Callable[[str, Any, History], bool]]] = {
    "CUSTOM_PATTERN": custom_pattern,
    "RATE_SPIKE": rate_spike,
    "RAISES": raises,
    "EXITS": exits,
    "RETURNS_NONE": returns_none,
    "RETURNS_ZERO": returns_zero,
    "LOOPS": loops,
    "SLEEPS": sleeps,
    "OPENS_A_FILE": opens_a_file,
    "MUTATES_ITS_ARGUMENTS": mutates_its_arguments,
    "SEES_ITS_ARGUMENTS": sees_its_arguments,
    "MUTATES_THE_PAST": mutates_the_past,
    "SEES_THE_PAST": sees_the_past,
    "CLEARS_THE_HISTORY": clears_the_history,
    "APPENDS_TO_THE_HISTORY": appends_to_the_history,
    "THIRD_TIME": third_time,
    "DENIED_TWICE": denied_twice,
    "SAME_ARGUMENTS": same_arguments,
    "CLOSURE": _words_with({"danger", "drop"}),
    "LAMBDA": lambda name, args, history: name.endswith(":drop"),
    "PARTIAL": partial(_within, limit=100),
    "METHOD": _Budget(100).detect,
    "CALLABLE": _Callable(),
}
