"""Who is lied to, and what must hold whatever the lie was."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Final

from doublevm import Guard, SecurityLevel, VMError
from doublevm.audit import AuditRecord, verify
from doublevm.engines.choice import choose
from doublevm.guard.program import Surroundings
from doublevm.guard.reading import read
from doublevm.host import confinement
from doublevm.host.guarding import guarding
from doublevm.parent.reading import found
from doublevm.wire import frames as f
from doublevm.wire import inner_frames as i
from doublevm.wire import template_frames as t
from doublevm.wire.codec import CodecError, decode, encode
from doublevm.wire.frames import FrameError
from doublevm.wire.framing import HEADER_BYTES, MAX_FRAME_BYTES, FrameBuffer
from tests.fuzz.host_side import HostSide
from tests.fuzz.parent_side import GuestSide, ParentSide
from tests.fuzz.tools import CALLS_PER_RUN, DENIALS_PER_RUN, MISFITS, OUTPUT_PER_RUN, new_core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doublevm import RunResult
    from doublevm.host.core import EnclaveCore
    from tests.fuzz.case import Case, Chunk

RUNS_PER_LIFE: Final = 4
AROUND: Final = Surroundings(tools=("users:list", "x"), roots=frozenset(("users", "x")))
DECODERS: Final = (
    f.decode_host_frame,
    f.decode_parent_frame,
    i.decode_to_inner,
    i.decode_from_inner,
    t.decode_to_template,
    t.decode_from_template,
)


def attack(case: Case) -> int:
    """Do what the case says; return how many frames were looked at.

    Whatever it raises is a finding.
    """
    MISFITS.clear()
    frames = _ATTACKS[case.target](case)
    assert not MISFITS, MISFITS
    return frames


def attack_parent_vm(case: Case) -> int:
    """Be a guest. The parent VM must end its run well, and never mislead its host."""
    core, guests = new_core(case.profile), GuestSide(case.lives)
    with _one_enclave(core, session=case.session) as finished:
        while guests.left:
            pair = ParentSide(core, guests)
            with contextlib.suppress(VMError):  # the pair is dropped, as the drivers do
                for number in range(RUNS_PER_LIFE):
                    if number == RUNS_PER_LIFE // 2 and not case.session:
                        pair.renew()
                    with core.running(session=case.session):
                        finished(pair.run(session=case.session))
    return guests.delivered


def attack_host(case: Case) -> int:
    """Be a parent VM. The host must take it for a run's end, or for a VM that failed."""
    core, frames = new_core(case.profile), 0
    with _one_enclave(core, session=case.session) as finished:
        for number, life in enumerate(case.lives):
            core._runs = number * RUNS_PER_LIFE
            # The bytes name the runs, wherever they are.
            core._numbers = itertools.count(number * RUNS_PER_LIFE + 1)
            host, chunks = HostSide(core), iter(life)
            with contextlib.suppress(VMError):
                _listen(core, host, chunks, finished, session=case.session)
            frames += host.taken + 1
    return frames


def attack_decoders(case: Case) -> int:
    """Decode bytes with everything that decodes, and whatever was decoded once more."""
    frames = 0
    for life in case.lives:
        buffer = FrameBuffer()
        for chunk in life:
            frames += 1
            buffer.feed(chunk.data)
            try:
                while (data := buffer.take()) is not None:
                    _decode(data)
            except FrameError:  # whoever reads stops here
                buffer = FrameBuffer()
            assert len(buffer) < HEADER_BYTES + MAX_FRAME_BYTES
    return frames


def attack_reader(case: Case) -> int:
    """Read programs: each has findings with places and can be told, or may be run."""
    levels = (SecurityLevel.SECURE, SecurityLevel.STANDARD, None)
    level = levels[case.profile]
    settings = None if level is None else guarding(Guard(), level, "auto", (), str)
    programs = 0
    for chunk in itertools.chain(*case.lives):
        source = chunk.data[HEADER_BYTES:].decode("utf-8", "replace")
        reading = read(source, settings, AROUND)
        programs += 1
        for finding in (*reading.refusing, *reading.warning):
            assert 1 <= finding.line <= len(reading.lines)
            assert finding.column >= 1
            assert finding.message
        told = f.Read(1, found(reading))
        assert f.decode_parent_frame(f.encode_frame(told)) == told
        assert reading.refusing or reading.program is not None
        if reading.program is not None:
            choose(reading.program.tree)
    return programs


_ATTACKS: Final[dict[str, Callable[[Case], int]]] = {
    "guest": attack_parent_vm,
    "parent": attack_host,
    "bytes": attack_decoders,
    "source": attack_reader,
}


def _decode(data: bytes) -> None:
    for decoder in DECODERS:
        with contextlib.suppress(FrameError):
            frame = decoder(data)
            assert decoder(f.encode_frame(frame)) is not None
    with contextlib.suppress(CodecError):
        value = decode(data)
        again = encode(value)
        assert encode(decode(again)) == again


def _listen(
    core: EnclaveCore,
    host: HostSide,
    chunks: Iterator[Chunk],
    finished: Callable[[RunResult], None],
    *,
    session: bool,
) -> None:
    while not host.greeted:
        if not host.greet():
            _feed(host, chunks)
    for _ in range(RUNS_PER_LIFE):
        with core.running(session=session):
            host.begin(session=session)
            while (result := host.pump()) is None:
                _feed(host, chunks)
            finished(result)


def _feed(host: HostSide, chunks: Iterator[Chunk]) -> None:
    chunk = next(chunks, None)
    if chunk is None:
        raise VMError("nothing is left: the parent VM has died")
    assert not host.full
    host.feed(chunk.data)
    host.sent.clear()


@contextlib.contextmanager
def _one_enclave(core: EnclaveCore, *, session: bool) -> Iterator[Callable[[RunResult], None]]:
    """Look at each result, and at the trail when all has been done."""
    before = confinement._missing
    if session:
        core.open_session()
    try:
        yield _look_at_result
    finally:
        confinement._missing = before
    records = core.trail.records
    fault = verify(records, first=1)
    assert fault is None, fault
    for record in records[:20]:
        assert verify([AuditRecord.from_json(record.to_json())]) is None
    assert len(records) <= (core._runs + 1) * (CALLS_PER_RUN + DENIALS_PER_RUN + 2)
    assert not core._busy


def _look_at_result(result: RunResult) -> None:
    stats = result.stats
    assert stats.tool_calls <= CALLS_PER_RUN
    assert stats.denied <= DENIALS_PER_RUN + 1
    assert len(result.audit) == stats.tool_calls + stats.denied
    assert len(result.stdout) + len(result.stderr) <= OUTPUT_PER_RUN
    assert all(record.hash for record in result.audit)
    assert all(record.line is None or 0 < record.line <= 2**31 for record in result.audit)
    if result.error is not None:
        assert result.value is None
        assert isinstance(result.error.message, str)
