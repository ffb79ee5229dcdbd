"""Rules of a filter: which system calls pass, and with which arguments.

They are data, for a table to be read by people, and for tests to be made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ALL_BITS: Final = 2**64 - 1
INT_BITS: Final = 2**32 - 1


class Op(StrEnum):
    """How an argument is compared."""

    MASKED_EQUAL = "masked-equal"
    BELOW = "below"
    AT_LEAST = "at least"


@dataclass(frozen=True, slots=True)
class Arg:
    """What one argument of a system call has to be, as 64 bits without sign.

    Raises ValueError for what no argument can be.
    """

    index: int
    op: Op
    value: int
    mask: int = ALL_BITS

    def __post_init__(self) -> None:
        if self.index not in range(6) or self.value not in range(2**64):
            raise ValueError(f"no argument can be compared like that: {self}")
        if self.value & ~self.mask:
            raise ValueError(f"the value has bits outside the mask: {self}")


def masked(index: int, mask: int, value: int) -> Arg:
    """Compare the bits of the mask alone."""
    return Arg(index, Op.MASKED_EQUAL, value, mask)


def equal(index: int, value: int) -> Arg:
    """Compare all 64 bits: for pointers and ``unsigned long``."""
    return masked(index, ALL_BITS, value)


def int_equal(index: int, value: int) -> Arg:
    """Compare 32 bits: for ``int``, whose other half the kernel does not look at."""
    return masked(index, INT_BITS, value)


def below(index: int, value: int) -> Arg:
    """The argument is smaller than the value."""
    return Arg(index, Op.BELOW, value)


def at_least(index: int, value: int) -> Arg:
    """The argument is the value or greater."""
    return Arg(index, Op.AT_LEAST, value)


@dataclass(frozen=True, slots=True)
class Rule:
    """A system call that passes if all of ``when`` holds; rules of one name are alternatives."""

    syscall: str
    why: str
    when: tuple[Arg, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """What one kind of process may ask of the kernel. Everything else fails with an errno."""

    name: str
    rules: tuple[Rule, ...]
    otherwise: int
    refusals: Mapping[str, int]
    """The errno of system calls for which ``otherwise`` would mislead the caller."""

    def refusal(self, syscall: str) -> int:
        """Return the errno that a refused system call fails with."""
        return self.refusals.get(syscall, self.otherwise)
