"""What a table of rules means, told without BPF, and arguments that try it from both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doublevm.jail.rules import ALL_BITS, Arg, Op, Rule, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

Arguments = tuple[int, ...]


def holds(arg: Arg, value: int) -> bool:
    match arg.op:
        case Op.MASKED_EQUAL:
            return value & arg.mask == arg.value
        case Op.BELOW:
            return value < arg.value
        case Op.AT_LEAST:
            return value >= arg.value


def allows(table: Table, syscall: str, arguments: Arguments) -> bool:
    return any(
        all(holds(arg, arguments[arg.index]) for arg in rule.when)
        for rule in table.rules
        if rule.syscall == syscall
    )


def allowed_arguments(rule: Rule, free: int = ALL_BITS) -> Arguments:
    """Return arguments that the rule lets through; what it does not look at is ``free``.

    With all bits set, nearly every call fails harmlessly: no descriptor and no address is that.
    """
    arguments = [free] * 6
    for index in range(6):
        here = [arg for arg in rule.when if arg.index == index]
        if here:
            arguments[index] = next(v for v in _candidates(here) if all(holds(a, v) for a in here))
    return tuple(arguments)


def mutations(rule: Rule, *, every_bit: bool) -> Iterator[Arguments]:
    """Return arguments that the rule refuses, each for one of its conditions."""
    good = allowed_arguments(rule)
    for arg in rule.when:
        for wrong in _wrong_values(arg, every_bit=every_bit):
            yield (*good[: arg.index], wrong, *good[arg.index + 1 :])


def _candidates(args: list[Arg]) -> Iterator[int]:
    for arg in sorted(args, key=lambda arg: arg.op is not Op.BELOW):
        yield arg.value - 1 if arg.op is Op.BELOW else arg.value


def _wrong_values(arg: Arg, *, every_bit: bool) -> list[int]:
    if arg.op is Op.BELOW:
        return [arg.value, arg.value + (1 << 32), ALL_BITS]
    if arg.op is Op.AT_LEAST:
        return [arg.value - 1, 0]
    bits = [bit for bit in range(64) if arg.mask >> bit & 1]
    return [arg.value ^ (1 << bit) for bit in (bits if every_bit else {bits[0], bits[-1]})]
