"""Runs small programs on the installed monty, without anything of the project in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pydantic_monty

from tests.differential.oracle import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS: Any = {
    "max_memory": 256 << 20,
    "max_suspensions": 2**31,
    "max_turn_duration_secs": 20,
}


class Probe:
    """A pool of monty workers."""

    def __init__(self, pool: pydantic_monty.Monty) -> None:
        self.pool = pool

    def run(self, source: str, tools: frozenset[str] = frozenset()) -> Outcome:
        """Run one program; a tool answers every call with 1."""
        printed: list[str] = []

        def keep(stream: str, text: str) -> None:
            if stream == "stdout":
                printed.append(text)

        with self.pool.checkout(limits=LIMITS) as session:
            try:
                step: Any = session.feed_start(source, print_callback=keep)
                while not isinstance(step, pydantic_monty.MontyComplete):
                    step = answer(step, tools)
            except pydantic_monty.MontyError as error:
                return Outcome(stdout="".join(printed), error=type(error.exception()).__name__)
        return Outcome(step.output, "".join(printed))

    def value(self, source: str) -> Any:
        """Run a program that must succeed."""
        outcome = self.run(source)
        assert outcome.error is None, f"{outcome.error} from:\n{source}"
        return outcome.value


def answer(step: Any, tools: frozenset[str]) -> Any:
    """Answer one suspension the way the engine does: sleeps end at once, files are refused."""
    if isinstance(step, pydantic_monty.NameLookupSnapshot):
        return step.resume()
    if step.is_os_function:
        if "sleep" in str(step.function_name):
            return step.resume({"return_value": step.args[1] if len(step.args) > 1 else None})
        return step.resume_not_handled()
    if step.function_name in tools:
        return step.resume({"return_value": 1})
    return step.resume({"exception": NameError(f"name '{step.function_name}' is not defined")})


def probes() -> Iterator[Probe]:
    """Make one pool for all tests of a module."""
    with pydantic_monty.Monty() as pool:
        yield Probe(pool)
