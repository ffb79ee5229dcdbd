"""The cpython engine: a sealed process of real CPython, a fresh one for each run or session."""

from __future__ import annotations

import os
import select
import subprocess
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
from doublevm.launch import python_command
from doublevm.wire import inner_frames as i
from doublevm.wire.codec import CodecError, decode
from doublevm.wire.frames import FrameError, Usage, encode_frame
from doublevm.wire.framing import FrameBuffer, pack
from doublevm.wire.grammar import inner_side

if TYPE_CHECKING:
    from collections.abc import Callable

CPU_MARGIN: Final = 2
"""Seconds of CPU beyond the timeout before the kernel ends the guest, should nobody else do."""


class CPythonEngine:
    """One cpython inner VM at a time."""

    name: Final = "cpython"

    def __init__(self, module: str = "doublevm.inner.__main__") -> None:
        """Start nothing yet. ``module`` is what the inner VM's process runs."""
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None
        self._used = Usage(0.0, 0)

    def prepare(self, memory: int, timeout: float) -> None:  # noqa: ARG002 - monty needs them here
        """Start the process and wait until it has imported everything."""
        if self._process is not None:
            return
        self._buffer, self._grammar = FrameBuffer(), inner_side()
        to_read, inner_writes = os.pipe()
        inner_reads, to_write = os.pipe()
        try:
            self._process = subprocess.Popen(
                python_command(self._module, inner_reads, inner_writes, os.getpid()),
                pass_fds=(inner_reads, inner_writes),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
            )
        except OSError as error:
            os.close(to_read)
            os.close(to_write)
            raise EngineStartError(f"the cpython engine cannot start: {error}") from error
        finally:
            os.close(inner_reads)
            os.close(inner_writes)
        self._read_fd, self._write_fd = to_read, to_write
        self._receive()
        self._end_turn()

    def start(self, program: Program, emit: Callable[[Any, str], None]) -> Step:
        """Send the program; the process seals itself before it runs it."""
        self._emit = emit
        self._before = self._used
        self._send(
            i.Start(
                program.source,
                program.inputs,
                program.tools,
                int(program.timeout) + 1 + CPU_MARGIN,
                program.memory,
                program.keep,
            )
        )
        return self._step()

    def resume(self, reply: Reply) -> Step:
        """Send the answer."""
        self._send(reply)
        return self._step()

    @property
    def watched_fd(self) -> int:
        """The pipe it speaks through: nothing may come before its answer."""
        return self._read_fd

    def check(self) -> None:
        """Read what came out of turn, if anything did."""
        if select.select([self._read_fd], [], [], 0)[0]:
            self._receive()  # raises, as nothing may come now

    def kill(self) -> None:
        """Kill the process."""
        process = self._process
        if process is not None:
            process.kill()

    def finish(self, *, keep: bool) -> Usage:
        """End the process, unless it is kept for a session."""
        if not keep:
            self.close()
        cpu = max(0.0, self._used.cpu_time - self._before.cpu_time)
        return Usage(cpu, self._used.peak_memory)

    def close(self) -> None:
        """Kill and reap the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        os.close(self._read_fd)
        os.close(self._write_fd)
        process.wait()

    # --- frames -------------------------------------------------------------------------------

    def _send(self, frame: Any) -> None:
        self._grammar.step(frame)
        data = memoryview(pack(encode_frame(frame)))
        try:
            while data:
                data = data[os.write(self._write_fd, data) :]
        except BrokenPipeError:
            raise EngineDiedError(self._last_words()) from None

    def _receive(self) -> Any:
        try:
            while (data := self._buffer.take()) is None:
                chunk = os.read(self._read_fd, 65536)
                if not chunk:
                    raise EngineDiedError(self._last_words())
                self._buffer.feed(chunk)
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
                return Call(call, operation, args, kwargs, concurrent, frame.problem)
            case i.Wait(seconds=seconds):
                return Wait(seconds)
            case i.Finished(value=value, usage=usage):
                decode(value)
                self._used = usage
                return Done(value)
        self._used = frame.usage
        return Failed(frame.kind, frame.type_name, frame.message, frame.line, frame.traceback)

    def _last_words(self) -> str:
        assert self._process is not None
        try:
            status = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "the cpython inner VM closed its pipe"
        if status < 0:
            return f"the cpython inner VM was killed by signal {-status}"
        return f"the cpython inner VM ended with status {status}"
