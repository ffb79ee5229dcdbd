"""The policy: what a policy file says, as the values that an enclave takes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from doublevm.errors import ConfigError
from doublevm.guard_options import Guard
from doublevm.levels import SecurityLevel
from doublevm.limits import Limits
from doublevm.policy import DoubleVM
from doublevm.scoring_options import ScoringGate
from doublevm.shapes import brief


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Options of an enclave that can be kept in a file; those that are None are not said.

    Raises:
        ConfigError: a value is of the wrong type.
    """

    security_level: SecurityLevel | None = None
    """The preset for everything that is not said; STANDARD unless it is given."""
    limits: Limits | None = None
    """Limits of a run; the level's, where they are not said."""
    double_vm: DoubleVM | None = None
    """Settings of the parent VM."""
    guard: Guard | None = None
    """What a program may contain; as the level has it, where it is not said."""
    scoring_gate: ScoringGate | None = None
    """Scores programs before they run; nothing is scored unless it is given."""

    def __post_init__(self) -> None:
        """Check the types; take a level's name for the level."""
        if self.security_level is not None:
            object.__setattr__(self, "security_level", SecurityLevel.of(self.security_level))
        kinds = {"limits": Limits, "double_vm": DoubleVM, "guard": Guard}
        for name, kind in {**kinds, "scoring_gate": ScoringGate}.items():
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise ConfigError(
                    f"policy: {name} must be {kind.__name__}(...) or None, not {brief(value, 80)}"
                )

    @staticmethod
    def read(path: str | os.PathLike[str]) -> Policy:
        """Return the policy that a file says: TOML in UTF-8, of 1 MiB at most.

        Raises:
            ConfigError: the file cannot be read, or is wrong; the message names every mistake with
                its line.
        """
        # Whoever has no policy file does not pay for what reads them.
        from doublevm.host.policy_file.reading import read_policy  # noqa: PLC0415

        return read_policy(path)


def policy_of(policy: Any) -> Policy:
    """Return what an enclave was given as its policy: one, or the file it is in.

    Raises:
        ConfigError: it is neither, or the file is wrong.
    """
    if policy is None:
        return Policy()
    if isinstance(policy, Policy):
        return policy
    if isinstance(policy, str | os.PathLike):
        return Policy.read(policy)
    raise ConfigError(f"policy must be a file's path or Policy(...), not {brief(policy, 80)}")
