"""What the sync and the async pool share: their options, and what a model is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doublevm.guard_options import LEVEL_GUARD
from doublevm.host.core import EnclaveCore
from doublevm.host.settings import settings
from doublevm.levels import SecurityLevel, Unsaid
from doublevm.pool_limits import PoolLimits

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from doublevm.confinement import Confinement
    from doublevm.engine import CPython
    from doublevm.guard_options import Guard
    from doublevm.host.policy_file.values import Policy
    from doublevm.host.sinks.base import Sink
    from doublevm.limits import Limits
    from doublevm.policy import DoubleVM
    from doublevm.scoring_options import ScoringGate


class PoolBase:
    """Options, checked and complete."""

    def __init__(  # noqa: PLR0913 - the enclave's options and the pool's own
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
        min_workers: int | None = None,
        max_workers: int | None = None,
        memory_limit_per_worker: int | None = None,
        max_executions_per_worker: int | None = None,
        max_queue_size: int | None = None,
        queue_timeout: float | None = None,
        idle_timeout: float | None = None,
        max_messages_per_second: int | None = None,
        graceful_shutdown_timeout: float | None = None,
    ) -> None:
        """Check the options; start nothing yet. The first twelve are those of an enclave.

        Args:
            tools: functions, plain or made by ``@tool``, sync or async.
            tool_handler: ``f(name, args)`` for operations that are not among the tools.
            security_level: a SecurityLevel or its name: the policy's, or STANDARD; it sets what
                is left out below.
            limits: Limits of a run that override the level's.
            double_vm: settings of the parent VMs.
            engine: ``"auto"``, ``"monty"``, ``"cpython"`` or ``CPython(...)``.
            inputs: named values every run starts with.
            guard: what programs may contain, over the level's; None to run them unread.
            scoring_gate: scores programs before they run; None: nothing is scored.
            gather_on_one_core: as for an enclave.
            audit: a sink for audit records, or several; all conversations share them.
            policy: a policy file or a Policy, as for an enclave.
            min_workers: workers that are kept ready although nobody needs them.
            max_workers: programs that may run at the same time.
            memory_limit_per_worker: bytes that a worker may have grown by after a run.
            max_executions_per_worker: runs after which a worker is replaced.
            max_queue_size: requests that may wait while every worker is busy.
            queue_timeout: seconds that a request waits at most.
            idle_timeout: seconds after which a worker too many is ended.
            max_messages_per_second: calls, denials and pieces of output of one guest.
            graceful_shutdown_timeout: seconds that ``close()`` waits for runs under way.
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
        own = PoolLimits(
            min_workers=min_workers,
            max_workers=max_workers,
            memory_limit_per_worker=memory_limit_per_worker,
            max_executions_per_worker=max_executions_per_worker,
            max_queue_size=max_queue_size,
            queue_timeout=queue_timeout,
            idle_timeout=idle_timeout,
            max_messages_per_second=max_messages_per_second,
            graceful_shutdown_timeout=graceful_shutdown_timeout,
        )
        self._limits = own.over(config.level.settings.pool)
        self._core = EnclaveCore(config)
        self._begin()

    def _begin(self) -> None:
        """Begin with no workers."""
        raise NotImplementedError

    def _conversation(self) -> EnclaveCore:
        assert self._limits.max_messages_per_second is not None
        return self._core.conversation(self._limits.max_messages_per_second)

    @property
    def confinement(self) -> Confinement | None:
        """What confines the VMs; None before the first has started."""
        return self._core.confinement

    def tool_stubs(self) -> str:
        """Return the tools as Python stub text with docstrings, for the model's prompt."""
        return self._core.tool_stubs()

    def instructions(self) -> str:
        """Return a short text on the guest's language and limits, for the model's prompt."""
        return self._core.instructions()
