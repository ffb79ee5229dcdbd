"""The cpython engine: a process of real CPython, a fresh fork for each run or session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from doublevm.engines.base import (
    Call,
    Done,
    EngineDiedError,
    EngineProtocolError,
    EngineStartError,
    Failed,
    Program,
    Reply,
    Step,
    Wait,
)
from doublevm.wire import inner_frames as i
from doublevm.wire.codec import CodecError, decode
from doublevm.wire.frames import FrameError, Usage, encode_frame
from doublevm.wire.framing import FrameBuffer, pack
from doublevm.wire.grammar import inner_side

if TYPE_CHECKING:
    from collections.abc import Callable

    from doublevm.engines.template import TemplateProcess

CPU_MARGIN: Final = 2
"""Seconds of CPU beyond the timeout before the kernel ends the guest, should nobody else do."""


class CPythonEngine:
    """A template, and one guest at a time."""

    name: Final = "cpython"

    def __init__(self, template: TemplateProcess) -> None:
        """Take over a template, which may still be preparing itself."""
        self._template: TemplateProcess | None = template
        self._alive = self._spent = False
        self._limits = (0, 0)
        """Memory and CPU of the last guest, which the next one is expected to have as well."""
        self._spare = False
        """Whether a guest with these limits waits for a program."""
        self._said_its_end = self._leaving = False
        """Whether the guest has told how its program ended; whether one was sent away since."""
        self._used = self._before = Usage(0.0, 0)

    def prepare(self, memory: int, timeout: float, *, keep: bool) -> None:
        """Have a guest forked and wait until it is sealed."""
        if self._alive:
            return
        if self._template is None:
            raise EngineStartError("the cpython engine has ended")
        self._used = self._before = Usage(0.0, 0)
        # What a session's later runs will need is not known.
        limits = (memory, 0 if keep else int(timeout) + 1 + CPU_MARGIN)
        if not self._has_spare(limits):
            self._fork(limits)
        self._alive, self._spare = True, False
        self._receive()
        self._end_turn()

    def rest(self) -> None:
        """Have the last guest waited for and the next one forked, while nobody waits for either."""
        if self._template is None or self._alive or self._spare:
            return
        try:
            self._see_off()
            if not self._limits[1]:
                return
            self._fork(self._limits)
            self._spare = True
        except EngineDiedError:
            self.close()

    def _fork(self, limits: tuple[int, int]) -> None:
        self._see_off()
        self._buffer, self._grammar = FrameBuffer(), inner_side()
        self._limits = limits
        self._process.fork(*limits)

    def _has_spare(self, limits: tuple[int, int]) -> bool:
        """Return whether a guest with these limits waits; end one that has others."""
        if not self._spare:
            return False
        self._spare = False
        if limits == self._limits and not self._process.has_ended():
            return True
        self._process.end_guest()
        return False

    def start(self, program: Program, emit: Callable[[Any, str], None]) -> Step:
        """Send the program; the process seals itself before it runs it."""
        self._emit = emit
        self._before, self._said_its_end = self._used, False
        p = program
        self._send(i.Start(p.source, p.inputs, p.tools, p.keep, p.max_iterations))
        return self._step()

    def resume(self, reply: Reply) -> Step:
        """Send the answer."""
        self._send(reply)
        return self._step()

    @property
    def watched_fds(self) -> tuple[int, ...]:
        """The guest's pipe and the template's reports: nothing may come before its answer."""
        return (self._process.read_fd, self._process.reports_fd)

    @property
    def spent(self) -> bool:
        """Whether there will be no further guest."""
        return self._spent

    def check(self) -> None:
        """Read what came out of turn, if anything did."""
        if self._process.readable():
            self._receive()  # raises, as nothing may come now

    def kill(self) -> None:
        """Kill the guest."""
        if self._alive and self._template is not None:
            self._template.kill_guest()

    def finish(self, *, keep: bool) -> Usage:
        """End the guest, unless it is kept for a session.

        One that has said how its program ended is sent away and not waited for, as its process
        takes longer to end than most programs to run: what it has used is what it said itself.
        """
        if not keep and self._alive:
            self._alive = False
            self._leaving = self._said_its_end
            if self._leaving:
                self._process.kill_guest()
            else:
                self._end_guest()
        cpu = max(0.0, self._used.cpu_time - self._before.cpu_time)
        return Usage(cpu, self._used.peak_memory)

    def close(self) -> None:
        """End the processes."""
        template, self._template, self._alive = self._template, None, False
        if template is not None:
            self._spent = True
            template.close()

    @property
    def _process(self) -> TemplateProcess:
        assert self._template is not None
        return self._template

    def _see_off(self) -> None:
        """Wait for the end of a guest that was sent away."""
        if self._leaving:
            self._leaving = False
            self._process.end_guest()

    def _end_guest(self) -> None:
        try:
            ended = self._process.end_guest()
        except EngineDiedError:
            self.close()
        else:
            self._used = Usage(ended.cpu_time, ended.peak_memory)

    # --- frames -------------------------------------------------------------------------------

    def _send(self, frame: Any) -> None:
        self._grammar.step(frame)
        self._process.write(pack(encode_frame(frame)))

    def _receive(self) -> Any:
        try:
            while (data := self._buffer.take()) is None:
                self._buffer.feed(self._process.read())
            frame = i.decode_from_inner(data)
            self._grammar.step(frame)
        except FrameError as error:
            raise EngineProtocolError(error.frame, str(error)) from None
        return frame

    def _step(self) -> Step:
        while isinstance(frame := self._receive(), i.Print):
            self._emit(frame.stream, frame.text)
        self._end_turn()
        try:
            return self._read_step(frame)
        except CodecError as error:
            raise EngineProtocolError(type(frame).__name__.lower(), str(error)) from None

    def _end_turn(self) -> None:
        """Refuse what came behind the frame that the inner VM must wait after."""
        if len(self._buffer):
            self._receive()  # raises, as nothing may come now

    def _read_step(self, frame: Any) -> Step:
        match frame:
            case i.Attempt(call=call, operation=operation, concurrent=concurrent):
                args, kwargs = decode(frame.args), decode(frame.kwargs)
                if not isinstance(args, list) or not isinstance(kwargs, dict):
                    raise CodecError("arguments are a list and a dict")
                if not all(isinstance(key, str) for key in kwargs):
                    raise CodecError("the names of arguments are text")
                return Call(call, operation, args, kwargs, concurrent, frame.problem, frame.line)
            case i.Wait(seconds=seconds):
                return Wait(seconds)
            case i.Finished(value=value, usage=usage):
                decode(value)
                self._used, self._said_its_end = usage, True
                return Done(value)
        self._used, self._said_its_end = frame.usage, True
        return Failed(frame.kind, frame.type_name, frame.message, frame.line, frame.traceback)
