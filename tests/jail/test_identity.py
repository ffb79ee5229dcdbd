from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.jail.conftest import Stranger

IMPORTS = "os, sys; from doublevm.jail import identity, libc"


@pytest.mark.parametrize("missing", [False, True], ids=["close_range", "one by one"])
def test_closes_all_but(as_stranger: Callable[..., Stranger], *, missing: bool) -> None:
    code = """
    if sys.argv[1] == "True":
        def refuse(*arguments):
            raise OSError(38, "close_range")
        identity.syscall = refuse
    fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(20)]
    os.dup2(fds[0], 300)
    kept = [fds[3], fds[4], fds[10]]
    identity.close_all_but([1, 2, *kept])
    def is_open(fd):
        try:
            return bool(os.fstat(fd))
        except OSError:
            return False
    assert [fd for fd in range(400) if is_open(fd)] == [1, 2, *kept]
    identity.close_all_but([2])
    assert [fd for fd in range(400) if is_open(fd)] == [2]
    """
    done = as_stranger(code, missing, imports=IMPORTS)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_new_privs(as_stranger: Callable[..., Stranger]) -> None:
    code = "print(libc.prctl(39)); identity.no_new_privs(); print(libc.prctl(39))"
    assert as_stranger(code, imports=IMPORTS).stdout == "0\n1\n"


def test_capabilities_go(as_stranger: Callable[..., Stranger]) -> None:
    """As root in a namespace of its own if this is an ordinary user: there it has them all."""
    code = """
    def sets():
        rows = [row.split() for row in open("/proc/self/status") if row.startswith("Cap")]
        return {name.rstrip(":"): int(bits, 16) for name, bits in rows}
    try:
        libc.syscall("unshare", 0x10000000)
    except OSError:
        print("SKIP")
        sys.exit()
    assert sets()["CapEff"] == sets()["CapBnd"] != 0  # the control
    identity.drop_capabilities()
    print(set(sets().values()))
    """
    done = as_stranger(code, imports=IMPORTS)
    if done.stdout == "SKIP\n":
        pytest.skip("no user namespaces here")
    assert done.stdout == "{0}\n", done.stderr


def test_an_error_of_the_c_library_has_its_number_and_kind(
    as_stranger: Callable[..., Stranger],
) -> None:
    code = """
    for call, kind in (
        (lambda: libc.prctl(-1), OSError),
        (lambda: libc.syscall("mount", b"x", b"/", b"tmpfs", 0, None), PermissionError),
        (lambda: libc.syscall("chdir", b"/nowhere"), FileNotFoundError),
    ):
        try:
            call()
        except kind as error:
            print(error.errno)
    """
    assert as_stranger(code, imports=IMPORTS).stdout == "22\n1\n2\n"
