"""Values that cross between guest and host, as MessagePack bytes and back.

Only plain values cross: None, bool, int, float, str, bytes, list, tuple, dict, set, frozenset,
datetime, date, time, timedelta, Decimal and UUID. What MessagePack lacks travels as an extension
type of ours; nothing is ever unpickled or constructed by name. Anything else is a CodecError
that names the path to it.
"""

from __future__ import annotations

import datetime as dt
import functools
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NoReturn
from uuid import UUID

import msgspec

from doublevm.shapes import brief
from doublevm.wire.crowding import MAX_EQUAL_HASHES, crowded, with_text_keys

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_VALUE_BYTES: Final = 1024 * 1024
"""Largest encoded value accepted, in bytes. Decoding may take some 30 times that in memory:
8 MB of empty lists were measured to peak at 230 MB."""

MAX_DEPTH: Final = 64
"""Deepest nesting accepted, so that no later step over a value can exhaust the stack."""

BIGINT, TUPLE, SET, FROZENSET, DICT, TEXT = 1, 2, 3, 4, 5, 6
DATETIME, DATE, TIME, TIMEDELTA, DECIMAL, UUID_ = 7, 8, 9, 10, 11, 12

_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1

Ext = msgspec.msgpack.Ext
_pack: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode


class CodecError(ValueError):
    """A value cannot cross, or bytes are not a value; the message says where and why."""


class _CannotCrossError(Exception):
    """Raised deep in a value; encode() then looks for the path, which costs nothing until then."""


def encode(value: Any, what: str = "the value", size: int = MAX_VALUE_BYTES) -> bytes:
    """Return ``value`` as bytes.

    Args:
        value: what crosses.
        what: how errors name it, e.g. ``"the result of users:list"``.
        size: the most bytes it may take.

    Raises:
        CodecError: it holds something that cannot cross, is nested too deeply or is too large.
    """
    try:
        payload = _pack(_plain(value, 0))
    except _CannotCrossError:
        raise CodecError(_problem(value, what, 0)) from None
    if len(payload) > size:
        raise CodecError(
            f"{what}: {len(payload):,} bytes are more than the {size:,} that can cross"
        )
    return payload


def decode(payload: bytes, *, uuid: Callable[[UUID], Any] | None = None) -> Any:
    """Return the value that ``payload`` encodes.

    ``uuid``, where given, replaces each UUID (for an engine that has none of its own).

    Raises:
        CodecError: the bytes are not a value, or break a limit.
    """
    if len(payload) > MAX_VALUE_BYTES:
        raise CodecError(f"a value of {len(payload):,} bytes is more than {MAX_VALUE_BYTES:,}")
    try:
        value = _decoder(uuid, 0)(with_text_keys(payload))
    except CodecError:
        raise
    # Everything below comes from hostile bytes: bad MessagePack, bad text, an impossible date or
    # number, an unhashable member of a set, or nesting beyond the stack.
    except (msgspec.MsgspecError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise CodecError(f"not an encoded value: {error}") from None
    if len(payload) > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise CodecError(f"nested more than {MAX_DEPTH} levels deep")
    return value


# --- encoding ---------------------------------------------------------------------------------


def _plain(value: Any, depth: int) -> Any:
    """Return what msgspec packs to the right bytes: exact types and our extensions only."""
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _text(value)
    if kind is float or kind is bool or value is None or kind is bytes:
        return value
    if kind is int:
        return value if _INT_MIN <= value <= _INT_MAX else _bigint(value)
    if kind in _WRITERS:
        code, write = _WRITERS[kind]
        return Ext(code, write(value).encode())
    if kind not in _CONTAINERS:
        return _plain(_as_base(value), depth)
    if depth >= MAX_DEPTH:
        raise _CannotCrossError
    if kind is list:
        return [_plain(item, depth + 1) for item in value]
    if kind is dict:
        return _dict(value, depth)
    if kind is tuple:
        return Ext(TUPLE, _pack([_plain(item, depth + 1) for item in value]))
    return Ext(SET if kind is set else FROZENSET, _members(value, depth))


def _dict(value: dict[Any, Any], depth: int) -> Any:
    for key in value:
        if type(key) is not str or not key.isascii():
            if crowded(value):
                raise _CannotCrossError
            pairs = [(_plain(k, depth + 1), _plain(v, depth + 1)) for k, v in value.items()]
            return Ext(DICT, _pack(pairs))
    return {key: _plain(item, depth + 1) for key, item in value.items()}


def _members(value: set[Any] | frozenset[Any], depth: int) -> bytes:
    """Sort the members: equal sets have equal bytes, whatever order this process keeps them in."""
    if crowded(value):
        raise _CannotCrossError
    return _pack([msgspec.Raw(m) for m in sorted(_pack(_plain(m, depth + 1)) for m in value)])


def _as_base(value: Any) -> Any:
    """Return an instance of a subclass (an IntEnum, a namedtuple) as its plain base."""
    for base, convert in _BASES:
        if isinstance(value, base):
            return convert(value)
    raise _CannotCrossError


def _text(value: str) -> Any:
    try:
        value.encode()
    except UnicodeEncodeError:
        return Ext(TEXT, value.encode("utf-8", "surrogatepass"))
    return value


def _bigint(value: int) -> Any:
    return Ext(BIGINT, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _timedelta_text(value: dt.timedelta) -> str:
    return f"{value.days} {value.seconds} {value.microseconds}"


def _datetime_text(value: dt.datetime | dt.time) -> str:
    # A zone other than a fixed offset crosses as the offset it has at that moment.
    return f"{value.fold} {value.isoformat()}"


_WRITERS: Final[dict[type, tuple[int, Callable[[Any], str]]]] = {
    dt.datetime: (DATETIME, _datetime_text),
    dt.date: (DATE, dt.date.isoformat),
    dt.time: (TIME, _datetime_text),
    dt.timedelta: (TIMEDELTA, _timedelta_text),
    Decimal: (DECIMAL, str),
    UUID: (UUID_, str),
}

_BASES: Final[tuple[tuple[type, Callable[[Any], Any]], ...]] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (bytes, lambda value: bytes(memoryview(value))),
    (list, list),
    (dict, dict),
    (tuple, tuple),
    (set, set),
    (frozenset, frozenset),
)


def _problem(value: Any, path: str, depth: int) -> str | None:
    """Name what cannot cross in ``value``, first things first."""
    if isinstance(value, dict):
        parts = [(f"a key of {path}", key) for key in value]
        parts += [(f"{path}[{brief(key)}]", item) for key, item in value.items()]
    elif isinstance(value, list | tuple | set | frozenset):
        parts = [(f"{path}[{i}]", item) for i, item in enumerate(value)]
    else:
        if type(value) in _WRITERS or isinstance(value, _LEAVES):
            return None
        return (
            f"{path} is of type {type(value).__name__}, which cannot cross; plain values can: "
            "None, bool, numbers, text, bytes, list, tuple, dict, set, dates, Decimal, UUID"
        )
    if depth >= MAX_DEPTH:
        return f"{path:.60}… is nested more than {MAX_DEPTH} levels deep (or contains itself)"
    if isinstance(value, dict | set | frozenset) and crowded(value):
        return f"{path} has more than {MAX_EQUAL_HASHES} members with one hash"
    problems = (_problem(part, name, depth + 1) for name, part in parts)
    return next((problem for problem in problems if problem is not None), None)


_LEAVES: Final = (str, int, float, bytes, type(None))


# --- decoding ---------------------------------------------------------------------------------


@functools.lru_cache(maxsize=4 * (MAX_DEPTH + 1))
def _decoder(uuid: Callable[[UUID], Any] | None, depth: int) -> Callable[[bytes], Any]:
    """Return one of a few decoders: to make one takes longer than to decode a small value."""

    def extension(code: int, data: memoryview) -> Any:
        if code in _COLLECTORS:
            if depth >= MAX_DEPTH:
                raise CodecError(f"nested more than {MAX_DEPTH} levels deep")
            return _COLLECTORS[code](_decoder(uuid, depth + 1)(with_text_keys(bytes(data))))
        if code == UUID_ and uuid is not None:
            return uuid(UUID(str(data, "ascii")))
        return _READERS.get(code, _unknown)(bytes(data))

    return msgspec.msgpack.Decoder(ext_hook=extension).decode


def _unknown(_data: bytes) -> NoReturn:
    raise CodecError("an extension type that does not exist")


def _read_datetime(kind: type[dt.datetime | dt.time]) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        fold, text = data.decode("ascii").split(" ", 1)
        value = kind.fromisoformat(text)
        return value.replace(fold=1) if fold == "1" else value

    return read


def _read_timedelta(data: bytes) -> dt.timedelta:
    days, seconds, microseconds = (int(part) for part in data.split(b" "))
    return dt.timedelta(days, seconds, microseconds)


def _spread(collect: Callable[[Any], Any], keys: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def collect_spread(members: Any) -> Any:
        if crowded(keys(members)):
            raise CodecError(f"more than {MAX_EQUAL_HASHES} members with one hash")
        return collect(members)

    return collect_spread


_COLLECTORS: Final[dict[int, Callable[[Any], Any]]] = {
    TUPLE: tuple,
    SET: _spread(set, list),
    FROZENSET: _spread(frozenset, list),
    DICT: _spread(dict, lambda pairs: [key for key, _ in pairs]),
}

_READERS: Final[dict[int, Callable[[bytes], Any]]] = {
    BIGINT: lambda data: int.from_bytes(data, "big", signed=True),
    TEXT: lambda data: data.decode("utf-8", "surrogatepass"),
    DATETIME: _read_datetime(dt.datetime),
    DATE: lambda data: dt.date.fromisoformat(data.decode("ascii")),
    TIME: _read_datetime(dt.time),
    TIMEDELTA: _read_timedelta,
    DECIMAL: lambda data: Decimal(data.decode("ascii")),
    UUID_: lambda data: UUID(data.decode("ascii")),
}

_CONTAINERS: Final = frozenset((list, dict, tuple, set, frozenset))


def _deeper_than(value: Any, depth: int) -> bool:
    """Whether containers nest deeper; level by level, so that it needs no stack itself."""
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(depth):
        level = [part for item in level for part in item if type(part) in _CONTAINERS] + [
            part
            for item in level
            if type(item) is dict
            for part in item.values()
            if type(part) in _CONTAINERS
        ]
        if not level:
            return False
    return True
