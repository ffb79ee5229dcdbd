"""One frame of each kind, and Hypothesis strategies for all of them."""

from __future__ import annotations

from typing import Any, Final, get_args, get_type_hints

import msgspec
from hypothesis import strategies as st

from doublevm import score
from doublevm.operation import ToolSpec
from doublevm.score import Argument, Features, FieldRead, Graded, Signal, ToolCall
from doublevm.shapes import Shape
from doublevm.wire import frames as f
from doublevm.wire import guard_frames as g
from doublevm.wire import inner_frames as i
from doublevm.wire import score_frames as sf
from doublevm.wire import template_frames as t
from doublevm.wire import zygote_frames as z

HOST: Final = get_args(f.HostFrame)
PARENT: Final = get_args(f.ParentFrame)
TO_INNER: Final = get_args(i.ToInner)
FROM_INNER: Final = get_args(i.FromInner)
TO_TEMPLATE: Final = (t.Fork, t.Kill)
FROM_TEMPLATE: Final = (t.Prepared, t.Failed, t.Ended)
TO_ZYGOTE: Final = (z.Spawn, z.Warm, z.AskStatus)
FROM_ZYGOTE: Final = (z.Spawned, z.Unspawned, z.Warmed, z.Status)
KINDS: Final[tuple[type, ...]] = (
    *HOST, *PARENT, *TO_INNER, *FROM_INNER, *TO_TEMPLATE, *FROM_TEMPLATE, *TO_ZYGOTE, *FROM_ZYGOTE,
)  # fmt: skip

LIMITS: Final = f.RunLimits(1.0, 2**25, 10, 1000, 10, 5)
FOUND: Final = g.Found("imports", 1, 1, "import os", "message", "suggestion", refuses=True)
ARGUMENT: Final = Argument("limit", "number", 5, 1, 1)
GRADED: Final = Graded(
    (Signal("EXFIL_PATTERN", 50, 1, 1, "message"),),
    "failure",
    Features(
        (ToolCall("tool", 1, 1, looped=True, arguments=(ARGUMENT,), sources=(0,)),),
        (FieldRead("name", 1, 1),),
    ),
)
USAGE: Final = f.Usage(0.5, 1000)

EXAMPLES: Final[dict[type, msgspec.Struct]] = {
    type(frame): frame
    for frame in (
        f.Configure(
            version=f.VERSION,
            tools=(),
            catch_all=False,
            engines={"monty": 1, "cpython": 3},
            monty_binary=None,
            memory=2**20,
            frozen_clocks=False,
            validation=None,
            guard=None,
            scoring=None,
        ),
        g.Check(1, "1", b"\x80", "auto", 1.0),
        g.Read(1, (FOUND,)),
        g.Checked(1, (FOUND,), "cpython", (g.Because("class inheritance", 3),)),
        f.Scored(1, GRADED),
        f.Decided(1, allowed=True),
        f.Renew(),
        f.Remember((f.Remembered("a:b", b"\x80", 1.5, True),)),
        f.Run(1, "1", b"\x80", "auto", session=False, full_traceback=True, limits=LIMITS),
        f.Returned(1, 1, b"\xc0"),
        f.Raised(1, 1, "ValueError", "message"),
        f.Refused(1, 1, "message"),
        f.EndSession(),
        f.Ready(f.VERSION, {}, ("monty",)),
        f.Unconfined("why"),
        f.Started(1, "monty"),
        f.Call(1, 1, "tool", b"\x80", concurrent=False),
        f.Denied(1, 1, "tool", b"\x80", "names", "grammar", "reason"),
        f.Output(1, "stdout", "text"),
        f.Done(1, b"\xc0", USAGE),
        f.Failed(1, "EXECUTION_ERROR", "message", USAGE, "ValueError", 3, "", 1),
        f.Broken(1, "crashed", "message"),
        i.Start("1", b"\x80", ("tool",), keep=False),
        i.Value(b"\xc0"),
        i.Error("ValueError", "message"),
        i.Later(),
        i.Settled({1: i.Value(b"\xc0"), 2: i.Error("ValueError", "")}),
        i.Prepared(),
        i.Attempt(1, "tool", b"\x90", b"\x80", concurrent=True),
        i.Wait(None),
        i.Print("stderr", "text"),
        i.Finished(b"\xc0", USAGE),
        i.Ended("exception", "ValueError", "message", 1, "", USAGE),
        t.Fork(2**25, 10),
        t.Kill(),
        t.Prepared(),
        t.Failed("message"),
        t.Ended(-9, 0.5, 1000),
        z.Spawn(1, 3, {"landlock": "not there"}),
        z.Warm(2),
        z.AskStatus(3, 77),
        z.Spawned(1, 77),
        z.Unspawned(1, "why"),
        z.Warmed(2),
        z.Status(3, -9),
    )
}


def example(kind: type) -> msgspec.Struct:
    return EXAMPLES[kind]


def names(kind: type) -> str:
    return kind.__name__


SHAPES: st.SearchStrategy[Shape] = st.deferred(lambda: st.from_type(Shape))  # type: ignore[arg-type]

TEXT: Final = st.text(max_size=10)
NUMBERS: Final = st.integers(0, 2**53)
PAYLOADS: Final = st.binary(max_size=10)


def frames_of(kind: type) -> st.SearchStrategy[Any]:
    """Build frames of a kind from its fields' annotations."""
    fields = msgspec.structs.fields(kind)
    return st.builds(kind, **{field.name: _values(field.type) for field in fields})


def _hint(kind: type, name: str) -> Any:
    return get_type_hints(kind, include_extras=True)[name]


def _values(annotation: Any) -> st.SearchStrategy[Any]:
    known: dict[Any, st.SearchStrategy[Any]] = {
        f.Number: NUMBERS, f.Name: TEXT, f.Line: st.integers(0, 2**31), str: TEXT, bytes: PAYLOADS,
        int | None: st.none() | st.integers(-(2**63), 2**64 - 1),
        z.Weakest | None: st.none() | st.integers(0, 4),
        dict[f.Name, str] | None: st.none() | st.dictionaries(TEXT, TEXT, max_size=3),
        dict[str, str] | None: st.none() | st.dictionaries(TEXT, TEXT, max_size=3),
        float: st.floats(allow_nan=False), f.Number | None: st.none() | NUMBERS,
        float | None: st.none() | st.floats(allow_nan=False), int: st.integers(-(2**63), 2**64 - 1),
        tuple[ToolSpec, ...]: st.just((ToolSpec("tool", ()),)) | st.just(()),
        f.Validation | None: st.none() | st.deferred(lambda: frames_of(f.Validation)),
        f.Expression | None: st.none() | st.builds(f.Expression, TEXT, NUMBERS),
        tuple[f.Expression, ...]: st.tuples(st.builds(f.Expression, TEXT, NUMBERS)),
        tuple[f.Detector, ...]: st.tuples(st.builds(f.Detector, TEXT, TEXT, PAYLOADS)),
        tuple[f.Remembered, ...]: st.deferred(lambda: st.tuples(frames_of(f.Remembered))),
        dict[str, f.Number]: st.dictionaries(TEXT, NUMBERS, max_size=3),
        tuple[str, ...]: st.tuples(TEXT),
        tuple[str, ...] | None: st.none() | st.tuples(TEXT),
        dict[f.Name, g.Act]: st.dictionaries(TEXT, st.sampled_from(get_args(g.Act)), max_size=3),
        f.Guarding | None: st.none() | st.deferred(lambda: frames_of(f.Guarding)),
        tuple[g.OwnRule, ...]: st.deferred(lambda: st.tuples(frames_of(g.OwnRule))),
        g.Findings: st.deferred(lambda: st.tuples(frames_of(g.Found))),
        f.Scoring | None: st.none() | st.deferred(lambda: frames_of(f.Scoring)),
        tuple[sf.OwnAnalyzer, ...]: st.deferred(lambda: st.tuples(frames_of(sf.OwnAnalyzer))),
        score.Points: st.integers(0, 100),
        score.Place: st.integers(1, 2**31),
        Graded | None: st.none() | st.deferred(lambda: frames_of(Graded)),
        Features | None: st.none() | st.deferred(lambda: frames_of(Features)),
        _hint(Features, "calls"): st.deferred(lambda: st.tuples(frames_of(ToolCall))),
        _hint(Features, "fields"): st.deferred(lambda: st.tuples(frames_of(FieldRead))),
        _hint(Graded, "signals"): st.deferred(lambda: st.tuples(frames_of(Signal))),
        _hint(ToolCall, "arguments"): st.deferred(lambda: st.tuples(frames_of(Argument))),
        _hint(ToolCall, "sources"): st.tuples(st.integers(0, score.MOST_CALLS - 1)),
        str | bool | float | None: st.none() | TEXT | st.booleans() | st.floats(allow_nan=False),
        get_type_hints(g.Checked, include_extras=True)["reasons"]: st.just(()),
        dict[int, i.Value | i.Error]: st.dictionaries(
            NUMBERS, st.builds(i.Value, PAYLOADS) | st.builds(i.Error, TEXT, TEXT), max_size=3
        ),
    }  # fmt: skip
    for type_, strategy in known.items():
        if annotation == type_:
            return strategy
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return frames_of(annotation)
    if str(annotation).startswith("typing.Annotated[str"):
        return st.text(min_size=1, max_size=10)
    return st.from_type(annotation)
