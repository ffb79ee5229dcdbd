"""Each frame survives its way; whatever else comes is a FrameError and nothing more."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doublevm.operation import Parameter, ToolSpec
from doublevm.shapes import Choice, Mapping, Record, Scalar, Sequence, Tuple, Union
from doublevm.wire import frames as f
from doublevm.wire import inner_frames as i
from doublevm.wire import template_frames as t
from doublevm.wire import zygote_frames as z
from doublevm.wire.frames import FrameError, encode_frame, frame_name
from tests.unit.wire.every_frame import (
    EXAMPLES,
    FROM_INNER,
    FROM_TEMPLATE,
    FROM_ZYGOTE,
    HOST,
    KINDS,
    PARENT,
    TO_INNER,
    TO_TEMPLATE,
    TO_ZYGOTE,
    example,
    frames_of,
    names,
)

DECODERS = {
    f.decode_host_frame: HOST,
    f.decode_parent_frame: PARENT,
    i.decode_to_inner: TO_INNER,
    i.decode_from_inner: FROM_INNER,
    t.decode_to_template: TO_TEMPLATE,
    t.decode_from_template: FROM_TEMPLATE,
    z.decode_to_zygote: TO_ZYGOTE,
    z.decode_from_zygote: FROM_ZYGOTE,
}
pack = msgspec.msgpack.Encoder().encode

every_kind = pytest.mark.parametrize("kind", KINDS, ids=names)
every_decoder = pytest.mark.parametrize(
    "decode",
    DECODERS,
    ids=[
        "host",
        "parent",
        "to",
        "from",
        "to-template",
        "from-template",
        "to-zygote",
        "from-zygote",
    ],
)


def decoder_of(kind: type) -> Any:
    return next(decode for decode, kinds in DECODERS.items() if kind in kinds)


def test_there_is_an_example_of_each() -> None:
    assert set(EXAMPLES) == set(KINDS)
    tags = [frame_name(frame) for frame in EXAMPLES.values()]
    for kinds in DECODERS.values():
        own = [frame_name(example(kind)) for kind in kinds]
        assert len(set(own)) == len(own)
    assert "" not in tags


@every_kind
@given(st.data())
def test_round_trip(kind: type, data: st.DataObject) -> None:
    frame = data.draw(frames_of(kind))
    assert decoder_of(kind)(encode_frame(frame)) == frame


def test_shapes_of_every_kind_reach_the_parent() -> None:
    text = Scalar("str")
    record = Record("Row", {"id": Scalar("int"), "tags": Sequence("set", text)}, ("id",))
    shape = Union((Mapping(text, record), Tuple((text, Choice((None, True, 1, "x")))), text))
    spec = ToolSpec("tool", (Parameter("rows", shape, required=True, positional=False),))
    frame = f.Configure(
        version=1,
        tools=(spec,),
        catch_all=True,
        engines={"monty": 1},
        monty_binary="/m",
        memory=2**20,
        frozen_clocks=False,
        validation=None,
        guard=None,
        scoring=None,
    )
    assert f.decode_host_frame(encode_frame(frame)) == frame


@every_decoder
@given(data=st.binary(max_size=200))
def test_any_bytes(decode: Any, data: bytes) -> None:
    try:
        frame = decode(data)
    except FrameError as error:
        assert error.frame == "bytes"  # noqa: PT017 - both outcomes are right
        return
    assert type(frame) in DECODERS[decode]


JSON_LIKE: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)  # fmt: skip


@every_kind
@given(fields=st.lists(JSON_LIKE, max_size=8))
def test_the_right_name_with_any_fields(kind: type, fields: list[Any]) -> None:
    try:
        frame = decoder_of(kind)(pack([frame_name(example(kind)), *fields]))
    except FrameError:
        return
    assert type(frame) is kind


@every_kind
def test_a_field_too_many_or_too_few(kind: type) -> None:
    whole = msgspec.msgpack.decode(encode_frame(example(kind)))
    required = [x for x in msgspec.structs.fields(kind) if x.required]
    decode = decoder_of(kind)
    assert type(decode(pack(whole))) is kind  # the twin
    with pytest.raises(FrameError):
        decode(pack([*whole, 0]))
    if required:
        with pytest.raises(FrameError):
            decode(pack(whole[: len(required)]))


@every_kind
def test_another_direction_is_not_decoded(kind: type) -> None:
    """A frame of one side is no frame where the other side's are expected."""
    data = encode_frame(example(kind))
    for decode, kinds in DECODERS.items():
        if frame_name(example(kind)) not in {frame_name(example(each)) for each in kinds}:
            with pytest.raises(FrameError):
                decode(data)


@pytest.mark.parametrize(
    ("decode", "fields"),
    [
        (f.decode_parent_frame, ["started", -1, "monty"]),
        (f.decode_parent_frame, ["started", 2**53 + 1, "monty"]),
        (f.decode_parent_frame, ["started", True, "monty"]),
        (f.decode_parent_frame, ["started", 1.0, "monty"]),
        (f.decode_parent_frame, ["started", 1, "quickjs"]),
        (f.decode_parent_frame, ["output", 1, "stdin", "x"]),
        (f.decode_parent_frame, ["output", 1, "stdout", ""]),
        (f.decode_parent_frame, ["call", 1, 1, "x" * 1001, b"", False]),
        (f.decode_parent_frame, ["call", 1, 1, "x", "text", False]),
        (f.decode_parent_frame, ["call", 1, 1, "x", b"", 0]),
        (f.decode_parent_frame, ["broken", 1, "tired", "x", ""]),
        (f.decode_parent_frame, ["no such frame"]),
        (f.decode_parent_frame, []),
        (i.decode_from_inner, ["ended", "boredom", "", "", 0, "", [0.0, 0]]),
        (i.decode_from_inner, ["ended", "syntax", "", "", 2**31 + 1, "", [0.0, 0]]),
        (i.decode_from_inner, ["wait", "1"]),
        (i.decode_from_inner, ["attempt", 1, b"tool", b"", b"", False, ""]),
    ],
)
def test_fields_outside_of_their_range(decode: Any, fields: list[Any]) -> None:
    with pytest.raises(FrameError, match="not a frame"):
        decode(pack(fields))
