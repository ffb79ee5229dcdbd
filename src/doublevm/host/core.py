"""What the sync and the async enclave share: configuration, checks, and the enclave's history."""

from __future__ import annotations

import contextlib
import itertools
import time
import warnings
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from doublevm.confinement import WARN_BELOW, Confinement, Rung
from doublevm.errors import ConfigError, ConfinementUnavailable, VMError
from doublevm.history import ENTRY_BYTES
from doublevm.host.checking import HostCheck
from doublevm.host.confinement import note_missing
from doublevm.host.keeping import Keeping
from doublevm.host.meter import Meter
from doublevm.host.programs import check_inputs, check_source, encode_inputs
from doublevm.host.recorder import Recorder
from doublevm.host.run import HostRun
from doublevm.host.scoring import Gate
from doublevm.host.trail import Trail
from doublevm.instructions import instructions, stubs
from doublevm.launch import monty_binary
from doublevm.wire import frames as f
from doublevm.wire.codec import MAX_VALUE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doublevm.host.settings import Settings


START_SECONDS: Final = 30.0
"""How long the VMs may take to start; a loaded machine needs a few, a broken one for ever."""

_CLOSED: Final = "the enclave is closed; make a new one"


def closed_under_way() -> VMError:
    """Return what a run ends with when its enclave is closed meanwhile."""
    return VMError("the enclave was closed during the run; its outcome is unknown")


class Served(Protocol):
    """A link to a pair, as far as it matters whom the pair serves."""

    confinement: Confinement | None
    """What confines it, once it has been greeted."""
    serves: object
    """The identity of the conversation that its monitor knows; None for none yet."""


class EnclaveCore:
    """Checks and counts runs; knows nothing of how they are driven."""

    def __init__(self, config: Settings) -> None:
        """Begin an enclave's life."""
        self.config = config
        self.trail = Trail()
        gate = config.scoring_gate
        self._gate = None if gate is None else Gate(gate, config.scorer)
        self.recorder = Recorder(config.sinks) if config.sinks else None
        self.confinement: Confinement | None = None
        self.identity = object()
        """Told from every other conversation's by identity; keeps nothing of this one alive."""
        self.max_messages: int | None = None
        """Frames a guest may send in a second; None for any number."""
        self._warned = False
        self._runs = 0
        self._numbers = itertools.count(1)
        self._busy = self._closed = self._in_session = False

    def conversation(self, max_messages: int) -> EnclaveCore:
        """Return another conversation that the same pairs may serve.

        INVARIANT: the frames of no two runs that a pair may serve have the same number. An answer
        that comes late would else be taken for one to a guest of somebody else.
        """
        core = EnclaveCore(self.config)
        core.max_messages, core._numbers = max_messages, self._numbers
        return core

    @property
    def in_session(self) -> bool:
        """Whether a session is open."""
        return self._in_session

    @property
    def closed(self) -> bool:
        """Whether nothing may be run any more."""
        return self._closed

    def close(self) -> None:
        """Refuse what comes from now on."""
        self._closed = True

    def open_session(self) -> None:
        """Begin a session.

        Raises:
            ConfigError: the enclave is closed, or a session is open.
        """
        if self._closed:
            raise ConfigError(_CLOSED)
        if self._in_session:
            raise ConfigError("a session is open already; close it, or use a second enclave")
        self._in_session = True

    def close_session(self) -> None:
        """End the session."""
        self._in_session = False

    @contextlib.contextmanager
    def running(self, *, session: bool) -> Iterator[None]:
        """Hold the enclave for one run, a session's or not.

        Raises:
            ConfigError: it is closed, a run is under way, or the session is not open.
        """
        if self._closed:
            raise ConfigError(_CLOSED)
        if session and not self._in_session:
            raise ConfigError("the session is not open; use `with enclave.session() as session:`")
        if self._in_session and not session:
            raise ConfigError("a session is open; use its run(), or close it first")
        if self._busy:
            raise ConfigError(
                "a run is under way: an enclave is one conversation and runs one program at a "
                "time; use a second enclave for what must run meanwhile"
            )
        self._busy = True
        try:
            yield
        finally:
            self.trail.seal(self._runs)
            self._busy = False

    def host_run(
        self,
        program: str,
        inputs: dict[str, Any] | None,
        on_output: Callable[[str, str], None] | None,
        *,
        session: bool,
    ) -> HostRun:
        """Check a run's arguments and prepare it.

        Raises:
            ConfigError: one is wrong.
        """
        if on_output is not None and not callable(on_output):
            raise ConfigError(f"on_output must be a function (stream, text), not {on_output!r}")
        frame = self._run_frame(program, inputs, session=session)
        self._runs += 1
        return HostRun(
            frame,
            self.config.handlers,
            self.trail,
            buffer=self.config.double_vm.parent_timeout_buffer,
            now=time.time,
            clock=time.monotonic,
            on_output=on_output,
            confinement=lambda: self.confinement,
            number=self._runs,
            gate=self._gate,
            validation=self.config.validation,
            meter=None if self.max_messages is None else Meter(self.max_messages, time.monotonic),
            keeping=self._keeping(frame),
        )

    def _keeping(self, frame: f.Run) -> Keeping | None:
        if self.recorder is None:
            return None
        enclave, level = self.recorder.enclave, self.config.level.name
        return Keeping(enclave, level, frame, self._runs, self.trail, time.time)

    def _run_frame(self, program: str, inputs: dict[str, Any] | None, *, session: bool) -> f.Run:
        config, source = self.config, check_source(program)
        encoded = encode_inputs(config.inputs | check_inputs(inputs, config.handlers))
        return f.Run(
            run=next(self._numbers),
            source=source,
            inputs=encoded,
            engine=config.engine,
            session=session,
            full_traceback=config.level.settings.full_traceback,
            limits=config.run_limits,
            score=self._gate is not None and self._gate.known(source) is None,
        )

    def host_check(self, program: str, inputs: dict[str, Any] | None) -> HostCheck:
        """Check the arguments of a check and prepare it.

        Raises:
            ConfigError: one is wrong.
        """
        config = self.config
        merged = config.inputs | check_inputs(inputs, config.handlers)
        frame = f.Check(
            next(self._numbers),
            check_source(program),
            encode_inputs(merged),
            config.engine,
            config.timeout,
        )
        return HostCheck(frame, config.double_vm.parent_timeout_buffer, self._gate)

    def configure(self) -> f.Configure:
        """Return the frame that begins a pair's life."""
        config = self.config
        specs = tuple(tool.spec for tool in config.handlers.tools.values())
        return f.Configure(
            version=f.VERSION,
            tools=specs,
            catch_all=config.handlers.catch_all,
            engines={name: cast("Any", rung.value) for name, rung in config.engines.items()},
            monty_binary=monty_binary(),
            memory=config.run_limits.memory,
            frozen_clocks=config.level.settings.frozen_clocks,
            validation=self.config.validation,
            guard=config.guard,
            scoring=config.scoring,
        )

    def check_ready(self, ready: f.Ready | f.Unconfined) -> Confinement:
        """Look at what a new pair says of itself; return what confines it.

        Raises:
            ConfinementUnavailable: it is confined less than the level asks for.
            VMError: it speaks another version.
        """
        if isinstance(ready, f.Unconfined):
            raise ConfinementUnavailable(
                f"the VMs cannot be confined: {ready.message}; see what `doublevm doctor` says"
            )
        if ready.version != f.VERSION:
            raise VMError(f"the parent VM speaks version {ready.version}, not {f.VERSION}")
        self.confinement = confinement = Confinement(ready.missing)
        note_missing(ready.missing)
        wanted = self.config.engines
        engine = next(iter(wanted))
        if engine not in ready.engines:
            raise ConfinementUnavailable(
                f"the {engine} engine asks for the confinement {wanted[engine].label!r} at the "
                f"security level {self.config.level.name}, and this machine gives "
                f"{confinement.rung.label!r}: {confinement.lacks(wanted[engine])}; see what "
                "`doublevm doctor` says"
            )
        self._warn(confinement)
        return confinement

    def opening(self, link: Served) -> Iterator[f.Renew | f.Remember]:
        """Return what a pair has to be told before a run; nothing if the last one was ours too."""
        self.confinement = link.confinement
        if link.serves is self.identity:
            return
        if link.serves is not None:
            yield f.Renew()
        link.serves = self.identity
        yield from self.memories()

    def _warn(self, confinement: Confinement) -> None:
        if confinement.rung < WARN_BELOW and not self._warned:
            self._warned = True
            warnings.warn(
                f"the VMs are confined by {confinement.rung.label!r} only: "
                f"{confinement.lacks(Rung.FULL)}",
                stacklevel=2,
            )

    def memories(self) -> Iterator[f.Remember]:
        """Return what a new pair has to know of this enclave's past, in frames.

        A pair that is killed takes the monitor's history with it; the trail has all of it. So
        splitting an attack over runs, with a crash between them, hides nothing.
        """
        validation = self.config.validation
        if validation is None:
            return
        longest = max(1.0, validation.sequence_window, validation.rapid_enumeration_window)
        batch: list[f.Remembered] = []
        size = 0
        for entry in self.trail.remembered(time.time() - longest):
            size += len(entry.args) + len(entry.name) + ENTRY_BYTES
            if size > MAX_VALUE_BYTES and batch:
                yield f.Remember(tuple(batch))
                batch, size = [], len(entry.args) + ENTRY_BYTES
            batch.append(entry)
        if batch:
            yield f.Remember(tuple(batch))

    def tool_stubs(self) -> str:
        """Return the tools as Python stub text."""
        return stubs(self.config.handlers.tools.values())

    def instructions(self) -> str:
        """Return what a model should know to write programs for this enclave."""
        config = self.config
        return instructions(config.handlers.tools.values(), config.limits, config.engine)
