"""Runs native probes inside of the outer jail and prints one line of JSON per probe.

The argument is the name of a setting: see ``native_cases.py``.
"""

from __future__ import annotations

import json
import marshal
import os
import select
import struct
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import cloudpickle

from doublevm import (
    DoubleVM,
    Enclave,
    EnclaveError,
    Limits,
    ParentValidation,
    SuspiciousPattern,
    launch,
    tool,
)
from doublevm.engines.base import EngineDiedError
from tests.attacks import native_detector
from tests.attacks.native_cases import MECHANISMS, PROBES, Probe, Setting, setting_of
from tests.attacks.native_source import PRELUDE, rest_of
from tests.attacks.native_world import World
from tests.attacks.outer_jail import REPOSITORY
from tests.support.started import start_template

if TYPE_CHECKING:
    from collections.abc import Callable

GUEST_MEMORY: Final = 64 * 1024 * 1024
_PATIENCE: Final = 5.0
_CPU_SECONDS: Final = 4
_ATTEMPTS: Final = 3
_COMPILED: Final = marshal.dumps(compile(PRELUDE, "prelude", "exec"))
_EXECUTE: Final = """
import marshal
names = {}
exec(marshal.loads(prelude), names)
exec(rest, names)
names["result"]
"""

MEASURE: Final = "measure"


def main(name: str, *_: str) -> None:
    """Run every probe in one setting."""
    setting = setting_of(name)
    world = World()
    rests = {probe.name: rest_of(probe, world.facts()) for probe in PROBES}
    if setting.mechanisms is not None:
        _report(world, setting, _Bare(setting, rests).ask)
    elif setting.place == "guest":
        _report(world, setting, _Guests(rests).ask)
    else:
        _report(world, setting, _Parents(rests).ask)


def _report(world: World, setting: Setting, ask: Callable[[str], str]) -> None:
    for probe in PROBES:
        if not _is_wanted(probe, setting):
            continue
        world.reset()
        said = ask(probe.name)
        row = {"id": probe.name, "said": said, "reached": world.reached(said)}
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()


def _is_wanted(probe: Probe, setting: Setting) -> bool:
    if setting.mechanisms is None or setting.mechanisms == MECHANISMS:
        return setting.place in probe.only
    if not setting.mechanisms:
        return not probe.control
    if MEASURE in sys.argv and not probe.control:  # for who wants to know what stops what
        return True
    (alone,) = setting.mechanisms
    return probe.stops_alone(alone, setting.place)


# --- processes that have nothing but what the setting says ------------------------------------


class _Bare:
    """Forks of ``native_template``."""

    def __init__(self, setting: Setting, rests: dict[str, str]) -> None:
        folders = (*launch.package_folders(), str(REPOSITORY))
        launch.package_folders = lambda: folders  # type: ignore[assignment]
        self._rests = rests
        self._setting = setting
        self._start()

    def _start(self) -> None:
        assert self._setting.mechanisms is not None
        told = (os.getpid(), ",".join(self._setting.mechanisms), self._setting.place)
        self._process = start_template(
            lambda *fds: launch.python_command("tests.attacks.native_template", *fds, *told)
        )

    def ask(self, name: str) -> str:
        source = self._rests[name].encode()
        try:
            self._process.fork(GUEST_MEMORY, _CPU_SECONDS)
            self._process.read()  # READY
            self._process.write(struct.pack("=I", len(source)) + source)
            return self._answer()
        except EngineDiedError as error:
            self._process.close()
            self._start()
            return f"no__template {error}"

    def _answer(self) -> str:
        until = time.monotonic() + _PATIENCE
        waiting = [self._process.read_fd, self._process.reports_fd]
        if not select.select(waiting, [], [], until - time.monotonic())[0]:
            self._process.end_guest()
            return "no__hung"
        try:
            said = self._process.read().decode()
        except EngineDiedError:
            ended = self._process.end_guest()
            return f"no__ended {ended.status}"
        self._process.end_guest()
        return said


# --- enclaves as hosts make them --------------------------------------------------------------


class _Guests:
    """Programs of guests."""

    def __init__(self, rests: dict[str, str]) -> None:
        self._rests = rests
        self._enclave = self._new()

    def _new(self) -> Enclave:
        limits = Limits(timeout=_PATIENCE, memory=GUEST_MEMORY)
        return Enclave(engine="cpython", limits=limits, guard=None)

    def ask(self, name: str) -> str:
        try:
            result = self._enclave.run(
                _EXECUTE, inputs={"prelude": _COMPILED, "rest": self._rests[name]}
            )
        except EnclaveError as error:
            if "ready" in str(error):
                raise
            return f"no__{type(error).__name__}: {error}"
        return str(result.value) if result.success else f"no__{result.error}"


class _Parents:
    """Detectors of a parent VM that has both engines."""

    def __init__(self, rests: dict[str, str]) -> None:
        cloudpickle.register_pickle_by_value(native_detector)
        self._detect = native_detector.detector(PRELUDE, list(rests.values()))
        self._enclave = self._new()

    def _new(self) -> Enclave:
        @tool
        def probe(number: int) -> str:
            return "no_"

        pattern = SuspiciousPattern(id="probe", description="through", detect=self._detect)
        validation = ParentValidation(
            suspicious_patterns=(pattern,),
            max_operations_per_second=10_000,
            rapid_enumeration_threshold=10_000,
        )
        return Enclave(
            tools=[probe],
            limits=Limits(timeout=_PATIENCE),
            double_vm=DoubleVM(parent_validation=validation),
        )

    def ask(self, name: str) -> str:
        said = "TooSlowError"
        for _ in range(_ATTEMPTS):
            if "TooSlowError" in said:  # on a busy machine: a detector has half a second
                said = self._ask(name)
        return said

    def _ask(self, name: str) -> str:
        number = [probe.name for probe in PROBES].index(name)
        program = f"try:\n    x = probe({number})\nexcept Exception as e:\n    x = str(e)\nx"
        try:
            result: Any = self._enclave.run(program)
        except EnclaveError as error:
            self._enclave.close()
            self._enclave = self._new()
            return f"no__{type(error).__name__}: {error}"
        said = str(result.value) if result.success else str(result.error)
        return native_detector.answer_in(said)


if __name__ == "__main__":
    main(*sys.argv[1:])
