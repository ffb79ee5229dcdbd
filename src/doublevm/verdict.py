"""A verdict on one operation: allow it, or deny it with an address.

Deny also when no decision could be safely reached: whatever a barrier cannot understand, it
denies. Code and tests compare the address ``[barrier/rule]``, never the prose.

Where a policy is tried and not enforced, what would have been a denial is a ``WouldDeny``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Allow:
    """The operation goes on to the host."""

    allowed: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Deny:
    """The operation ends here; the guest is told why."""

    barrier: str
    """Which barrier objected, e.g. ``"names"``."""
    rule: str
    """Which of its rules, e.g. ``"unregistered"``."""
    reason: str
    """What a person or a model should know, without the operation's name."""

    allowed: ClassVar[bool] = False

    @property
    def address(self) -> str:
        """``barrier/rule``, the stable name of this denial."""
        return f"{self.barrier}/{self.rule}"

    def message(self, operation: str) -> str:
        """Return the line the guest sees: ``mail:send denied: … [sequence/EXFIL_LIST_SEND]``."""
        return f"{operation} denied: {self.reason} [{self.address}]"


@dataclass(frozen=True, slots=True)
class WouldDeny:
    """The operation goes on to the host, though a policy that is only tried objects to it."""

    barrier: str
    """Which barrier objected, e.g. ``"rate"``."""
    rule: str
    """Which of its rules."""
    reason: str
    """What the guest would have been told; it is not told."""

    allowed: ClassVar[bool] = True

    @property
    def address(self) -> str:
        """``barrier/rule``, the name that the denial would have."""
        return f"{self.barrier}/{self.rule}"


def would_be(denial: Deny) -> WouldDeny:
    """Return what becomes of a denial that is not enforced."""
    return WouldDeny(denial.barrier, denial.rule, denial.reason)


Verdict = Allow | WouldDeny | Deny
