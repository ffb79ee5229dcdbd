"""What a driver drives: a run, or a check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator

    from doublevm.host.effects import Effect
    from doublevm.host.holding import Fault

R_co = TypeVar("R_co", covariant=True)


class Steps(Protocol[R_co]):
    """A conversation with a parent VM as a generator of effects, see ``run``."""

    @property
    def spent(self) -> bool:
        """Whether the pair can be asked nothing else."""

    @property
    def fault(self) -> Fault:
        """Why it cannot, if it cannot."""

    @property
    def has_started(self) -> bool:
        """Whether a guest has begun to run, as far as the host knows."""

    def steps(self) -> Generator[Effect, Any, R_co]:
        """Yield what to do, be sent what happened, return the result."""

    def timed_out(self) -> R_co:
        """Return the result, or raise the error, of one that was given up on."""
