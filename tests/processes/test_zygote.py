"""The zygote: one per host and kind of pair, warm, and gone with whoever it belongs to."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import doublevm
from doublevm import CPython, Enclave, VMError, tool
from doublevm.host import processes, zygote
from doublevm.jail import namespaces
from doublevm.wire import zygote_frames as frames
from tests.support.procfs import Process, all_below, is_alive, parent_vms, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

needs_namespaces = pytest.mark.skipif(namespaces.available() is not None, reason="no namespaces")


def zygotes(of: int | None = None) -> list[Process]:
    """Return those that fork: one that waits for it is above, where there are namespaces."""
    found = [process for process in all_below(of) if process.is_zygote]
    waiting = {process.parent for process in found}
    return [process for process in found if process.pid not in waiting]


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    """Begin and end without a zygote."""
    zygote._end_all()
    yield
    zygote._end_all()
    assert wait_until(lambda: not zygotes())


def host(code: str) -> str:
    """Run a host program; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_all_enclaves_have_the_same_one() -> None:
    with Enclave(engine="monty") as first, Enclave(engine="cpython") as second:
        assert not zygotes()
        first.run("1").unwrap()
        before = zygotes()
        second.run("2").unwrap()
        assert [each.pid for each in zygotes()] == [each.pid for each in before]
        assert len(before) == 1


def test_packages_have_another_one() -> None:
    with Enclave(engine="cpython") as plain, Enclave(engine=CPython(packages=["this"])) as more:
        plain.run("1").unwrap()
        more.run("import this").unwrap()
        assert len(zygotes()) == 2


def test_it_is_warm_before_the_first_enclave() -> None:
    doublevm.warm_up()
    (only,) = zygotes()
    with Enclave(engine="cpython") as enclave:
        enclave.run("1").unwrap()
    assert [each.pid for each in zygotes()] == [only.pid]


def test_warming_up_names_what_is_wrong_with_a_package() -> None:
    with pytest.raises(doublevm.ConfigError, match="no module named"):
        doublevm.warm_up(CPython(packages=["no module named like this"]))


@pytest.mark.parametrize("engine", ["monty", "cpython"])
def test_one_that_was_killed_is_replaced(engine: str) -> None:
    with Enclave(engine=engine) as enclave:
        enclave.run("1").unwrap()
        (first,) = zygotes()
        os.kill(first.pid, signal.SIGKILL)
        assert wait_until(lambda: not is_alive(first.pid))
        assert enclave.run("2").unwrap() == 2
        with Enclave(engine=engine) as another:
            assert another.run("3").unwrap() == 3
        (second,) = zygotes()
        assert second.pid != first.pid


@needs_namespaces
def test_one_that_was_killed_takes_its_pairs_along() -> None:
    below: list[Process] = []

    @tool
    def kill_it() -> None:
        (first,) = zygotes()
        below.extend(all_below(first.pid))
        os.kill(first.pid, signal.SIGKILL)

    with Enclave(engine="cpython", tools=[kill_it]) as enclave:
        with pytest.raises(VMError):
            enclave.run("kill_it()\nwhile True: pass")
        assert len(below) == 3
        assert wait_until(lambda: not any(is_alive(each.pid) for each in below))
        assert enclave.run("1").unwrap() == 1


def test_a_fork_of_the_host_has_its_own() -> None:
    printed = host("""
        import os
        from doublevm import Enclave
        from doublevm.host import processes, zygote

        def mine():
            return [each._process.pid for each in zygote._zygotes.values()]

        with Enclave(engine="monty") as enclave:
            enclave.run("1").unwrap()
            before = mine()
            pid = os.fork()
            if pid == 0:
                assert not mine()
                assert enclave.run("2").unwrap() == 2
                assert mine() and mine() != before
                zygote._end_all()
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            assert enclave.run("3").unwrap() == 3
            assert mine() == before
    """)
    assert printed == ""


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_multiprocessing(tmp_path: Path, method: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
        import multiprocessing
        from doublevm import Enclave

        def double(number):
            with Enclave(engine="monty", inputs={{"n": number}}) as enclave:
                return enclave.run("2 * n").unwrap()

        if __name__ == "__main__":
            assert double(1) == 2
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                assert pool.map(double, range(4)) == [0, 2, 4, 6]
            assert double(2) == 4
    """)
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_threads_may_all_be_the_first() -> None:
    results: list[int] = []

    def run(number: int) -> None:
        with Enclave(engine="monty", inputs={"n": number}) as enclave:
            results.append(enclave.run("n").unwrap())

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(8))
    assert len(zygotes()) == 1


def test_a_host_that_is_killed_leaves_nothing() -> None:
    code = """
        import os, signal
        from doublevm import Enclave, tool

        @tool
        def die() -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        Enclave(tools=[die], engine="cpython").run("die()")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    assert wait_until(lambda: not all_below()), all_below()


def test_it_has_nothing_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOUBLEVM_TEST_MARKER", "a secret of the host")
    zygote.warm_up()
    (only,) = zygotes()
    assert b"MARKER" not in (only.folder / "environ").read_bytes()
    links = [str(each.readlink()) for each in (only.folder / "fd").iterdir()]
    assert {link.partition(":")[0] for link in links} <= {"/dev/null", "socket", "pipe"}
    assert str((only.folder / "cwd").readlink()) == "/"


@contextlib.contextmanager
def interrupted(monkeypatch: pytest.MonkeyPatch, held: zygote.Zygote) -> Iterator[None]:
    """Let what is done within be interrupted while it waits for an answer."""

    def receive() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(held, "_receive", receive)
        with pytest.raises(KeyboardInterrupt):
            yield


def test_an_answer_nobody_waited_for_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host interrupted while it waited: its next request gets its own answer."""
    zygote.warm_up()
    (held,) = zygote._zygotes.values()

    with interrupted(monkeypatch, held):
        held.spawn(None)
    with Enclave(engine="monty") as enclave:
        assert enclave.run("1").unwrap() == 1


@pytest.mark.parametrize("free", range(1, 8))
def test_a_host_without_room_for_descriptors_holds_no_pair_by_its_number(free: int) -> None:
    """The kernel drops a pidfd it has no room for; a pid of a zygote is somebody else's here."""
    printed = host(f"""
        import os, resource
        from doublevm.errors import EngineUnavailable
        from doublevm.host import processes, zygote

        def number(pid, signal):
            print("killed by number", pid)

        def open_ones():
            return len(os.listdir("/proc/self/fd"))

        os.kill = number
        zygote.warm_up()
        before = open_ones()
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (before + {free} - 1, limit[1]))
        try:
            zygote.spawn(zygote.Kind(None, (), ())).close(kill=True)
        except EngineUnavailable:
            print("unavailable")
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        assert open_ones() == before, open_ones()
        zygote.spawn(zygote.Kind(None, (), ())).close(kill=True)
        assert open_ones() == before, open_ones()
    """)
    assert printed == ("unavailable\n" if free < 5 else "")


def test_a_request_without_its_descriptors_ends_no_zygote() -> None:
    zygote.warm_up()
    (held,) = zygote._zygotes.values()
    with held._lock:
        answer = held._ask(frames.Spawn(held._next_number(), None, None))
    assert isinstance(answer, frames.Unspawned)
    held.spawn(None).close(kill=True)


def test_one_that_was_given_up_is_asked_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that waited for its turn meanwhile: it would read the rest of somebody's answer."""
    zygote.warm_up()
    (held,) = zygote._zygotes.values()

    with interrupted(monkeypatch, held):
        held.warm_up()
    with pytest.raises(zygote.ZygoteGoneError):
        held.spawn(None)


@pytest.mark.parametrize("closed", [[0], [0, 1], [1, 2], [0, 1, 2]], ids=str)
def test_a_host_without_standard_streams(tmp_path: Path, closed: list[int]) -> None:
    result = tmp_path / "result"
    host(f"""
        import os
        from doublevm import Enclave
        for fd in {closed}:
            os.close(fd)
        with Enclave(engine="cpython") as enclave:
            text = str(enclave.run("6 * 7").unwrap())
        with open({str(result)!r}, "w") as file:
            file.write(text)
        for fd in {closed}:  # Python flushes them
            try:
                os.open("/dev/null", os.O_RDWR)
            except OSError:
                pass
    """)
    assert result.read_text() == "42"


def test_a_host_that_blocks_every_signal() -> None:
    printed = host("""
        import signal
        from doublevm import Enclave
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        with Enclave(engine="cpython") as enclave:
            for number in range(2):
                print(enclave.run(str(number)).unwrap())
    """)
    assert printed == "0\n1\n"


@needs_namespaces
def test_one_ends_with_the_process_that_waits_for_it() -> None:
    """That one is all that a host can kill, should a zygote not look at its socket."""
    zygote.warm_up()
    (only,) = zygotes()
    os.kill(only.parent, signal.SIGKILL)
    assert wait_until(lambda: not is_alive(only.pid))


def test_pipes_are_closed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else closes meanwhile: the number may be another file's by then."""
    pair = zygote.spawn(zygote.Kind(None, (), ()))
    turns = [pair.hang_up]

    class Interrupted(set[object]):
        def discard(self, element: object, /) -> None:
            while turns:
                turns.pop()()
            super().discard(element)

    monkeypatch.setattr(processes, "_open_pairs", Interrupted([pair]))
    pair.hang_up()
    pair.close(kill=True)


def test_those_that_were_killed_leave_no_descriptor() -> None:
    counts = []
    for _ in range(3):
        zygote.spawn(zygote.Kind(None, (), ())).close(kill=True)
        counts.append(sum(1 for _ in Path("/proc/self/fd").iterdir()))
        (only,) = zygotes()
        os.kill(only.pid, signal.SIGKILL)
        assert wait_until(lambda: not any(z.alive for z in zygote._zygotes.values()))
    assert len(set(counts)) == 1


def test_a_host_that_can_open_no_more_keeps_no_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    zygote.warm_up()
    opened = sum(1 for _ in Path("/proc/self/fd").iterdir())
    pipe, turns = os.pipe, iter((True, True, False))

    def two_more() -> tuple[int, int]:
        if next(turns):
            return pipe()
        raise OSError(24, "Too many open files")

    with Enclave(engine="monty") as enclave, monkeypatch.context() as patch:
        patch.setattr(os, "pipe", two_more)
        with pytest.raises(OSError, match="Too many open files"):
            enclave.run("1")
        assert wait_until(lambda: not parent_vms())
        assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == opened
