"""An enclave's options and its policy made one: what each says, and what the level fills in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from doublevm.errors import ConfigError
from doublevm.guard_options import LEVEL_GUARD, Guard
from doublevm.host.policy_file.values import Policy, policy_of
from doublevm.levels import SecurityLevel, Unsaid
from doublevm.limits import Limits
from doublevm.policy import DoubleVM, ParentValidation
from doublevm.scoring_options import ScoringGate
from doublevm.shapes import brief

if TYPE_CHECKING:
    import os
    from typing import Unpack


class Said(TypedDict):
    """The options of an enclave that a policy may say as well, as the enclave was given them."""

    security_level: SecurityLevel | str | Unsaid
    limits: Limits | None
    double_vm: DoubleVM | None
    guard: Guard | None
    scoring_gate: ScoringGate | None


@dataclass(frozen=True, slots=True)
class Options:
    """What is in effect."""

    level: SecurityLevel
    limits: Limits
    """Complete."""
    double_vm: DoubleVM
    guard: Guard | None
    """What the level says is still to be filled in; None where programs are run unread."""
    scoring_gate: ScoringGate | None


def combined(policy: Policy | str | os.PathLike[str] | None, **said: Unpack[Said]) -> Options:
    """Return what is in effect: options before the policy, and that before the level.

    Limits and the guard are combined field by field. For ``double_vm`` and ``scoring_gate`` that
    cannot be done, as their fields have defaults: one that was not written would undo what the
    policy says. So only one of the two may be given.

    Raises:
        ConfigError: an option or the policy is wrong, or both say what only one of them may.
    """
    _check(**said)
    kept = policy_of(policy)
    level = said["security_level"]
    if level is Unsaid.LEVEL:
        level = kept.security_level or SecurityLevel.STANDARD
    level = SecurityLevel.of(level)
    limits = (said["limits"] or Limits()).over(kept.limits or Limits())
    return Options(
        level=level,
        limits=limits.over(level.settings.limits),
        double_vm=_one("double_vm", said["double_vm"], kept.double_vm) or DoubleVM(),
        guard=_guard(said["guard"], kept.guard),
        scoring_gate=_one("scoring_gate", said["scoring_gate"], kept.scoring_gate),
    )


def in_effect(policy: Policy) -> Policy:
    """Return a policy with everything said, as an enclave that is given nothing else takes it."""
    options = combined(
        policy,
        security_level=Unsaid.LEVEL,
        limits=None,
        double_vm=None,
        guard=LEVEL_GUARD,
        scoring_gate=None,
    )
    assert options.guard is not None
    return Policy(
        security_level=options.level,
        limits=options.limits,
        double_vm=options.double_vm,
        guard=options.guard.over(options.level.settings.guard),
        scoring_gate=options.scoring_gate,
    )


def _one(name: str, said: Any, kept: Any) -> Any:
    if said is not None and kept is not None:
        raise ConfigError(
            f"{name} is given as an option and in the policy, and the defaults of one would undo "
            f"what the other says; give one, or dataclasses.replace(Policy.read(...), {name}=...)"
        )
    return kept if said is None else said


def _guard(said: Guard | None, kept: Guard | None) -> Guard | None:
    if said is None:
        if kept is not None:
            raise ConfigError(
                "guard=None would run programs unread, and the policy says what they may contain; "
                "give one of them"
            )
        return None
    return said.over(kept) if kept else said


def _check(**said: Unpack[Said]) -> None:
    limits, guard = said["limits"], said["guard"]
    if limits is not None and not isinstance(limits, Limits):
        raise ConfigError(f"limits must be Limits(...), not {limits!r}")
    if said["double_vm"] is not None and not isinstance(said["double_vm"], DoubleVM):
        raise _no_double_vm(said["double_vm"])
    if guard is not None and not isinstance(guard, Guard):
        raise ConfigError(f"guard must be Guard(...) or None, not {brief(guard, 80)}")
    if said["scoring_gate"] is not None and not isinstance(said["scoring_gate"], ScoringGate):
        raise _no_scoring_gate(said["scoring_gate"])


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
