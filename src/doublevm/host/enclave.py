"""The sync Enclave and its driver.

The run is driven in a thread of its own while the caller's waits with a clock. So a handler that
never returns keeps only that thread: the caller kills the pair when time is up, and goes on. It
costs one hand-over per run and none per call.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, TypeVar

from doublevm.errors import VMCrashed
from doublevm.guard_options import LEVEL_GUARD
from doublevm.host.core import EnclaveCore
from doublevm.host.cores import cores
from doublevm.host.driver import Driver
from doublevm.host.holding import OwnPair
from doublevm.host.link import LinkClosedError
from doublevm.host.session import Session
from doublevm.host.settings import settings
from doublevm.levels import SecurityLevel, Unsaid
from doublevm.wire import frames as f

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self

    from doublevm.audit import AuditRecord
    from doublevm.confinement import Confinement
    from doublevm.engine import CPython
    from doublevm.guard_options import Guard
    from doublevm.host.holding import Holding
    from doublevm.host.link import PairLink
    from doublevm.host.policy_file.values import Policy
    from doublevm.host.sinks.base import Sink
    from doublevm.host.steps import Steps
    from doublevm.limits import Limits
    from doublevm.policy import DoubleVM
    from doublevm.result import CheckReport, RunResult
    from doublevm.scoring_options import ScoringGate

R = TypeVar("R")


class Enclave:
    """Runs programs written by a language model, and lets them call your tools.

    One enclave is one conversation: it runs one program at a time, and earlier runs count for later
    ones. Each run gets a fresh guest; ``session()`` keeps it. Processes start
    with the first run and end with ``close()``, the ``with`` block, or the host.

    Tools run in a thread other than the caller's: one that never returns is abandoned when the run
    ends.

    Raises:
        ConfigError: an option is wrong; the message names it.
    """

    def __init__(  # noqa: PLR0913 - one parameter an option
        self,
        *,
        tools: Iterable[Any] = (),
        tool_handler: Callable[[str, dict[str, Any]], Any] | None = None,
        security_level: SecurityLevel | str | Unsaid = Unsaid.LEVEL,
        limits: Limits | None = None,
        double_vm: DoubleVM | None = None,
        engine: str | CPython = "auto",
        inputs: dict[str, Any] | None = None,
        guard: Guard | None = LEVEL_GUARD,
        scoring_gate: ScoringGate | None = None,
        gather_on_one_core: bool = True,
        audit: Sink | Iterable[Sink] | None = None,
        policy: Policy | str | os.PathLike[str] | None = None,
    ) -> None:
        """Check the options; start nothing yet.

        Args:
            tools: functions, plain or made by ``@tool``, sync or async.
            tool_handler: ``f(name, args)`` for operations that are not among the tools.
            security_level: a SecurityLevel or its name: the policy's, or STANDARD.
            limits: Limits that override the level's.
            double_vm: settings of the parent VM.
            engine: ``"auto"``, ``"monty"``, ``"cpython"`` or ``CPython(...)``.
            inputs: named values every run starts with.
            guard: what programs may contain, over the level's; None to run them unread.
            scoring_gate: scores programs before they run; None: nothing is scored.
            gather_on_one_core: whether a run's processes share one core until its guest computes.
            audit: a sink for audit records, or several; they are not closed with the enclave.
            policy: a policy file or a Policy; options that are given here go before it.
        """
        config = settings(
            tools=tools,
            tool_handler=tool_handler,
            security_level=security_level,
            limits=limits,
            double_vm=double_vm,
            engine=engine,
            inputs=inputs,
            guard=guard,
            scoring_gate=scoring_gate,
            gather_on_one_core=gather_on_one_core,
            audit=audit,
            policy=policy,
        )
        self._begin(EnclaveCore(config), OwnPair(config.kind))

    @classmethod
    def _holding(cls, core: EnclaveCore, held: Holding) -> Self:
        """Return an enclave that holds its pair in another way."""
        enclave = cls.__new__(cls)
        enclave._begin(core, held)  # noqa: SLF001 - this class's own
        return enclave

    def _begin(self, core: EnclaveCore, held: Holding) -> None:
        self._core, self._held = core, held
        weakref.finalize(self, held.abandon)

    def run(
        self,
        program: str,
        *,
        inputs: dict[str, Any] | None = None,
        on_output: Callable[[str, str], None] | None = None,
    ) -> RunResult:
        """Run a program in a fresh guest and return how it ended.

        Args:
            program: Python source.
            inputs: named values for this run, on top of the enclave's.
            on_output: called with ``"stdout"`` or ``"stderr"`` and text as it is printed.

        Raises:
            ConfigError: an argument is wrong, the enclave is closed or already running.
            VMError: a VM failed; the enclave stays usable.
        """
        return self._run(program, inputs, on_output, session=False)

    def check(self, program: str, *, inputs: dict[str, Any] | None = None) -> CheckReport:
        """Read a program as ``run`` does, without running it.

        Args:
            program: Python source.
            inputs: named values that it would be given, on top of the enclave's.

        Raises:
            ConfigError: an argument is wrong, the enclave is closed or running.
            VMError: a VM failed; the enclave stays usable.
        """
        session = self._core.in_session
        with self._core.running(session=session):
            check = self._core.host_check(program, inputs)
            return self._run_on_pair(check, session=session)

    def session(self) -> Session:
        """Return a session, to be used with ``with``: its runs share variables and functions."""
        return Session(self)

    @property
    def history(self) -> tuple[AuditRecord, ...]:
        """Every operation attempted in this enclave, over all its runs."""
        return self._core.trail.records

    @property
    def confinement(self) -> Confinement | None:
        """What confines the VMs; None before the first run."""
        return self._core.confinement

    def tool_stubs(self) -> str:
        """Return the tools as Python stub text with docstrings, for the model's prompt."""
        return self._core.tool_stubs()

    def instructions(self) -> str:
        """Return a short text on the guest's language and limits, for the model's prompt."""
        return self._core.instructions()

    def close(self) -> None:
        """End the enclave's processes. Safe to call twice."""
        self._core.close()
        self._held.close()

    def __enter__(self) -> Self:
        """Return the enclave; it starts with its first run."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the enclave."""
        self.close()

    # --- driving ------------------------------------------------------------------------------

    @property
    def _link(self) -> PairLink | None:
        return self._held.link

    def _run(
        self,
        program: str,
        inputs: dict[str, Any] | None,
        on_output: Callable[[str, str], None] | None,
        *,
        session: bool,
    ) -> RunResult:
        with self._core.running(session=session):
            host_run = self._core.host_run(program, inputs, on_output, session=session)
            try:
                return self._run_on_pair(host_run, session=session)
            finally:
                if not session:
                    self._held.rest()
                words, recorder = host_run.last_words(), self._core.recorder
                if recorder is not None and (words or recorder.is_behind):
                    recorder.write_soon(words, self._held.submit)

    def _run_on_pair(self, host_run: Steps[R], *, session: bool) -> R:
        link = self._held.live()
        idle = link.greeted and not link.keeps_guest
        try:
            return self._drive(link, host_run, session=session)
        except VMCrashed:
            if not idle or host_run.has_started:
                raise
        # The pair died between two runs, when nothing could be lost.
        return self._drive(self._held.live(), host_run, session=session)

    def _drive(self, link: PairLink, host_run: Steps[R], *, session: bool) -> R:
        with cores.one(wanted=self._core.config.gather_on_one_core) as core:
            driver = Driver(link, host_run, self._core, self._held.submit, core)
            try:
                result = driver.result()
                link.keeps_guest = session
                return result
            finally:
                if not driver.ended_well:
                    self._held.drop(kill=True, why=host_run.fault)

    def _end_session(self) -> None:
        self._core.close_session()
        link = self._held.link
        try:
            if link is not None and link.greeted and link.process.ours:
                link.keeps_guest = False
                link.send(f.EndSession())
        except (VMCrashed, LinkClosedError):  # and its guest with it
            self._held.drop(kill=True)
        finally:
            self._held.rest()
