from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from doublevm.jail.syscalls import MACHINES, Machine, UnsupportedMachineError, this_machine

HEADERS = [
    Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    Path("/usr/include/asm/unistd_64.h"),
]


def test_numbers_of_x86_64_are_those_of_the_header() -> None:
    header = next((path for path in HEADERS if path.is_file()), None)
    if header is None:
        pytest.skip("the kernel's headers for x86_64 are not installed")
    rows = re.findall(r"^#define __NR_(\w+)\s+(\d+)$", header.read_text(), re.MULTILINE)
    theirs = {name: int(number) for name, number in rows}
    assert len(theirs) > 300
    ours = MACHINES["x86_64"].numbers
    probes = {335, 336}
    assert {n: v for n, v in theirs.items() if ours.get(n) != v and v not in probes} == {}


def test_numbers_of_aarch64_are_those_of_the_header() -> None:
    header = Path("/usr/include/asm-generic/unistd.h")
    if not header.is_file():
        pytest.skip("the kernel's generic headers are not installed")
    rows = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", header.read_text(), re.MULTILINE)
    theirs = {int(number): name for name, number in rows if name != "syscalls"}  # their count
    assert len(theirs) > 280
    names = {"fstatat": "newfstatat"}
    ours = {v: n for n, v in MACHINES["aarch64"].numbers.items() if v is not None}
    in_common = theirs.keys() & ours.keys()
    assert len(in_common) > 280
    assert {n: ours[n] for n in in_common if ours[n] != names.get(theirs[n], theirs[n])} == {}


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_no_number_stands_for_two_calls(machine: Machine) -> None:
    numbers = [number for number in machine.numbers.values() if number is not None]
    assert len(numbers) == len(set(numbers)) > 300


def test_what_aarch64_has_not() -> None:
    missing = {name for name, number in MACHINES["aarch64"].numbers.items() if number is None}
    assert {"open", "stat", "access", "fork", "vfork", "time", "pipe", "arch_prctl"} <= missing
    assert not {"openat", "clone", "clone3", "mmap", "seccomp"} & missing


def test_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = os.uname_result(("Linux", "host", "6.1", "", "riscv64"))
    monkeypatch.setattr(os, "uname", lambda: other)
    with pytest.raises(UnsupportedMachineError, match="riscv64"):
        this_machine.__wrapped__()
