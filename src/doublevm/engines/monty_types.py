"""The type checker that monty has, for programs of either engine.

It runs in a monty worker of its own, sealed as every worker is: what it reads is hostile. The
program is checked and never run: a name that nothing declares comes first, so that none passes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from doublevm.engines.base import EngineDiedError
from doublevm.engines.monty import MontyEngine
from doublevm.word_lists import words

if TYPE_CHECKING:
    from collections.abc import Iterator

UNDECLARED: Final = "__doublevm_not_run__"
_ANYTHING: Final = "def __getattr__(name: str): ..."
"""A stub for modules that monty does not have: nothing is known of them."""

RULES: Final = words(
    """
    invalid-argument-type invalid-key missing-argument positional-only-parameter-as-kwarg
    too-many-positional-arguments unknown-argument unresolved-attribute
    """
)
"""The diagnostics that are told. Others speak of what monty's own modules and builtins lack, which
cpython may have, or of names and syntax, which the guard looks at itself."""

_NAMESPACE: Final = re.compile(r"^(\w+): (\w+)$", re.MULTILINE)
_STATIC: Final = re.compile(r"^( +)@staticmethod\n +((?:async )?def \w+)\(", re.MULTILINE)
_DIAGNOSTIC: Final = re.compile(r"program:(\d+):(\d+): error\[([a-z-]+)\] (.+)")
_SURE: Final = "Object of type `"
"""How an attribute is told that is missing for sure: not of a module of which monty has a part, not
of what may also be None (``re.search(...).group()``), and not one that is being given."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """What the type checker says of one place; line and column from 1, the column in characters."""

    line: int
    column: int
    message: str


class MontyTypes(MontyEngine):
    """A worker that checks types and runs nothing."""

    def diagnose(self, source: str, stubs: str) -> tuple[Diagnostic, ...]:
        """Check a program against declarations of what it may call.

        Raises:
            EngineDiedError: the worker has died, or was killed, or does not answer as it should.
        """
        try:
            text = self._ask(source, stubs)
        # The border to pydantic-monty: whatever fails there is one thing to us.
        except Exception as error:
            raise EngineDiedError(f"types cannot be checked: {error}") from error
        return tuple(dict.fromkeys(_diagnostics(text)))

    def _ask(self, source: str, stubs: str) -> str:
        assert self._pool is not None, "its worker has not started"
        session = self._pool.checkout(
            script_name="program",
            type_check=True,
            type_check_stubs=_for_monty(stubs),
            type_check_format="concise",
        )
        with session as checking:
            try:
                step: Any = checking.feed_start(f"{UNDECLARED}\n{source}")
                while getattr(step, "function_name", "") == "import_stubs":
                    (names,) = step.args
                    step = step.resume({"return_value": dict.fromkeys(names, _ANYTHING)})
            except self._client.MontyTypingError as error:
                return str(error.display())
        raise EngineDiedError("the type checker let a program pass that cannot")


def _for_monty(stubs: str) -> str:
    """Return declarations as the checker takes them.

    A name without a value is nothing to it, and it does not know static methods.
    """
    return _NAMESPACE.sub(r"\1 = \2()", _STATIC.sub(r"\1\2(self, ", stubs))


def _diagnostics(text: str) -> Iterator[Diagnostic]:
    for line in text.splitlines():
        found = _DIAGNOSTIC.fullmatch(line)
        if found is None or found[3] not in RULES:
            continue
        if found[3] == "unresolved-attribute" and not found[4].startswith(_SURE):
            continue
        yield Diagnostic(int(found[1]) - 1, int(found[2]), found[4])
