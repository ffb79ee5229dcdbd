"""Memory and output: each has its limit, its code, and an enclave that is usable afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from doublevm import ErrorCode, Limits
from tests.behaviour.drivers import Driven, opened
from tests.support.procfs import inner_vms, is_alive, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.behaviour.drivers import Engine, Opens

MIB = 2**20
LIMITS = Limits(timeout=30, memory=32 * MIB, max_output_bytes=50_000, max_prints=300)

guests: set[int] = set()


def mark() -> None:
    guests.update(process.pid for process in inner_vms())


@pytest.fixture(scope="module")
def enclave(engine: Engine) -> Iterator[Driven]:
    """Of one driver: the parent VM and the engine hold these limits, whoever drives them."""
    with opened("sync", engine=engine, tools=[mark], limits=LIMITS) as one:
        yield one


MEMORY: dict[str, str] = {
    "a list that grows": "x = []\nwhile True: x.append('x' * 1000)",
    "text that doubles": "x = 'x'\nwhile True: x += x",
    "nested lists": "x = []\nwhile True: x = [x, x]",
    "one large list": "[0] * 10 ** 10",
    "one large text": "'x' * 10 ** 10",
    "a wide format": "f'{1:>10000000000}'",
    "a dict": "{n: str(n) for n in range(10 ** 9)}",
    "a shift": "1 << 10 ** 11",
    "objects": "class A: pass\n[A() for n in range(10 ** 8)]",
}


@pytest.mark.parametrize("name", MEMORY)
def test_a_guest_that_needs_too_much_memory_is_ended(enclave: Driven, name: str) -> None:
    guests.clear()
    error = enclave.run(f"mark()\n{MEMORY[name]}").error
    assert error is not None
    assert error.code is ErrorCode.MEMORY_LIMIT_EXCEEDED, error
    assert enclave.run("1 + 1").unwrap() == 2


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("x = 'x'\nwhile True: x += x", ErrorCode.MEMORY_LIMIT_EXCEEDED),
        ("while True: print('x')", ErrorCode.OUTPUT_LIMIT_EXCEEDED),
    ],
)
def test_both_drivers_go_on_afterwards(open_enclave: Opens, program: str, code: ErrorCode) -> None:
    enclave = open_enclave(limits=LIMITS)
    error = enclave.run(program).error
    assert error is not None
    assert error.code is code
    assert enclave.run("1 + 1").unwrap() == 2


@pytest.mark.parametrize("engine", ["monty"])  # which knows the size before it computes
def test_a_huge_power_is_refused_for_its_size(open_enclave: Opens) -> None:
    error = open_enclave(limits=LIMITS).run("10 ** 10 ** 8").error
    assert error is not None
    assert error.code is ErrorCode.MEMORY_LIMIT_EXCEEDED


@pytest.mark.parametrize("engine", ["cpython"])  # monty lets no guest catch it
def test_a_guest_may_catch_its_memory_error(open_enclave: Opens) -> None:
    program = (
        "x = []\ntry:\n    while True: x.append('x' * 10 ** 6)\n"
        "except MemoryError:\n    x = None\n'survived'"
    )
    assert open_enclave(limits=LIMITS).run(program).unwrap() == "survived"


def test_what_fits_the_memory_is_fine(enclave: Driven) -> None:
    result = enclave.run("x = ['x' * 1000 for n in range(5000)]\nlen(x)")
    assert result.unwrap() == 5000
    assert result.stats.peak_memory > 5 * MIB


OUTPUT: dict[str, str] = {
    "bytes": "while True: print('x' * 1000, end='')",
    "bytes at once": "print('x' * 10 ** 6)",
    "bytes to stderr": "import sys\nwhile True: print('x' * 1000, end='', file=sys.stderr)",
    "bytes of wide characters": "print('😀' * 20_000)",
    "bytes, swallowing": (
        "while True:\n    try: print('x' * 1000)\n    except BaseException: pass"
    ),
    "lines": "while True: print()",
    "lines at once": "print('\\n' * 400)",
    "lines of two streams": (
        "import sys\nfor n in range(200):\n    print(n)\n    print(n, file=sys.stderr)"
    ),
    "lines, swallowing": "while True:\n    try: print()\n    except BaseException: pass",
}  # fmt: skip


@pytest.mark.parametrize("name", OUTPUT)
def test_a_guest_that_prints_too_much_is_ended(enclave: Driven, name: str) -> None:
    guests.clear()
    result = enclave.run(f"mark()\n{OUTPUT[name]}")
    assert result.error is not None
    assert result.error.code is ErrorCode.OUTPUT_LIMIT_EXCEEDED
    told = "50,000 bytes" if "bytes" in name else "300 lines"
    assert result.error.message == f"the program printed more than {told}"
    kept = result.stdout + result.stderr
    assert 0 < len(kept.encode()) <= 50_000
    assert guests
    assert wait_until(lambda: not any(is_alive(pid) for pid in guests))
    assert enclave.run("print('a')").stdout == "a\n"


FITS: dict[str, tuple[str, int]] = {
    "bytes": ("print('x' * 49_999)", 50_000),
    "wide characters": ("print('😀' * 12_500, end='')", 50_000),
    "lines": ("for n in range(300): print()", 300),
}


@pytest.mark.parametrize("name", FITS)
def test_what_just_fits_the_output_is_fine(enclave: Driven, name: str) -> None:
    program, size = FITS[name]
    for _ in range(2):  # each run has limits of its own
        result = enclave.run(program)
        assert result.error is None
        assert len(result.stdout.encode()) == size
