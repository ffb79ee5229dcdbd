"""The host's side as its drivers use it, without a process: bytes in, bytes out."""

from __future__ import annotations

import warnings
from collections import deque
from typing import TYPE_CHECKING, Any

from doublevm.host import effects
from doublevm.host.conversation import MAX_WAITING_BYTES, Conversation
from doublevm.wire import frames as f

if TYPE_CHECKING:
    from collections.abc import Generator

    from doublevm import RunResult
    from doublevm.host.core import EnclaveCore
    from doublevm.host.handlers import Invocation


class HostSide:
    """Speaks with one pair."""

    def __init__(self, core: EnclaveCore) -> None:
        """Take part in the enclave's life."""
        self._core = core
        self._conversation = Conversation()
        self._late: deque[effects.Finished] = deque()
        self._steps: Generator[effects.Effect, Any, RunResult] | None = None
        self._effect: effects.Effect | None = None
        self.sent: deque[bytes] = deque()
        """What the pair has not read yet."""
        self.taken = 0
        """Frames looked at."""
        self.greeted = False
        self.sent.append(self._conversation.to_send(core.configure()))

    @property
    def full(self) -> bool:
        """Whether the drivers would stop reading."""
        return self._conversation.full

    def feed(self, data: bytes) -> None:
        """Take what the pair sends."""
        self._conversation.feed(data)
        waiting = len(self._conversation._buffer)
        assert waiting < MAX_WAITING_BYTES + len(data), waiting

    def greet(self) -> bool:
        """Look at what the pair says of itself, if it has."""
        frame = self._take()
        if frame is None:
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it may say that nothing confines it
            self._core.check_ready(frame)
        for memory in self._core.memories():
            self._send(memory)
        self.greeted = True
        return True

    def renew(self) -> None:
        """Come back to the pair after another conversation."""
        self._send(f.Renew())
        for memory in self._core.memories():
            self._send(memory)

    def begin(self, *, session: bool) -> None:
        """Send the program."""
        run = self._core.host_run("pass", None, self._on_output, session=session)
        self._steps = run.steps()
        self._effect = next(self._steps)

    def pump(self) -> RunResult | None:
        """Go on until more has to come, or to the end."""
        assert self._steps is not None
        while True:
            answer: Any = None
            match self._effect:
                case effects.Send(frame=frame):
                    self._send(frame)
                case effects.Next():
                    answer = self._take() or (self._late.popleft() if self._late else None)
                    if answer is None:
                        return None
                case effects.Invoke(invocation=invocation, concurrent=False):
                    answer = _invoke(invocation)
                case effects.Invoke(invocation=invocation):
                    self._late.append(_invoke(invocation))
                case _:
                    pass
            try:
                self._effect = self._steps.send(answer)
            except StopIteration as end:
                result: RunResult = end.value
                return result

    def _take(self) -> Any:
        frame = self._conversation.take()
        self.taken += frame is not None
        return frame

    def _send(self, frame: Any) -> None:
        self.sent.append(self._conversation.to_send(frame))

    def _on_output(self, _stream: str, text: str) -> None:
        text.encode()  # what cannot be written would end a host that prints it


def _invoke(invocation: Invocation) -> effects.Finished:
    try:
        value = invocation.call_handler()
    # The border to the host's handlers, as the drivers have it.
    except Exception as error:  # noqa: BLE001
        return invocation.raised(error, 0.0)
    return invocation.returned(value, 0.0)
