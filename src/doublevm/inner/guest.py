"""The guest: its names, its streams, its event loop, and the running of its programs."""

from __future__ import annotations

import asyncio
import builtins
import sys
import types
from typing import TYPE_CHECKING, Any

from doublevm.guest_traceback import FILENAME
from doublevm.inner.calls import Caller, awaitable_form, guest_tools
from doublevm.inner.compile import AWAITED, compile_program, execute
from doublevm.inner.failure import ended, syntax_error, used, value_error
from doublevm.inner.iterations import COUNT, counter
from doublevm.inner.loop import GuestLoop, GuestLoopPolicy
from doublevm.inner.output import GuestOutput
from doublevm.wire.codec import CodecError, decode, encode
from doublevm.wire.frames import encode_frame
from doublevm.wire.inner_frames import Ended, Finished, Start

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from doublevm.inner.pipe import ParentPipe

RESERVE_BYTES = 1024 * 1024
"""Held back, so that running out of memory can still be reported."""


class Guest:
    """One guest: a fresh one runs one program, a session's runs several."""

    def __init__(self, pipe: ParentPipe, tools: tuple[str, ...]) -> None:
        """Make the guest's ``__main__`` and point Python's streams and loops at the pipe."""
        self._pipe = pipe
        self._caller = Caller(pipe, self._flush)
        self._main = types.ModuleType("__main__")
        self._sources: dict[str, list[str]] = {}
        vars(self._main).update(
            guest_tools(self._caller, tools),
            __builtins__=builtins,
            **{AWAITED: awaitable_form},
        )
        sys.modules["__main__"] = self._main
        self._streams = (GuestOutput(pipe, "stdout"), GuestOutput(pipe, "stderr"))
        sys.stdout, sys.stderr = self._streams
        sys.stdin = None
        asyncio.set_event_loop_policy(GuestLoopPolicy(pipe, self._caller))

    def run(self, start: Start) -> Finished | Ended:
        """Run one program and say how it ended."""
        filename = FILENAME if not self._sources else f"<program {len(self._sources) + 1}>"
        self._sources[filename] = start.source.splitlines()
        self._caller.filename = filename
        names = vars(self._main)
        try:
            most = start.max_iterations
            code = compile_program(start.source, filename, counted=most is not None)
            if most is not None:
                names[COUNT] = counter(most)
            names.update(decode(start.inputs))
        except SyntaxError as error:
            return syntax_error(error)
        # Zeros that were never written to: the kernel counts them, and need not find them yet.
        reserve = bytes(RESERVE_BYTES)
        try:
            value = execute(code, names, self._run_coroutine)
            self._flush()
            return Finished(encode(value, "the program's value"), used())
        except CodecError as error:
            return value_error(str(error))
        # The border of the guest: whatever leaves its program is reported, SystemExit included.
        except BaseException as error:  # noqa: BLE001
            del reserve
            if isinstance(error, MemoryError) and not start.keep:
                names.clear()
            return self._report(error)

    def _report(self, error: BaseException) -> Ended:
        self._flush()
        return ended(error, self._sources)

    def _flush(self) -> None:
        for stream in self._streams:
            stream.flush()

    def _run_coroutine(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        loop = GuestLoop(self._pipe, self._caller)
        try:
            return loop.run_until_complete(coroutine)
        finally:
            self._cancel_all(loop)
            loop.close()

    @staticmethod
    def _cancel_all(loop: GuestLoop) -> None:
        """Cancel what the program left running, as ``asyncio.run`` does."""
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


def rehearse(pipe: ParentPipe) -> None:
    """Run a small program in a guest that is thrown away, while nobody waits.

    The memory that any program writes to is shared with the template until then: to have it copied
    takes longer than most programs. Nothing is sent; all that this guest has set up in the process
    is replaced by the real one's.
    """
    start = Start(_REHEARSAL, encode({}), ("rehearsal",), keep=False)
    encode_frame(Guest(pipe, start.tools).run(start))


_REHEARSAL = "sum(n for n in [len('text'), 1.5])"
