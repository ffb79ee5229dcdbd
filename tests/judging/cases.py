"""The cases of the corpus, loaded from the TOML files beside this module.

A case is an enclave, with its tools and its policy, and one or more programs that it runs in order.
For each program the case says how the run ends, and for each attempt what became of it::

    [[case]]
    id = "read_then_send"
    tools = ["users:list", "mail:send"]       # handlers that note what reaches them
    parameters = { limit = "int" }            # what each of them takes, all optional
    policy = { sequence_window = 60.0 }       # ParentValidation
    [[case.run]]
    program = "users.list(limit=3)"
    audit = ["users:list allowed"]            # or "… barrier/rule"; "… x10" for ten in a row
    handled = ["users:list limit=3"]
    [[case.run]]
    pause = 3.0                               # seconds before it
    program = "mail.send()"
    error = "OPERATION_DENIED"                # none: the run succeeds
    audit = ["mail:send sequence/EXFIL_LIST_SEND"]
"""

from __future__ import annotations

import re
import tomllib
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from doublevm import DoubleVM, Limits, ParentValidation, SuspiciousPattern
from tests.judging.detectors import DETECTORS
from tests.judging.driving import DRIVERS, ENGINES

if TYPE_CHECKING:
    from tests.judging.driving import Driver, Engine

_FLAGS: Final = {"i": re.IGNORECASE, "x": re.VERBOSE}


@dataclass(frozen=True, kw_only=True)
class Run:
    """One program of a case."""

    program: str
    pause: float = 0.0
    """Seconds of rest before it."""
    error: str | None = None
    """Code of the error that ends it."""
    audit: list[str] = field(default_factory=list)
    """Every attempt: ``"operation allowed"``, ``"operation barrier/rule"``, ``"… x10"``."""
    handled: list[str] | None = None
    """What reached the handlers, with arguments; if absent, names alone are compared."""
    hurry: float | None = None
    """Seconds since the last attempt of the run before within which its first one must come for the
    case to show anything."""
    any_order: bool = False
    """Whether its handlers run at the same time, so that none is sure to be the first."""
    value: Any = None
    """The program's value, where the case gives one."""
    reason: str = ""
    """Words that the reason of its last denial has."""
    at_least: float = 0.0
    at_most: float = 20.0
    """Seconds it takes."""

    @property
    def attempts(self) -> list[tuple[str, str]]:
        """Operations with ``allowed`` or the address of the denial."""
        pairs = []
        for line in _repeated(self.audit):
            name, _, what = line.rpartition(" ")
            pairs.append((name, what))
        return pairs

    @property
    def reached(self) -> list[str]:
        """What must have reached the handlers, in order."""
        if self.handled is None:
            return [name for name, what in self.attempts if what == "allowed"]
        return _repeated(self.handled)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One enclave and what is run in it."""

    file: str
    id: str
    run: list[Run]
    tools: list[str] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    raising: list[str] = field(default_factory=list)
    """Tools whose handler raises."""
    catch_all: bool = False
    """Whether names that are not registered have a handler."""
    policy: dict[str, Any] = field(default_factory=dict)
    double_vm: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    detectors: list[str] = field(default_factory=list)
    session: bool = False
    warning: str = ""
    """What the host is warned of."""
    tries: int = 1
    """How often it may be run until it passes: more than once where what it shows needs calls that
    follow one another within less than a second, as the machine may be busy with other things."""

    @property
    def name(self) -> str:
        """What a test report calls it."""
        return f"{self.file}-{self.id}"

    def driver(self, engine: Engine) -> Driver:
        """Return the driver for an engine: one of them for this engine, the other for the other."""
        turn = zlib.crc32(self.id.encode()) + ENGINES.index(engine)
        return DRIVERS[turn % len(DRIVERS)]

    def options(self) -> dict[str, Any]:
        """Return the enclave's options, tools and engine left out."""
        policy = dict(self.policy)
        if "allowed_operation_pattern" in policy:
            policy["allowed_operation_pattern"] = _regex(policy["allowed_operation_pattern"])
        blocked = map(_regex, policy.pop("blocked_operation_patterns", []))
        validation = ParentValidation(
            blocked_operation_patterns=tuple(blocked),
            suspicious_patterns=tuple(
                SuspiciousPattern(id=name, description="looks odd", detect=DETECTORS[name])
                for name in self.detectors
            ),
            **policy,
        )
        double_vm = DoubleVM(parent_validation=validation, **self.double_vm)
        return {"double_vm": double_vm, "limits": Limits(**self.limits)}


def _regex(pattern: str | dict[str, str]) -> str | re.Pattern[str]:
    """Return a pattern: text as it is, ``{pattern, flags}`` compiled."""
    if isinstance(pattern, str):
        return pattern
    flags = 0
    for letter in pattern["flags"]:
        flags |= _FLAGS[letter]
    return re.compile(pattern["pattern"], flags)


def _repeated(lines: list[str]) -> list[str]:
    """Write lines that end in ``x10`` ten times."""
    every: list[str] = []
    for line in lines:
        found = re.fullmatch(r"(.*) x(\d+)", line, re.DOTALL)
        every += [found[1]] * int(found[2]) if found else [line]
    return every


def load() -> tuple[Case, ...]:
    """Read every file of the corpus."""
    folder = Path(__file__).parent / "cases"
    cases = []
    for path in sorted(folder.glob("*.toml")):
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["case"]:
            runs = [Run(**run) for run in entry.pop("run")]
            cases.append(Case(file=path.stem, run=runs, **entry))
    return tuple(cases)


CASES: Final = load()
