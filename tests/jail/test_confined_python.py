"""CPython under its filters: what a guest needs goes on working, what it must not do is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.jail.conftest import Stranger

MODULES = (
    "os, sys, gc, time, random, secrets, decimal, datetime, _strptime, zoneinfo, json, re, signal,"
    "hashlib, traceback, threading, ctypes, mmap, socket, subprocess, resource, linecache,"
    "tokenize, encodings.idna, json.decoder; from doublevm.jail.seccomp import install;"
    "from doublevm.jail.filters import GUEST, TEMPLATE"
)

WORKS = {
    "much memory": "assert len(bytearray(50_000_000)) == 50_000_000",
    "growing": "data = []\nfor n in range(200_000): data.append([n])\ndel data\ngc.collect()",
    "growing in place": "b = bytearray()\nfor _ in range(300): b += bytes(100_000)",
    "recursion": """
def deeper():
    deeper()
try:
    deeper()
except RecursionError:
    pass
else:
    raise AssertionError
""",
    "sleeping": "began = time.monotonic()\ntime.sleep(0.01)\nassert time.monotonic() > began",
    "clocks": "time.time(), time.process_time(), time.thread_time(), time.get_clock_info('time')",
    "randomness": "assert os.urandom(8) != secrets.token_bytes(8) and random.Random().random() < 1",
    "decimal": "assert decimal.Decimal(1) / 3 != decimal.Decimal(2).sqrt()",
    "dates": """
assert datetime.datetime.strptime('2024-02-29', '%Y-%m-%d').year == 2024
datetime.datetime.now().astimezone().isoformat()
datetime.datetime.now(datetime.timezone.utc)
""",
    "hashes, JSON, patterns": """
assert hashlib.sha256(b'x').hexdigest()[0] == '2'
assert json.loads(json.dumps({'a': [1, None]})) == {'a': [1, None]}
assert re.fullmatch('(a+)+', 'a' * 20)
try:
    json.loads('{')
except ValueError:
    pass
""",
    "a traceback": """
try:
    1 / 0
except ZeroDivisionError:
    assert 'ZeroDivisionError' in traceback.format_exc()
""",
    "printing": "print('out'); print('err', file=sys.stderr); sys.stdout.flush()",
    "a signal handler": "signal.signal(signal.SIGINT, signal.SIG_IGN)",
    "its own limits and use": "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
    "resource.getrlimit(resource.RLIMIT_NOFILE)",
    "closing": "os.close(0)",
    "a missing module": """
try:
    import nowhere_to_be_found
except ModuleNotFoundError:
    pass
""",
    "a sort of many": "sorted(range(10**6), key=lambda n: -n)",
    "a thread is refused cleanly": """
try:
    threading.Thread(target=int).start()
except RuntimeError as error:
    assert "can't start new thread" in str(error)
else:
    raise AssertionError
""",
}

NO_ENTRY, NOT_PERMITTED = "FileNotFoundError", "PermissionError"
REFUSED = {
    "open": ("open('/etc/passwd')", NO_ENTRY),
    "stat": ("os.stat('/')", NO_ENTRY),
    "list": ("os.listdir('/')", NO_ENTRY),
    "working folder": ("os.getcwd()", NO_ENTRY),
    "link": ("os.readlink('/proc/self/exe')", NO_ENTRY),
    "fork": ("os.fork()", NOT_PERMITTED),
    "signal": ("os.kill(os.getpid(), 0)", NOT_PERMITTED),
    "socket": ("socket.socket()", NOT_PERMITTED),
    "pipe": ("os.pipe()", NOT_PERMITTED),
    "duplicate": ("os.dup(0)", NOT_PERMITTED),
    "limits": ("resource.setrlimit(resource.RLIMIT_CORE, (0, 0))", "ValueError"),
    "shared memory": ("mmap.mmap(-1, 4096)", NOT_PERMITTED),
    "executable memory": (
        "mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC)",
        NOT_PERMITTED,
    ),
    "alarm": ("signal.setitimer(signal.ITIMER_REAL, 1)", "itimer_error"),
    "another's clock": ("time.clock_gettime(~parent << 3 | 2)", NOT_PERMITTED),
    "the memory of children": ("resource.getrusage(resource.RUSAGE_CHILDREN)", NOT_PERMITTED),
    "the parent": ("os.kill(parent, 0)", NOT_PERMITTED),
}


@pytest.mark.parametrize("program", WORKS.values(), ids=WORKS)
def test_a_guest_can(as_stranger: Callable[..., Stranger], program: str) -> None:
    done = as_stranger(f"install(GUEST)\n{program.strip()}\nos.write(1, b'done')", imports=MODULES)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("done")


def test_a_guest_cannot(as_stranger: Callable[..., Stranger]) -> None:
    expected = {name: kind for name, (_, kind) in REFUSED.items()}
    assert _kinds_of_errors(as_stranger, "install(GUEST)") == expected


def test_the_control_gets_through(as_stranger: Callable[..., Stranger]) -> None:
    assert _kinds_of_errors(as_stranger, "pass") == dict.fromkeys(REFUSED, "none")


def _kinds_of_errors(as_stranger: Callable[..., Stranger], seal: str) -> dict[str, str]:
    """Try each call in a child of its own, whose parent is a process that is not the guest."""
    code = f"""
parent, calls = os.getpid(), json.loads(sys.argv[1])
for name, call in calls.items():
    child = os.fork()
    if child == 0:
        {seal}
        guest, kind = os.getpid(), "none"
        try:
            eval(call)
        except (OSError, ValueError) as error:
            kind = type(error).__name__
        if kind != "none" or os.getpid() == guest:  # not what it forked
            os.write(1, f"{{name}}={{kind}}\\n".encode())
        os._exit(0)
    os.waitpid(child, 0)
"""
    calls = {name: call for name, (call, _) in REFUSED.items()}
    done = as_stranger(code, json.dumps(calls), imports=MODULES)
    assert done.stderr == ""
    return dict(line.split("=") for line in done.stdout.splitlines())


def test_abort_ends_a_guest_all_the_same(as_stranger: Callable[..., Stranger]) -> None:
    done = as_stranger("install(GUEST)\nos.abort()", imports=MODULES)
    assert done.returncode in {-4, -5, -6, -11}  # not SIGABRT: an instruction that is none


def test_memory_cannot_become_executable(as_stranger: Callable[..., Stranger]) -> None:
    code = """
    libc = ctypes.CDLL(None, use_errno=True)
    area = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(area)))
    control = libc.mprotect(address, 4096, 5), libc.mprotect(address, 4096, 3)
    install(GUEST)
    refused = libc.mprotect(address, 4096, 5), ctypes.get_errno()
    print(control, refused, libc.mprotect(address, 4096, 1))
    """
    assert as_stranger(code, imports=MODULES).stdout == "(0, 0) (-1, 1) 0\n"


def test_a_template_forks_guests_that_seal_themselves(
    as_stranger: Callable[..., Stranger],
) -> None:
    code = """
    template, (r, w) = os.getpid(), os.pipe()
    install(TEMPLATE)
    for _ in range(3):
        guest = os.fork()
        if guest == 0:
            identity.die_with_parent(template)
            identity.forbid_inspection()
            identity.close_all_but([1, w])
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
            install(GUEST)
            os.write(w, b"sealed")
            try:
                os.fork()
            except PermissionError:
                os.write(w, b"alone!")
            time.sleep(60)
        assert select.select([r], [], [], 30)[0]
        print(os.read(r, 6), os.read(r, 6))
        os.kill(guest, signal.SIGKILL)
        print(os.waitpid(guest, 0)[1])
    for refused in (
        lambda: os.kill(0, 9), lambda: os.kill(-1, 9), lambda: os.kill(template, 15),
        lambda: os.kill(-template, 9), lambda: os.open("/etc/passwd", 0),
        lambda: os.setpriority(0, 0, 19), lambda: os.setresuid(-1, -1, -1),
    ):
        try:
            refused()
        except OSError:
            continue
        raise AssertionError
    """
    done = as_stranger(
        code, imports=MODULES + "; from doublevm.jail import identity; import select"
    )
    assert done.stderr == ""
    assert done.stdout == "b'sealed' b'alone!'\n9\n" * 3


def test_all_threads_get_the_filter(as_stranger: Callable[..., Stranger]) -> None:
    code = """
    go, found = threading.Event(), []
    def other():
        go.wait()
        try:
            found.append(os.getppid())
        except OSError:
            found.append("?")
        try:
            found.append(os.stat("/"))
        except OSError as error:
            found.append(error.errno)
    thread = threading.Thread(target=other)
    thread.start()
    install(GUEST)
    go.set()
    thread.join()
    print(found[1])
    """
    assert as_stranger(code, imports=MODULES).stdout == "2\n"
