"""The parent VM as its process runs it, in this one: its guest and its host are bytes here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from doublevm.confinement import Confinement
from doublevm.engines.base import EngineDiedError
from doublevm.engines.cpython import CPythonEngine
from doublevm.errors import ProtocolError
from doublevm.parent.runs import ParentVM
from doublevm.state import from_wire
from doublevm.wire import frames as f
from doublevm.wire.frames import decode_host_frame
from doublevm.wire.framing import HEADER_BYTES, MAX_FRAME_BYTES, pack
from doublevm.wire.grammar import parent_side
from doublevm.wire.template_frames import Ended
from tests.fuzz.host_side import HostSide

if TYPE_CHECKING:
    from collections.abc import Callable

    from doublevm import RunResult
    from doublevm.engines.template import TemplateProcess
    from doublevm.host.core import EnclaveCore
    from doublevm.parent.pipe import HostPipe
    from doublevm.parent.watchdog import Stop, Watchdog
    from tests.fuzz.case import Chunk

FAR_AWAY: Final = 1e12


class GuestSide:
    """Stands in for a TemplateProcess: each fork is the next life, and sends what that has."""

    def __init__(self, lives: tuple[tuple[Chunk, ...], ...]) -> None:
        """Begin with no guest."""
        self._lives = list(lives)
        self._chunks: list[Chunk] = []
        self.delivered = 0
        """Chunks that were read."""
        self.read_fd = self.reports_fd = -1

    @property
    def left(self) -> bool:
        """Whether there is another life."""
        return bool(self._lives)

    def fork(self, _memory: int, _cpu_seconds: int) -> None:
        """Begin the next life."""
        self._chunks = list(self._lives.pop(0)) if self._lives else []

    def read(self) -> bytes:
        """Return what the guest sends next."""
        if not self._chunks:
            raise EngineDiedError("the cpython inner VM ended with status 0")
        self.delivered += 1
        # A pipe gives no empty bytes before its end.
        return self._chunks.pop(0).data or b"\0"

    def readable(self) -> bool:
        """Whether the guest speaks out of turn."""
        return bool(self._chunks) and self._chunks[0].early

    def write(self, data: bytes) -> None:
        """Take what the parent VM says."""
        assert len(data) <= HEADER_BYTES + MAX_FRAME_BYTES

    def kill_guest(self) -> None:
        """Let it say what is on its way already."""

    def end_guest(self) -> Ended:
        """End the life."""
        self._chunks = []
        return Ended(-9, 0.5, 1000)

    def close(self) -> None:
        """End for good: a new pair would have a new template."""
        self._chunks = []


class _Watchdog:
    """Stops at once what is to be stopped; no time runs out."""

    def __init__(self) -> None:
        self.deadline = FAR_AWAY
        self.reason: Stop | None = None
        self._kill: Callable[[], None] | None = None

    def arm(self, _seconds: float, kill: Callable[[], None]) -> None:
        self._kill, self.reason = kill, None

    def stop(self, reason: Stop) -> None:
        assert self._kill is not None
        if self.reason is None:
            self.reason = reason
            self._kill()

    def disarm(self) -> Stop | None:
        self._kill = None
        return self.reason


class _HostPipe:
    """The parent VM's pipe to a host that answers at once."""

    def __init__(self, host: HostSide) -> None:
        self._host, self._grammar = host, parent_side()
        self.result: RunResult | None = None

    def send(self, frame: Any) -> None:
        self._host.feed(pack(f.encode_frame(frame)))
        if self._host.greeted:
            self.result = self._host.pump()

    def end(self, frame: Any) -> None:
        self._grammar.step(frame)
        self.send(frame)

    def receive(self, until: float | None = None, _others: tuple[int, ...] = ()) -> Any:
        if until is not None and not self._host.sent:
            # What the real one waits for, if it is a time at all.
            assert 0.0 <= max(0.0, until - 0.0) <= FAR_AWAY
            return None
        frame = decode_host_frame(self._host.sent.popleft()[HEADER_BYTES:])
        self._grammar.step(frame)
        return frame


class ParentSide:
    """A pair whose host is told everything and whose guests lie."""

    def __init__(self, core: EnclaveCore, guests: GuestSide) -> None:
        """Greet."""
        self._host = HostSide(core)
        self._pipe = _HostPipe(self._host)
        engine = CPythonEngine(cast("TemplateProcess", guests))
        configure = self._pipe.receive()
        self._parent = ParentVM(
            cast("HostPipe", self._pipe),
            cast("Watchdog", _Watchdog()),
            {"cpython": engine},
            configure,
            Confinement({}),
        )
        self._pipe.send(f.Ready(f.VERSION, {}, ("cpython",)))
        assert self._host.greet()

    def run(self, *, session: bool) -> RunResult:
        """Run the next program to its end.

        Raises:
            VMError: the guest failed, and the parent VM says so.
        """
        self._host.begin(session=session)
        self._host.pump()
        self._remember()
        run = self._pipe.receive()
        try:
            self._pipe.end(self._parent._run(run))
        except ProtocolError as error:
            if error.vm != "inner":
                raise AssertionError("the host distrusts an honest parent VM") from error
            raise
        assert self._pipe.result is not None
        return self._pipe.result

    def renew(self) -> None:
        """Have another conversation in between: it is begun, and then this one again."""
        self._host.renew()
        while self._host.sent:
            frame = self._pipe.receive()
            if isinstance(frame, f.Renew):
                self._parent._renew()
                assert self._parent._monitor.history == ()
            elif isinstance(frame, f.Remember):
                self._parent._monitor.remember(from_wire(frame.entries))

    def _remember(self) -> None:
        """Take what comes before the program: memories, and answers that were under way."""
        while len(self._host.sent) > 1:
            frame = self._pipe.receive()
            if isinstance(frame, f.Remember):
                self._parent._monitor.remember(from_wire(frame.entries))
