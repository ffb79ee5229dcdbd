"""What has been attempted lately: the memory of the monitor, and what detectors are shown."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from doublevm.wire.codec import decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ENTRY_BYTES: Final = 200
"""What an entry counts for besides its name and arguments: its time and Python's own overhead."""

MAX_BYTES: Final = 16 * 1024 * 1024
"""Most that the history may take. What would not fit is denied, never forgotten: forgetting would
let a flood of operations wash away the first half of a sequence."""


_set = object.__setattr__


class OperationHistoryEntry:
    """One operation that was attempted before, as a detector sees it.

    ``args`` is a fresh copy at each access: nothing a detector does to it is seen by another.
    """

    __slots__ = ("_args", "allowed", "name", "timestamp")

    name: str
    """The operation's name."""
    timestamp: float
    """When it was judged, in seconds since the epoch."""
    allowed: bool
    """Whether it was allowed."""
    _args: bytes

    def __init__(
        self,
        name: str,
        args: Mapping[str, Any] | bytes,
        timestamp: float,
        allowed: bool = True,  # noqa: FBT001, FBT002 - one of the documented fields
    ) -> None:
        """Keep the fields; ``args`` are arguments by name, or already encoded."""
        payload = args if isinstance(args, bytes) else encode(dict(args), "args")
        _set(self, "name", name)
        _set(self, "_args", payload)
        _set(self, "timestamp", timestamp)
        _set(self, "allowed", allowed)

    @property
    def args(self) -> Any:
        """The arguments by name."""
        return decode(self._args)

    @property
    def encoded_args(self) -> bytes:
        """The arguments, encoded."""
        return self._args

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"history entries cannot be changed ({name})")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"history entries cannot be changed ({name})")

    def __reduce__(self) -> tuple[object, ...]:
        """Survive copying and pickling."""
        return (OperationHistoryEntry, self._key())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OperationHistoryEntry):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[str, bytes, float, bool]:
        return (self.name, self._args, self.timestamp, self.allowed)

    def __repr__(self) -> str:
        return (
            f"OperationHistoryEntry(name={self.name!r}, args={self.args!r}, "
            f"timestamp={self.timestamp!r}, allowed={self.allowed!r})"
        )


class History:
    """The entries of the last ``window`` seconds, at least."""

    def __init__(self, window: float) -> None:
        """Begin empty."""
        self._window = window
        self._entries: deque[OperationHistoryEntry] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[OperationHistoryEntry]:
        return iter(self._entries)

    def view(self) -> list[OperationHistoryEntry]:
        """Return a list of the entries, oldest first, that the caller may change."""
        return list(self._entries)

    def forget(self, now: float) -> None:
        """Drop entries that no window reaches any more."""
        entries = self._entries
        while entries and entries[0].timestamp <= now - self._window:
            self._bytes -= _size(entries.popleft())

    def has_room_for(self, entry: OperationHistoryEntry) -> bool:
        """Whether the entry fits."""
        return self._bytes + _size(entry) <= MAX_BYTES

    def add(self, entry: OperationHistoryEntry) -> None:
        """Remember an entry."""
        self._entries.append(entry)
        self._bytes += _size(entry)


def _size(entry: OperationHistoryEntry) -> int:
    return ENTRY_BYTES + len(entry.name) + len(entry._args)  # noqa: SLF001 - of this module
