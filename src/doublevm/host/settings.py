"""An enclave's configuration: its options checked, completed, and ready to be sent."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, get_args

from doublevm.engine import CPython
from doublevm.errors import ConfigError
from doublevm.guard_options import Guard
from doublevm.host.guarding import guarding
from doublevm.host.handlers import Handlers
from doublevm.host.policy import misnamed, validation_frame
from doublevm.host.programs import check_inputs, encode_inputs
from doublevm.host.scoring import scorer_of, scoring_frame
from doublevm.host.sinks.base import sinks_of
from doublevm.host.zygote import Kind
from doublevm.instructions import stubs
from doublevm.levels import SecurityLevel
from doublevm.limits import Limits
from doublevm.policy import DoubleVM, ParentValidation
from doublevm.scoring_options import ScoringGate
from doublevm.shapes import brief
from doublevm.wire import frames as f

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from doublevm.confinement import Rung
    from doublevm.host.sinks.base import Sink
    from doublevm.score import ScoringRequest


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


def settings(  # noqa: PLR0913 - one parameter an option
    *,
    tools: Iterable[Any],
    tool_handler: Callable[[str, dict[str, Any]], Any] | None,
    security_level: SecurityLevel | str,
    limits: Limits | None,
    double_vm: DoubleVM | None,
    engine: str | CPython,
    inputs: dict[str, Any] | None,
    gather_on_one_core: bool,
    guard: Guard | None,
    scoring_gate: ScoringGate | None,
    audit: Sink | Iterable[Sink] | None,
) -> Settings:
    """Check an enclave's options.

    Raises:
        ConfigError: one is wrong; the message names it and says what would be right.
    """
    level = SecurityLevel.of(security_level)
    if limits is not None and not isinstance(limits, Limits):
        raise ConfigError(f"limits must be Limits(...), not {limits!r}")
    if double_vm is not None and not isinstance(double_vm, DoubleVM):
        raise _no_double_vm(double_vm)
    extra = engine if isinstance(engine, CPython) else CPython()
    if guard is not None and not isinstance(guard, Guard):
        raise ConfigError(f"guard must be Guard(...) or None, not {brief(guard, 80)}")
    if not isinstance(gather_on_one_core, bool):
        raise ConfigError(f"gather_on_one_core must be True or False, not {gather_on_one_core!r}")
    if scoring_gate is not None and not isinstance(scoring_gate, ScoringGate):
        raise _no_scoring_gate(scoring_gate)
    choice = _engine(engine)
    handlers = Handlers(tools, tool_handler)
    checked = check_inputs(inputs, handlers)
    encode_inputs(checked)
    complete = (limits or Limits()).over(level.settings.limits)
    double_vm = double_vm or DoubleVM()
    validation = _validation(double_vm, handlers)
    return Settings(
        handlers=handlers,
        level=level,
        limits=complete,
        double_vm=double_vm,
        engine=choice,
        packages=tuple(extra.packages),
        folders=extra.folders,
        inputs=checked,
        validation=validation,
        gather_on_one_core=gather_on_one_core,
        guard=guarding(
            guard, level, choice, extra.packages, lambda: stubs(handlers.tools.values())
        ),
        scoring_gate=scoring_gate,
        scoring=scoring_frame(scoring_gate),
        scorer=scorer_of(scoring_gate),
        sinks=sinks_of(audit),
    )


def _no_double_vm(value: object) -> ConfigError:
    hint = ""
    if isinstance(value, ParentValidation):
        hint = "; write DoubleVM(parent_validation=...)"
    elif value is False:
        hint = "; write DoubleVM(enabled=False)"
    return ConfigError(f"double_vm must be DoubleVM(...), not {brief(value, 80)}{hint}")


def _no_scoring_gate(value: object) -> ConfigError:
    hint = "; write ScoringGate()" if value is True or value == "rules" else ""
    return ConfigError(
        f"scoring_gate must be ScoringGate(...) or None, not {brief(value, 80)}{hint}"
    )


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
        return validation_frame(validation)
    warnings.warn(
        "DoubleVM(enabled=False): operations are relayed without judging names, rate and sequences",
        stacklevel=4,
    )
    return None
