"""Assembled filters, judged by a BPF machine of our own: every rule both ways, on each machine."""

from __future__ import annotations

import pytest

from doublevm.jail.bpf import ALLOW, ERRNO, KILL_PROCESS, MAX_INSTRUCTIONS, X32_BIT, assemble
from doublevm.jail.filters import TABLES
from doublevm.jail.rules import Arg, Op, Rule, Table, at_least, below, equal, int_equal, masked
from doublevm.jail.syscalls import MACHINES, Machine
from tests.support.bpf_machine import INSTRUCTION, run, seccomp_data
from tests.support.rule_probes import allowed_arguments, allows, mutations

machines = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
tables = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


def judge(table: Table, machine: Machine, syscall: str, arguments: tuple[int, ...] = ()) -> int:
    number = machine.numbers[syscall]
    assert number is not None
    data = seccomp_data(machine.audit_arch, number, arguments)
    return run(assemble(table, machine), data)


def one_rule(rule: Rule) -> Table:
    return Table("one", (rule,), 1, {})


@machines
@tables
def test_each_rule_lets_through_what_it_says(machine: Machine, table: Table) -> None:
    code = assemble(table, machine)
    for rule in table.rules:
        number = machine.numbers[rule.syscall]
        if number is None:
            continue
        for free in (0, 2**64 - 1, 0x5A5A_5A5A_A5A5_A5A5):
            arguments = allowed_arguments(rule, free)
            assert run(code, seccomp_data(machine.audit_arch, number, arguments)) == ALLOW, rule


@machines
@tables
def test_each_condition_is_needed(machine: Machine, table: Table) -> None:
    """Alone, a rule refuses every mutation; in its table, unless another rule allows it."""
    code = assemble(table, machine)
    tried = 0
    for rule in table.rules:
        number = machine.numbers[rule.syscall]
        if number is None:
            continue
        alone = assemble(one_rule(rule), machine)
        for arguments in mutations(rule, every_bit=True):
            data = seccomp_data(machine.audit_arch, number, arguments)
            assert run(alone, data) == ERRNO | 1, (rule, arguments)
            refusal = ERRNO | table.refusal(rule.syscall)
            expected = ALLOW if allows(table, rule.syscall, arguments) else refusal
            assert run(code, data) == expected, (rule, arguments)
            tried += 1
    assert tried > 500


@machines
@tables
def test_every_other_number_is_refused(machine: Machine, table: Table) -> None:
    code = assemble(table, machine)
    names = {number: name for name, number in machine.numbers.items()}
    listed = {rule.syscall for rule in table.rules}
    for number in range(1024):
        name = names.get(number)
        if name not in listed:
            errno = table.otherwise if name is None else table.refusal(name)
            for filler in (0, 2**64 - 1):
                data = seccomp_data(machine.audit_arch, number, (filler,) * 6)
                assert run(code, data) == ERRNO | errno, name


@machines
@tables
def test_numbers_of_another_abi_kill(machine: Machine, table: Table) -> None:
    code = assemble(table, machine)
    number = machine.numbers["read"]
    assert number is not None
    others = [m.audit_arch for m in MACHINES.values() if m is not machine] + [0, 0x4000_0003]
    for arch in others:
        assert run(code, seccomp_data(arch, number)) == KILL_PROCESS
    x32 = run(code, seccomp_data(machine.audit_arch, number | X32_BIT))
    assert x32 == (KILL_PROCESS if machine.has_x32 else ERRNO | table.otherwise)


@tables
def test_every_rule_and_refusal_names_a_system_call_and_a_reason(table: Table) -> None:
    known = MACHINES["x86_64"].numbers
    assert {rule.syscall for rule in table.rules} <= known.keys()
    assert table.refusals.keys() <= known.keys()
    assert all(rule.why for rule in table.rules)
    assert len(table.rules) == len({(rule.syscall, rule.when) for rule in table.rules})


@machines
@pytest.mark.parametrize("value", [0, 1, 5, 2**31, 2**32 - 1, 2**32, 2**32 + 5, 2**63, 2**64 - 1])
@pytest.mark.parametrize("limit", [1, 5, 2**31, 2**32, 2**32 + 5, 2**64 - 1])
def test_comparisons_see_both_halves(machine: Machine, limit: int, value: int) -> None:
    for arg, expected in [
        (below(2, limit), value < limit),
        (at_least(2, limit), value >= limit),
        (equal(2, limit), value == limit),
        (int_equal(2, limit & (2**32 - 1)), (value ^ limit) & (2**32 - 1) == 0),
        (masked(2, 2**64 - 2, limit & ~1), value | 1 == limit | 1),
    ]:
        table = one_rule(Rule("read", "test", (arg,)))
        found = judge(table, machine, "read", (7, 7, value))
        assert (found == ALLOW) == expected, arg


def test_arguments_are_told_apart() -> None:
    machine = MACHINES["x86_64"]
    for index in range(6):
        table = one_rule(Rule("read", "test", (equal(index, 2**40 + 3),)))
        arguments = [0] * 6
        assert judge(table, machine, "read", tuple(arguments)) == ERRNO | 1
        arguments[index] = 2**40 + 3
        assert judge(table, machine, "read", tuple(arguments)) == ALLOW


@machines
def test_jumps_reach_over_any_number_of_rules(machine: Machine) -> None:
    """300 alternatives are further than the 255 instructions of a conditional jump."""
    rules = tuple(Rule("lseek", "test", (equal(0, n),)) for n in range(300))
    table = Table("long", (*rules, Rule("write", "test")), 1, {})
    assert len(assemble(table, machine)) // INSTRUCTION.size > 2500
    assert judge(table, machine, "lseek", (299,)) == ALLOW
    assert judge(table, machine, "lseek", (300,)) == ERRNO | 1
    assert judge(table, machine, "write") == ALLOW
    assert judge(table, machine, "close") == ERRNO | 1


def test_a_filter_that_the_kernel_would_not_take_is_refused() -> None:
    rules = tuple(Rule("lseek", "test", (equal(0, n),)) for n in range(MAX_INSTRUCTIONS // 4))
    with pytest.raises(ValueError, match="too long"):
        assemble(Table("long", rules, 1, {}), MACHINES["x86_64"])


@pytest.mark.parametrize(
    ("index", "value", "mask"), [(6, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 2**64, 2**65), (0, 2, 1)]
)
def test_conditions_that_can_never_hold_are_refused(index: int, value: int, mask: int) -> None:
    with pytest.raises(ValueError, match=r"compared|mask"):
        Arg(index, Op.MASKED_EQUAL, value, mask)


@machines
def test_a_name_that_is_no_system_call_is_refused(machine: Machine) -> None:
    with pytest.raises(KeyError):
        assemble(one_rule(Rule("raed", "a typing error")), machine)


@machines
def test_one_errno_for_all_refusals(machine: Machine) -> None:
    table = Table("one", (Rule("lseek", "test", (equal(0, 1),)),), 1, {"open": 2, "clone3": 38})
    code = assemble(table, machine, refuse_with=4000)
    for name in ("lseek", "clone3", "close"):
        number = machine.numbers[name]
        assert number is not None
        assert run(code, seccomp_data(machine.audit_arch, number)) == ERRNO | 4000
