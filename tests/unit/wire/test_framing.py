"""A stream of bytes gives the same frames however it was cut, and refuses impossible lengths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doublevm.wire.frames import FrameError
from doublevm.wire.framing import HEADER_BYTES, MAX_FRAME_BYTES, FrameBuffer, pack

FRAMES = st.lists(st.binary(min_size=1, max_size=300), max_size=8)


def taken(buffer: FrameBuffer) -> list[bytes]:
    found = []
    while (frame := buffer.take()) is not None:
        found.append(frame)
    return found


@given(FRAMES)
def test_in_one_chunk_and_byte_by_byte(frames: list[bytes]) -> None:
    stream = b"".join(map(pack, frames))
    at_once, slowly = FrameBuffer(), FrameBuffer()
    at_once.feed(stream)
    assert taken(at_once) == frames
    found = []
    for place in range(len(stream)):
        slowly.feed(stream[place : place + 1])
        found += taken(slowly)
    assert found == frames
    assert len(at_once) == len(slowly) == 0


@given(FRAMES, st.data())
def test_however_it_is_cut(frames: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(pack, frames))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    buffer, found = FrameBuffer(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        buffer.feed(stream[start:end])
        found += taken(buffer)
    assert found == frames


@given(st.binary(min_size=1, max_size=50), st.data())
def test_a_part_of_a_frame_is_no_frame(frame: bytes, data: st.DataObject) -> None:
    stream = pack(frame)
    part = data.draw(st.integers(0, len(stream) - 1))
    buffer = FrameBuffer()
    buffer.feed(stream[:part])
    assert buffer.take() is None
    assert len(buffer) == part
    buffer.feed(stream[part:])
    assert buffer.take() == frame


@pytest.mark.parametrize("size", [0, MAX_FRAME_BYTES + 1, 2**31, 2**32 - 1])
def test_impossible_lengths_are_refused_before_the_frame_has_come(size: int) -> None:
    buffer = FrameBuffer()
    buffer.feed(size.to_bytes(HEADER_BYTES, "big"))
    with pytest.raises(FrameError, match=f"{size:,} bytes") as caught:
        buffer.take()
    assert caught.value.frame == "bytes"
    buffer.feed(b"x" * 100)
    with pytest.raises(FrameError):  # nothing after it can be trusted either
        buffer.take()


def test_frames_before_an_impossible_length_are_given() -> None:
    buffer = FrameBuffer()
    buffer.feed(pack(b"fine") + b"\x00\x00\x00\x00")
    assert buffer.take() == b"fine"
    with pytest.raises(FrameError):
        buffer.take()


def test_the_largest_frame() -> None:
    frame = b"x" * MAX_FRAME_BYTES
    buffer = FrameBuffer()
    buffer.feed(pack(frame))
    assert buffer.take() == frame
    with pytest.raises(FrameError, match="at most"):
        pack(frame + b"x")


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_any_bytes_give_frames_or_a_frame_error(chunks: list[bytes]) -> None:
    buffer = FrameBuffer()
    for chunk in chunks:
        buffer.feed(chunk)
        try:
            assert all(0 < len(frame) <= MAX_FRAME_BYTES for frame in taken(buffer))
        except FrameError as error:
            assert error.frame == "bytes"  # noqa: PT017 - both outcomes are right
            return
