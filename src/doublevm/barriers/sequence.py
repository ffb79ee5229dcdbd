"""Sequences: the built-in patterns, guesses from the words of names and from arguments.

Each pattern is a class with a table of words of its own. A pattern is told of every operation that
was judged, and keeps just what its next answer needs, so judging takes the same time whatever the
traffic.

Operations that were denied read no data, so sequences look at allowed ones. RAPID_ENUMERATION
counts every attempt.
"""

from __future__ import annotations

import functools
from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Protocol

from doublevm.barriers.bulk import asks_for_everything
from doublevm.barriers.words import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doublevm.operation import Operation

ACCESS: Final = frozenset(
    ("list", "query", "get", "fetch", "read", "search", "find", "select", "load", "lookup",
     "retrieve", "download", "scan", "browse")
)  # fmt: skip
"""Words of operations that read data."""

SEND: Final = frozenset(
    ("send", "export", "post", "write", "upload", "publish", "emit", "transmit", "forward")
)
"""Words of operations that let data out."""

CREDENTIAL: Final = frozenset(
    ("credential", "credentials", "secret", "secrets", "password", "passwords", "passwd", "token",
     "tokens", "apikey", "apikeys", "keychain", "vault", "oauth")
)  # fmt: skip
"""Words of operations that read credentials; also ``api key``, ``private key`` and the like."""

KEY_KINDS: Final = frozenset(("api", "access", "private", "secret", "signing", "encryption", "ssh"))
"""Words that make ``key`` or ``keys`` behind them a credential."""

EXTERNAL: Final = SEND | frozenset(
    ("external", "http", "https", "webhook", "webhooks", "request", "email", "mail", "slack", "sms",
     "notify", "ftp", "url", "remote", "curl", "proxy")
)  # fmt: skip
"""Words of operations that reach somebody else."""

DELETE: Final = frozenset(("delete", "remove", "destroy", "purge", "wipe", "erase"))
"""Words of operations that remove data."""

BULK: Final = frozenset(("bulk", "batch", "mass", "dump"))
"""Words of operations on many things at once; also ``export all``."""


class Pattern(Protocol):
    """One built-in pattern."""

    id: str

    def detect(self, operation: Operation, now: float) -> str | None:
        """Return why the operation looks like an attack, or None."""

    def note(self, name: str, now: float, *, allowed: bool) -> None:
        """Learn of an operation that has been judged."""


class _After:
    """Shared by patterns of the form: first one kind of operation, then another."""

    id: str
    first: frozenset[str]
    then: frozenset[str]
    reason: str

    def __init__(self, window: float) -> None:
        self._window = window
        self._seen = float("-inf")

    def detect(self, operation: Operation, now: float) -> str | None:
        recent = self._seen > now - self._window
        return self.reason if recent and self._is_then(operation.name) else None

    def note(self, name: str, now: float, *, allowed: bool) -> None:
        if allowed and self._is_first(name):
            self._seen = now

    def _is_first(self, name: str) -> bool:
        return not self.first.isdisjoint(words(name))

    def _is_then(self, name: str) -> bool:
        return not self.then.isdisjoint(words(name))


class ExfilListSend(_After):
    """Data is read, then something is sent.

    Catches ``users:list`` and ``mail:send`` within the window. Misses data that leaves through an
    operation whose name does not say so, and alarms at a harmless message after a harmless read.
    """

    id = "EXFIL_LIST_SEND"
    first, then = ACCESS, SEND
    reason = "data was read and something is leaving"


class CredentialExfil(_After):
    """Credentials are read, then something outside is reached.

    Catches ``vault:get_token`` and ``http:request``. Misses credentials behind other names, and
    ``key`` alone, which mostly is no credential.
    """

    id = "CREDENTIAL_EXFIL"
    first, then = CREDENTIAL, EXTERNAL
    reason = "credentials were read and something outside is reached"

    def _is_first(self, name: str) -> bool:
        return is_credential(words(name))


@functools.lru_cache(maxsize=4096)
def is_credential(parts: tuple[str, ...]) -> bool:
    """Tell whether these words, of one name, mean a credential."""
    keys = any(kind in KEY_KINDS and key in ("key", "keys") for kind, key in pairwise(parts))
    # "OAuth" is written so that it splits.
    return keys or ("o", "auth") in pairwise(parts) or not CREDENTIAL.isdisjoint(parts)


class DeleteAfterAccess(_After):
    """Data is read, then something is deleted.

    Catches ``files:read`` and ``files:delete``. Misses deletion under other names (``archive``,
    ``drop``), and alarms at a clean-up of one's own.
    """

    id = "DELETE_AFTER_ACCESS"
    first, then = ACCESS, DELETE
    reason = "data was read and something is being deleted"


class RapidEnumeration:
    """The same operation again and again.

    Counts attempts, denied ones included. Catches walks through ids one by one; misses walks spread
    over several operations, or slower than the window.
    """

    id = "RAPID_ENUMERATION"

    def __init__(self, window: float, threshold: int, overrides: Mapping[str, int]) -> None:
        """Deny the attempt after ``threshold`` ones of a name within ``window`` seconds."""
        self._window, self._threshold, self._overrides = window, threshold, overrides
        self._attempts: dict[str, deque[float]] = {}

    def detect(self, operation: Operation, now: float) -> str | None:
        """Count this attempt in."""
        threshold = self._overrides.get(operation.name, self._threshold)
        times = self._attempts.get(operation.name)
        # The deque holds the last ``threshold`` attempts: if even the oldest of them is recent,
        # this one is one too many.
        if threshold and (times is None or len(times) < threshold):
            return None
        if threshold and times is not None and times[0] <= now - self._window:
            return None
        return f"it was called more than {threshold} times in {self._window:g} s"

    def note(self, name: str, now: float, *, allowed: bool) -> None:  # noqa: ARG002 - every attempt
        """Remember the attempt, and forget names that have not been used lately."""
        threshold = self._overrides.get(name, self._threshold)
        # Taken out and put back: the dict stays in the order of the last attempts, and a name is
        # looked at again only to be forgotten.
        times = self._attempts.pop(name, None) or deque(maxlen=max(1, threshold))
        times.append(now)
        self._attempts[name] = times
        while (oldest := next(iter(self._attempts))) != name:
            if self._attempts[oldest][-1] > now - self._window:
                break
            del self._attempts[oldest]


class BulkOperation:
    """One operation that asks for very much.

    Catches names such as ``bulk_export``, ``bulkGet`` and ``exportAll``, and arguments that ask for
    everything (see ``bulk``). Misses many small operations, and limits that are not called limits.
    """

    id = "BULK_OPERATION"

    def detect(self, operation: Operation, now: float) -> str | None:  # noqa: ARG002 - no time
        """Look at the operation alone."""
        parts = words(operation.name)
        if not BULK.isdisjoint(parts) or ("export", "all") in pairwise(parts):
            return "its name says that it works on many things at once"
        found = asks_for_everything(operation.args)
        return f"{found} asks for very much at once" if found else None

    def note(self, name: str, now: float, *, allowed: bool) -> None:
        """Nothing is remembered."""


def built_in_patterns(
    *,
    window: float,
    rapid_window: float,
    rapid_threshold: int,
    rapid_overrides: Mapping[str, int],
    disabled: frozenset[str],
) -> tuple[Pattern, ...]:
    """Return the patterns in force, in the order they are asked."""
    every: tuple[Any, ...] = (
        ExfilListSend(window),
        RapidEnumeration(rapid_window, rapid_threshold, rapid_overrides),
        CredentialExfil(window),
        BulkOperation(),
        DeleteAfterAccess(window),
    )
    return tuple(pattern for pattern in every if pattern.id not in disabled)


BUILT_IN_IDS: Final = (
    "EXFIL_LIST_SEND",
    "RAPID_ENUMERATION",
    "CREDENTIAL_EXFIL",
    "BULK_OPERATION",
    "DELETE_AFTER_ACCESS",
)
