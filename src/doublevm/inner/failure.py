"""What is reported of an exception that leaves a guest program."""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING

from doublevm.guest_traceback import GuestFrame, render
from doublevm.inner.compile import BODY
from doublevm.inner.iterations import TooManyIterations
from doublevm.wire.frames import Usage
from doublevm.wire.inner_frames import Ended

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_MESSAGE = 4000


def used() -> Usage:
    """Return what this process says it has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    unit = 1 if sys.platform == "darwin" else 1024
    return Usage(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


def ended(error: BaseException, sources: Mapping[str, list[str]]) -> Ended:
    """Describe an exception; ``sources`` has the lines of the guest's programs by file name."""
    frames = _guest_frames(error, sources)
    name = type(error).__name__
    text = _text(error)
    message = (f"{name}: {text}" if text else name)[:MAX_MESSAGE]
    line = frames[-1].line if frames else 0
    if isinstance(error, TooManyIterations):
        return Ended("iterations", "", text, line, render(frames, text), used())
    memory = isinstance(error, MemoryError)
    return Ended(
        "memory" if memory else "exception",
        name[:200],
        message,
        line,
        render(frames, message),
        used(),
    )


def syntax_error(error: SyntaxError) -> Ended:
    """Describe a program that does not compile."""
    message = f"{type(error).__name__}: {error.msg}"
    return Ended("syntax", type(error).__name__, message, error.lineno or 0, "", used())


def value_error(message: str) -> Ended:
    """Describe a program whose value cannot cross."""
    return Ended("value", "TypeError", f"TypeError: {message}", 0, "", used())


def _guest_frames(error: BaseException, sources: Mapping[str, list[str]]) -> list[GuestFrame]:
    frames = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename in sources:
            lines = sources[code.co_filename]
            line = traceback.tb_lineno or 0
            text = lines[line - 1] if 0 < line <= len(lines) else ""
            name = "<module>" if code.co_name == BODY else code.co_name[:100]
            frames.append(GuestFrame(line, name, text))
        traceback = traceback.tb_next
    return frames


def _text(error: BaseException) -> str:
    try:
        text = str(error)
        if isinstance(error, ImportError) and isinstance(error.path, str):
            text = text.replace(f" ({error.path})", "")  # where Python is installed
    # The guest wrote this exception's __str__; whatever it raises changes nothing here.
    except BaseException:  # noqa: BLE001
        return "<the exception's __str__ failed>"
    return text.encode("utf-8", "backslashreplace").decode()
