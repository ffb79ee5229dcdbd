"""Sinks that keep a chain: which link comes next, and when a checkpoint is due."""

from __future__ import annotations

import os
import secrets
import time
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from doublevm.errors import ConfigError
from doublevm.host.sinks.base import BaseSink, check_count
from doublevm.host.sinks.chain import Head, Link, chained
from doublevm.host.sinks.entries import FORMAT, Checkpoint, Opened
from doublevm.host.sinks.signing import signed_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doublevm.host.sinks.entries import AnyEntry
    from doublevm.host.sinks.signing import Signer

EVERY: Final = 1000
"""Entries between two checkpoints."""


class HeadMovedError(Exception):
    """Somebody else has appended meanwhile: the head has to be read again."""


class ClosedError(Exception):
    """The sink was closed."""


class StoredSink(BaseSink):
    """Writes links to a place of its own, and begins with ``Opened``."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        checkpoint_every: int = EVERY,
        signer: Signer | None = None,
        **options: Any,
    ) -> None:
        """Open the trail, or begin one.

        Args:
            path: its file.
            checkpoint_every: entries between two checkpoints.
            signer: signs them.
            **options: those of every sink.

        Raises:
            ConfigError: an option is wrong, or the trail cannot be opened.
        """
        super().__init__(**options)
        check_count("checkpoint_every", checkpoint_every)
        if signer is not None and not callable(getattr(signer, "sign", None)):
            raise ConfigError(f"signer must be HmacKey(...) or Ed25519Signer(...), not {signer!r}")
        self.path = Path(path)
        self._every, self._signer = checkpoint_every, signer
        self._closed = self._broken = False
        self._start()

    @property
    def head(self) -> Head:
        """Where the chain ends: kept elsewhere, it tells whether the end was cut off."""
        return self._head

    def _start(self) -> None:
        torn = self._open()
        while True:
            self._head, name = self._where()
            self._trail = name or secrets.token_hex(8)
            try:
                self._put([self._open_entry(torn)])
            except HeadMovedError:  # another process has begun the same trail
                continue
            self._checked, self._owner = self._head.seq, os.getpid()
            return

    def _keep(self, entries: Sequence[AnyEntry]) -> None:
        self._check_open()
        if self._owner != os.getpid():  # a file's lock, or a connection, is not a child's
            self._let_go()
            self._start()
        # First, so that entries are not on record if it fails.
        if self._head.seq - self._checked >= self._every:
            self._check()
        self._make_room()
        self._add(entries)

    def _check_open(self) -> None:
        if self._closed or self._broken:
            raise ClosedError("the sink was closed, or can write no more")

    def _make_room(self) -> None:
        """Prepare the place for what comes next."""

    def _open_entry(self, torn: int = 0) -> Opened:
        return Opened(time.time(), self._trail, FORMAT, os.getpid(), torn)

    def _add(self, entries: Sequence[AnyEntry]) -> None:
        while True:
            try:
                return self._put(entries)
            except HeadMovedError:
                self._head, _ = self._where()

    def _put(self, entries: Sequence[AnyEntry]) -> None:
        links = chained(self._head, entries)
        self._append(links)
        self._head = Head(links[-1].seq, links[-1].hash)

    def _check(self) -> None:
        while True:
            try:
                self._put([self._checkpoint()])
            except HeadMovedError:
                self._head, _ = self._where()
                continue
            self._checked = self._head.seq
            return

    def _checkpoint(self) -> Checkpoint:
        head, signer = self._head, self._signer
        bare = Checkpoint(time.time(), self._trail, head.seq, head.hash)
        if signer is None:
            return bare
        signature = signer.sign(signed_text(self._trail, head.seq, head.hash)).hex()
        return msgspec.structs.replace(
            bare, signer=signer.scheme, key=signer.key, signature=signature
        )

    def _end(self) -> None:
        if not self._closed and self._owner == os.getpid():
            self._closed = True
            try:
                if self._head.seq > self._checked and not self._broken:
                    self._check()
            finally:
                self._let_go()

    @abstractmethod
    def _open(self) -> int:
        """Open the place; return how many bytes were cut off at its end.

        Raises:
            ConfigError: it cannot be opened.
        """

    @abstractmethod
    def _where(self) -> tuple[Head, str]:
        """Return where the chain ends now, and the trail's name; an empty one if it is new."""

    @abstractmethod
    def _append(self, links: Sequence[Link]) -> None:
        """Write links, all or none of them.

        Raises:
            HeadMovedError: they do not follow the last one any more; nothing was written.
            Exception: nothing was written.
        """

    @abstractmethod
    def _let_go(self) -> None:
        """Close what is open. Safe to call twice."""
