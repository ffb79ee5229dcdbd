"""Makes cases: what an honest VM would send, more or less disturbed."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

from doublevm.wire import frames as f
from doublevm.wire import inner_frames as i
from doublevm.wire.codec import encode
from doublevm.wire.frames import encode_frame
from doublevm.wire.framing import MAX_FRAME_BYTES
from tests.fuzz import disturb
from tests.fuzz.case import Case, Chunk, Target
from tests.fuzz.payloads import FITTING, arguments, payload
from tests.fuzz.sources import sources
from tests.fuzz.targets import RUNS_PER_LIFE
from tests.fuzz.tools import PROFILES
from tests.unit.wire.every_frame import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

USAGE: Final = f.Usage(0.25, 4096)
_MIX: Final[tuple[Target, ...]] = ("guest", "guest", "parent", "parent", "bytes", "source")
_CODES: Final = ("EXECUTION_ERROR", "OPERATION_DENIED", "TOOL_ERROR", "NO_CODE", "")


def new_case(seed: int, number: int, target: Target | None = None) -> Case:
    """Return the case of that number; the same for the same arguments."""
    random = Random(f"{seed}/{number}/{target}")  # noqa: S311 - it has to be repeatable
    who: Target = random.choice(_MIX) if target is None else target
    session = random.random() < 0.2
    make = {"guest": _guest, "parent": _parent, "bytes": _bytes, "source": _source}[who]
    count = random.choice((1, 1, 2, 3))
    lives = tuple(_life(random, list(make(random, session))) for _ in range(count))
    return Case(who, random.randrange(PROFILES), session, lives)


def _life(random: Random, frames: list[bytes]) -> tuple[Chunk, ...]:
    """Disturb the order of frames or the bytes of some; leave half of all lives as they are."""
    if random.random() < 0.5:
        frames = disturb.order(random, frames)
    framed = [len(frame).to_bytes(4, "big") + frame for frame in frames]
    if random.random() < 0.15:
        framed = disturb.pieces(random, framed)
    early = random.randrange(len(framed)) if framed and random.random() < 0.1 else -1
    return tuple(Chunk(data, place == early) for place, data in enumerate(framed))


# --- what a guest says ------------------------------------------------------------------------


def _guest(random: Random, session: bool) -> Iterator[bytes]:  # noqa: FBT001
    yield encode_frame(i.Prepared())
    for _ in range(random.randrange(1, RUNS_PER_LIFE + 1) if session else 1):
        for number in range(random.choice((0, 3, 8, 20))):
            yield _said(random, number)
        yield _said_at_the_end(random)


def _said(random: Random, number: int) -> bytes:
    kind = random.randrange(6)
    if kind == 0:
        seconds = random.choice((None, 0.0, -1.0, 1e308, float("nan"), float("-inf"), 0.01))
        return encode_frame(i.Wait(seconds))
    if kind == 1:
        text = random.choice(("x", "\n", "é" * 70, "", "\0", "line\n" * 9, "y" * 1000, "\n" * 30))
        return encode_frame(i.Print(random.choice(("stdout", "stderr")), text))
    operation, args, kwargs = random.choice(FITTING)
    if random.random() < 0.1:
        operation = random.choice(("__class__", "", "a" * 5000, "é", "no:such", "x\0", "tool.a b"))
    problem = "p" * random.choice((1, 5000)) if random.random() < 0.05 else ""
    encoded = arguments(random, args, kwargs)
    concurrent = random.random() < 0.3
    return encode_frame(i.Attempt(number, operation, *encoded, concurrent, problem, _line(random)))


def _line(random: Random) -> Any:
    """Return a line; now and then what none is, which a hostile VM's encoder writes as gladly."""
    if random.random() < 0.95:
        return random.choice((0, 1, 3, 2**31))
    return random.choice((-1, 2**31 + 1, 2**64 - 1, 1.0, None, "1", [1]))


def _said_at_the_end(random: Random) -> bytes:
    if random.random() < 0.5:
        value = payload(random) if random.random() < 0.5 else encode([1, {"a": 2}])
        return encode_frame(i.Finished(value, _usage(random)))
    kind: Any = random.choice(("syntax", "exception", "memory", "value"))
    text = random.choice(("", "ValueError: x", "x" * 9000, "PermissionError: \0"))
    return encode_frame(
        i.Ended(kind, text[:1000], text, random.choice((0, 2**31)), text * 9, _usage(random))
    )


def _usage(random: Random) -> f.Usage:
    seconds = random.choice((0.0, -1.0, float("nan"), float("inf"), 1.5))
    return f.Usage(seconds, random.choice((0, -1, 2**63 - 1, -(2**63), 2**64 - 1)))


# --- what a parent VM says --------------------------------------------------------------------


def _parent(random: Random, session: bool) -> Iterator[bytes]:  # noqa: FBT001
    missing = {"landlock": "none"} if random.random() < 0.2 else {}
    version = f.VERSION if random.random() < 0.98 else random.choice((0, -1, 2**60))
    yield encode_frame(f.Ready(version, missing, ("cpython",)))
    # A case's first life begins with run 1; which life this is, its attack makes up for.
    for run in range(1, random.randrange(1, RUNS_PER_LIFE + 1) + 1):
        yield encode_frame(f.Started(run, random.choice(("cpython", "monty"))))
        for number in range(random.choice((0, 2, 6, 20))):
            yield _told(random, run, number)
        yield _told_at_the_end(random, run)
    del session


def _told(random: Random, run: int, number: int) -> bytes:
    kind = random.randrange(5)
    if kind == 0:
        return encode_frame(f.Output(run, "stdout", random.choice(("x", "\n", "é" * 99))))
    operation, _, kwargs = random.choice(FITTING)
    if random.random() < 0.8:
        operation, kwargs = random.choice(
            (("echo", {"value": [1, {2}]}), ("add", {"a": 1, "b": -(2**70)}), ("users:list", {}))
        )
    _, args = arguments(random, [], kwargs)
    if random.random() < 0.05:
        args = payload(random)
    if kind == 1:
        reason = random.choice(("no", "", "x" * 5000, "\0"))
        where = ("names", "grammar", reason, _line(random))
        return encode_frame(f.Denied(run, number, operation, args, *where))
    concurrent = random.random() < 0.3
    return encode_frame(f.Call(run, number, operation, args, concurrent, _line(random)))


def _told_at_the_end(random: Random, run: int) -> bytes:
    kind, usage = random.randrange(6), _usage(random)
    if kind == 0:
        how: Any = random.choice(("crashed", "unavailable", "protocol"))
        return encode_frame(f.Broken(run, how, "message", random.choice(("", "attempt"))))
    if kind < 3:
        call = random.choice((None, 0, 1, 2**53))
        code, text = random.choice(_CODES), random.choice(("", "x" * 5000, "\0\u202e"))
        return encode_frame(f.Failed(run, code, text, usage, text[:99], 3, text, call))
    value = payload(random) if random.random() < 0.3 else encode({"a": 1})
    return encode_frame(f.Done(run, value, usage, spent=random.random() < 0.1))


# --- programs ---------------------------------------------------------------------------------


def _source(random: Random, session: bool) -> Iterator[bytes]:  # noqa: FBT001
    del session
    for source in sources(random):
        yield source.encode("utf-8", "surrogatepass")


# --- bytes for nobody -------------------------------------------------------------------------


def _bytes(random: Random, session: bool) -> Iterator[bytes]:  # noqa: FBT001
    del session
    for _ in range(random.randrange(1, 20)):
        kind = random.randrange(5)
        if kind == 0:
            yield disturb.in_bytes(random, encode_frame(random.choice(tuple(EXAMPLES.values()))))
        elif kind == 1:
            yield disturb.in_fields(random, encode_frame(random.choice(tuple(EXAMPLES.values()))))
        elif kind == 2:
            yield random.randbytes(random.randrange(1, 40))
        elif random.random() < 0.001:
            yield bytes(MAX_FRAME_BYTES - random.randrange(2))
        else:
            yield payload(random)
