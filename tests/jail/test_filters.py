"""Every rule of every table, tried on this kernel: it lets through what it says, and no more.

All calls are made by a process of a user without rights, in an empty folder. Where a call is let
through, its arguments are ones that it fails for (no such descriptor, no such address).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from doublevm.jail import seccomp
from doublevm.jail.filters import GUEST, PARENT, TABLES, TEMPLATE, WORKER
from doublevm.jail.rules import ALL_BITS, Rule, Table
from doublevm.jail.syscalls import UnsupportedMachineError, this_machine
from tests.support.rule_probes import allowed_arguments, allows, mutations
from tests.support.syscall_prober import TELLTALE, Call, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

try:
    NUMBERS = this_machine().numbers
except UnsupportedMachineError as reason:
    pytest.skip(str(reason), allow_module_level=True)

PROBER = Path(__file__).parents[1] / "support" / "syscall_prober.py"
ENDS = {"exit": "ended with 255", "exit_group": "ended with 255", "rt_sigreturn": "ended with -11"}
"""Calls that do not come back; a frame for a signal that was never there is an invalid address."""

tables = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


@pytest.fixture
def probe(tmp_path: Path) -> Callable[[Table, list[list[Call]]], list[Outcome]]:
    def run(table: Table, batches: list[list[Call]]) -> list[Outcome]:
        request = json.dumps({"table": table.name, "batches": batches})
        done = subprocess.run(
            [sys.executable, str(PROBER)],
            input=request,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            cwd=tmp_path,
        )
        assert (done.returncode, done.stderr) == (0, "")
        outcomes: list[Outcome] = json.loads(done.stdout)
        return outcomes

    return run


def rules_here(table: Table) -> Iterator[tuple[Rule, int]]:
    for rule in table.rules:
        number = NUMBERS[rule.syscall]
        if number is not None:
            yield rule, number


@tables
def test_what_a_rule_allows_reaches_the_kernel(
    probe: Callable[[Table, list[list[Call]]], list[Outcome]], table: Table
) -> None:
    rules = list(rules_here(table))
    batches: list[list[Call]] = [
        [(number, list(allowed_arguments(rule)))] for rule, number in rules
    ]
    assert len(batches) > 40
    for (rule, _), outcome in zip(rules, probe(table, batches), strict=True):
        if rule.syscall in ENDS:
            assert outcome == [ENDS[rule.syscall]], rule
        elif rule.syscall != "clone" or outcome != ["ended with -11"]:  # a thread without a stack
            (errno,) = outcome
            assert isinstance(errno, int), (rule, errno)
            assert errno != TELLTALE, rule


@tables
def test_what_a_rule_does_not_allow_is_refused(
    probe: Callable[[Table, list[list[Call]]], list[Outcome]], table: Table
) -> None:
    calls: list[Call] = [
        (number, list(arguments))
        for rule, number in rules_here(table)
        for arguments in mutations(rule, every_bit=False)
        if not allows(table, rule.syscall, arguments)
    ]
    assert len(calls) > 25
    assert probe(table, [calls]) == [[TELLTALE] * len(calls)]


@tables
def test_every_other_system_call_is_refused(
    probe: Callable[[Table, list[list[Call]]], list[Outcome]], table: Table
) -> None:
    listed = {rule.syscall for rule in table.rules}
    names = [name for name, number in NUMBERS.items() if number is not None and name not in listed]
    calls: list[Call] = [(NUMBERS[name] or 0, [ALL_BITS] * 6) for name in names]
    assert len(calls) > 240
    (outcome,) = probe(table, [calls])
    assert dict(zip(names, outcome, strict=True)) == dict.fromkeys(names, TELLTALE)


FORBIDDEN = [
    (GUEST, "clone fork kill tgkill openat socket execve prctl getppid ioctl fcntl dup pipe2 poll"),
    (TEMPLATE, "vfork clone3 tgkill openat socket execve setpriority setresuid unshare pidfd_open"),
    (PARENT, "clone fork kill tgkill openat socket execve prctl ioctl dup pipe2 epoll_create1"),
    (
        WORKER,
        """fork clone3 kill tgkill socket ptrace process_vm_readv process_vm_writev pidfd_open
        pidfd_getfd mount unshare setns chroot unlink unlinkat open creat ioctl dup memfd_create""",
    ),
]


IN_NONE = """
ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp socket connect bind
sendto sendmsg mount umount2 pivot_root open_tree move_mount fsopen unshare setns chroot open
creat openat2 unlink unlinkat rename renameat2 link symlink mkdir mknod chmod chown truncate bpf
perf_event_open io_uring_setup keyctl add_key userfaultfd init_module finit_module kexec_load
reboot memfd_create execveat setuid setresuid setgid capset ioctl tgkill tkill rt_sigqueueinfo
shmget msgget semget personality modify_ldt iopl ioperm
"""


@tables
def test_what_must_never_get_into_any(table: Table) -> None:
    names = set(IN_NONE.split())
    assert names <= set(NUMBERS)
    assert not names & {rule.syscall for rule in table.rules}


@pytest.mark.parametrize(("table", "names"), FORBIDDEN, ids=[t.name for t, _ in FORBIDDEN])
def test_what_must_never_get_into_a_table(table: Table, names: str) -> None:
    assert not set(names.split()) & {rule.syscall for rule in table.rules}


def test_a_guest_has_no_more_than_its_template() -> None:
    assert set(GUEST.rules) < set(TEMPLATE.rules)


def test_seccomp_is_available_here_and_leaves_the_asker_alone() -> None:
    before = filters_of_this_process()
    assert seccomp.available() is None
    assert filters_of_this_process() == before


def filters_of_this_process() -> list[str]:
    status = Path("/proc/self/status").read_text().splitlines()
    return [line for line in status if line.startswith(("Seccomp", "NoNewPrivs"))]


def test_a_kernel_that_refuses_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> int:
        raise PermissionError(1, "seccomp: refused here")

    monkeypatch.setattr(seccomp, "syscall", refuse)
    assert seccomp.available() == "[Errno 1] seccomp: refused here"


def test_a_filter_without_effect_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "syscall", lambda *arguments: 0)
    assert "no effect" in (seccomp.available() or "")
