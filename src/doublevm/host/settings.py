"""An enclave's configuration: its options checked, completed, and ready to be sent."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast, get_args

from doublevm.engine import CPython
from doublevm.errors import ConfigError
from doublevm.host.guarding import guarding
from doublevm.host.handlers import Handlers
from doublevm.host.options import Said, combined
from doublevm.host.policy import misnamed, validation_frame
from doublevm.host.programs import check_inputs, encode_inputs
from doublevm.host.scoring import scorer_of, scoring_frame
from doublevm.host.sinks.base import sinks_of
from doublevm.host.zygote import Kind
from doublevm.instructions import stubs
from doublevm.wire import frames as f

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from typing import Unpack

    from doublevm.confinement import Rung
    from doublevm.host.policy_file.values import Policy
    from doublevm.host.sinks.base import Sink
    from doublevm.levels import SecurityLevel
    from doublevm.limits import Limits
    from doublevm.policy import DoubleVM
    from doublevm.score import ScoringRequest
    from doublevm.scoring_options import ScoringGate


@dataclass(frozen=True, slots=True)
class Settings:
    """An enclave's configuration, checked and complete."""

    handlers: Handlers
    level: SecurityLevel
    limits: Limits
    double_vm: DoubleVM
    engine: f.EngineChoice
    packages: tuple[str, ...]
    folders: tuple[str, ...]
    """Where the packages are found."""
    inputs: dict[str, Any]
    validation: f.Validation | None
    gather_on_one_core: bool
    guard: f.Guarding | None
    scoring_gate: ScoringGate | None
    scoring: f.Scoring | None
    """What the parent VM has to know of it."""
    scorer: Callable[[ScoringRequest], Any] | None
    """What is asked here, if anything is."""
    sinks: tuple[Sink, ...]

    @property
    def run_limits(self) -> f.RunLimits:
        """The limits as the parent VM is told them."""
        names = f.RunLimits.__struct_fields__
        return f.RunLimits(**{name: getattr(self.limits, name) for name in names})

    @property
    def engines(self) -> dict[f.EngineName, Rung]:
        """The engines that may be needed, and the weakest confinement each may run on."""
        level = self.level.settings
        if self.engine != "auto":
            return {self.engine: level.weakest[self.engine]}
        may = level.auto_may_use_cpython
        return {name: rung for name, rung in level.weakest.items() if may or name == "monty"}

    @property
    def kind(self) -> Kind:
        """What pairs of this enclave are made of."""
        return Kind(self.engines.get("cpython"), self.packages, self.folders)

    @property
    def timeout(self) -> float:
        """Seconds a run may take."""
        return self.run_limits.timeout


def settings(
    *,
    tools: Iterable[Any],
    tool_handler: Callable[[str, dict[str, Any]], Any] | None,
    engine: str | CPython,
    inputs: dict[str, Any] | None,
    gather_on_one_core: bool,
    audit: Sink | Iterable[Sink] | None,
    policy: Policy | str | os.PathLike[str] | None,
    **said: Unpack[Said],
) -> Settings:
    """Check an enclave's options.

    Raises:
        ConfigError: one is wrong; the message names it and says what would be right.
    """
    options = combined(policy, **said)
    gate = options.scoring_gate
    if not isinstance(gather_on_one_core, bool):
        raise ConfigError(f"gather_on_one_core must be True or False, not {gather_on_one_core!r}")
    choice, extra = _engine(engine), engine if isinstance(engine, CPython) else CPython()
    handlers = Handlers(tools, tool_handler)
    shown = partial(stubs, handlers.tools.values())
    return Settings(
        handlers=handlers,
        level=options.level,
        limits=options.limits,
        double_vm=options.double_vm,
        engine=choice,
        packages=tuple(extra.packages),
        folders=extra.folders,
        inputs=_inputs(inputs, handlers),
        validation=_validation(options.double_vm, handlers),
        gather_on_one_core=gather_on_one_core,
        guard=guarding(options.guard, options.level, choice, extra.packages, shown),
        scoring_gate=gate,
        scoring=scoring_frame(gate),
        scorer=scorer_of(gate),
        sinks=sinks_of(audit),
    )


def _inputs(inputs: dict[str, Any] | None, handlers: Handlers) -> dict[str, Any]:
    checked = check_inputs(inputs, handlers)
    encode_inputs(checked)
    return checked


def _engine(engine: object) -> f.EngineChoice:
    if isinstance(engine, CPython):
        return "cpython"
    known = get_args(f.EngineChoice)
    if engine not in known:
        names = ", ".join(repr(name) for name in known)
        raise ConfigError(f"engine must be one of {names} or CPython(...), not {engine!r}")
    return cast("f.EngineChoice", engine)


def _validation(double_vm: DoubleVM, handlers: Handlers) -> f.Validation | None:
    validation = double_vm.parent_validation
    if double_vm.enabled:
        doubt = None if handlers.catch_all else misnamed(validation, handlers.tools)
        if doubt:
            warnings.warn(doubt, stacklevel=4)
        if not validation.enforce:
            warnings.warn(
                "ParentValidation(enforce=False): what names, rate and sequences would deny is "
                "recorded and let through",
                stacklevel=4,
            )
        return validation_frame(validation)
    warnings.warn(
        "DoubleVM(enabled=False): operations are relayed without judging names, rate and sequences",
        stacklevel=4,
    )
    return None
