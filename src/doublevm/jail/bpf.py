"""Turns a table of rules into a seccomp filter: a program of classic BPF.

The numbers are those of linux/bpf_common.h, linux/filter.h and linux/seccomp.h. A jump of classic
BPF reaches 255 instructions far; so every test here skips one instruction at most, which is the
jump without condition, and that one reaches everywhere: a table may grow without a thought.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Final

from doublevm.jail.rules import INT_BITS, Op

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from doublevm.jail.rules import Arg, Rule, Table
    from doublevm.jail.syscalls import Machine

MAX_INSTRUCTIONS: Final = 4096
"""BPF_MAXINSNS of linux/bpf_common.h."""

KILL_PROCESS: Final = 0x8000_0000
ERRNO: Final = 0x0005_0000
ALLOW: Final = 0x7FFF_0000
"""SECCOMP_RET_* of linux/seccomp.h; the errno goes into the lowest 16 bits."""

_LOAD: Final = 0x20
_JUMP: Final = 0x05
_IF_EQUAL: Final = 0x15
_IF_ABOVE: Final = 0x25
_IF_AT_LEAST: Final = 0x35
_IF_ANY_BIT: Final = 0x45
_AND: Final = 0x54
_RETURN: Final = 0x06

_NUMBER_AT: Final = 0
_ARCH_AT: Final = 4
_ARGUMENTS_AT: Final = 16
"""Offsets in struct seccomp_data of linux/seccomp.h."""

X32_BIT: Final = 0x4000_0000
"""__X32_SYSCALL_BIT of asm/unistd.h."""


def assemble(table: Table, machine: Machine, refuse_with: int | None = None) -> bytes:
    """Return the filter, an array of ``struct sock_filter``.

    ``refuse_with`` replaces every errno of the table: it tells a test who refused.

    Raises:
        KeyError: a rule names a system call that is on no machine.
        ValueError: the filter is longer than the kernel takes.
    """
    program = _Program()
    kill = program.new_label()
    program.check_machine(machine, kill)
    for name, rules in groupby(sorted(table.rules, key=_syscall), _syscall):
        errno = table.refusal(name) if refuse_with is None else refuse_with
        program.judge(machine.numbers[name], list(rules), ERRNO | errno)
    if refuse_with is None:
        for name, errno in table.refusals.items():
            program.judge(machine.numbers[name], [], ERRNO | errno)
    program.emit(_RETURN, ERRNO | (table.otherwise if refuse_with is None else refuse_with))
    program.place(kill)
    program.emit(_RETURN, KILL_PROCESS)
    return program.packed()


def _syscall(rule: Rule) -> str:
    return rule.syscall


@dataclass(slots=True)
class _Program:
    """Instructions (code, jt, jf, k) in the making; a jump's k is a label until it is packed."""

    code: list[tuple[int, int, int, int]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)

    def emit(self, code: int, k: int, jt: int = 0, jf: int = 0) -> None:
        self.code.append((code, jt, jf, k))

    def new_label(self) -> int:
        self.places.append(-1)
        return len(self.places) - 1

    def place(self, label: int) -> None:
        self.places[label] = len(self.code)

    def go_if(self, test: int, k: int, label: int) -> None:
        self.emit(test, k, jt=0, jf=1)
        self.emit(_JUMP, label)

    def go_unless(self, test: int, k: int, label: int) -> None:
        self.emit(test, k, jt=1, jf=0)
        self.emit(_JUMP, label)

    def check_machine(self, machine: Machine, kill: int) -> None:
        """INVARIANT: a number is compared only once it is known what it is a number of."""
        self.emit(_LOAD, _ARCH_AT)
        self.go_unless(_IF_EQUAL, machine.audit_arch, kill)
        self.emit(_LOAD, _NUMBER_AT)
        if machine.has_x32:
            self.go_if(_IF_ANY_BIT, X32_BIT, kill)

    def judge(self, number: int | None, rules: Iterable[Rule], refusal: int) -> None:
        """Allow what one of the rules allows, refuse the rest of this system call."""
        if number is None:
            return
        other = self.new_label()
        self.go_unless(_IF_EQUAL, number, other)
        for rule in rules:
            fails = self.new_label()
            for arg in rule.when:
                self.compare(arg, fails)
            self.emit(_RETURN, ALLOW)
            self.place(fails)
        self.emit(_RETURN, refusal)
        self.place(other)  # the number is still loaded: what compares arguments never gets here

    def compare(self, arg: Arg, fails: int) -> None:
        """Go on if the argument is right. Both machines store the lower half first."""
        low = _ARGUMENTS_AT + 8 * arg.index
        if arg.op is Op.MASKED_EQUAL:
            for at, shift in ((low, 0), (low + 4, 32)):
                self.compare_half(at, arg.mask >> shift & INT_BITS, arg.value >> shift, fails)
            return
        holds = self.new_label()
        smaller, greater = (holds, fails) if arg.op is Op.BELOW else (fails, holds)
        high, rest = arg.value >> 32, arg.value & INT_BITS
        self.emit(_LOAD, low + 4)
        self.go_if(_IF_ABOVE, high, greater)
        self.go_unless(_IF_EQUAL, high, smaller)
        self.emit(_LOAD, low)
        # The last of the tests that fails goes to ``fails``; falling through means it holds.
        (self.go_if if arg.op is Op.BELOW else self.go_unless)(_IF_AT_LEAST, rest, fails)
        self.place(holds)

    def compare_half(self, at: int, mask: int, value: int, fails: int) -> None:
        if mask:
            self.emit(_LOAD, at)
            self.emit(_AND, mask)
            self.go_unless(_IF_EQUAL, value & INT_BITS, fails)

    def packed(self) -> bytes:
        if len(self.code) > MAX_INSTRUCTIONS:
            raise ValueError(f"a filter of {len(self.code)} instructions is too long")
        return b"".join(self._words())

    def _words(self) -> Iterator[bytes]:
        for at, (code, jt, jf, k) in enumerate(self.code):
            distance = self.places[k] - at - 1 if code == _JUMP else k
            yield struct.pack("<HBBI", code, jt, jf, distance)
