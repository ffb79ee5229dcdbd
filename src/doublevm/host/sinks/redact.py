"""Keeps secrets out of what is kept: fields by name, and text that looks like a secret.

What is left out leaves a digest under a key, so that two equal values can be told from two others
by whoever has the trail, and guessed by nobody who has not the key.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets as random
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from doublevm.errors import ConfigError
from doublevm.host.sinks.entries import Attempt, Program, Tried, arguments_of, as_json
from doublevm.host.sinks.secret_kinds import KINDS
from doublevm.host.sinks.signing import check_key
from doublevm.verdict import Deny, WouldDeny
from doublevm.wire.codec import encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from doublevm.host.sinks.entries import AnyEntry

EVERY_TOOL: Final = "*"
_DIGITS: Final = 32
"""Hexadecimal digits of a digest that are kept: 128 bits, so that no two values ever share one."""
_TELLTALE: Final = 6
"""Characters of a value that give it away in the text of a reason, which may be cut short."""

_E = TypeVar("_E", bound="AnyEntry")


class Redact:
    """Replaces values by ``[redacted LABEL DIGEST]``, where LABEL is the field or kind of secret.

    In the arguments, at any depth, keys included; in a denial's reason, and in the names of
    operations, which a guest makes up as it likes.
    """

    def __init__(
        self,
        *,
        fields: Collection[str] | Mapping[str, Collection[str]] = (),
        patterns: Iterable[str | re.Pattern[str]] = (),
        secrets: bool | Collection[str] = True,
        key: bytes | None = None,
    ) -> None:
        """Compile what is looked for.

        Args:
            fields: names of arguments and of keys within them whose values are replaced, for all
                tools; or a dict from a tool's name, ``"*"`` for all, to such names.
            patterns: regular expressions; what they match is replaced.
            secrets: whether what looks like a secret is replaced; or which of the kinds in
                ``doublevm.host.sinks.secret_kinds``.
            key: the digests' key, at least 16 bytes. None: a random one, so that values can be
                matched in what this object has written, and in nothing else.

        Raises:
            ConfigError: one is wrong; the message names it.
        """
        self._fields = _checked_fields(fields)
        self._patterns = [*_kinds(secrets), *map(_compiled, _many("patterns", patterns))]
        if key is not None:
            check_key("key", key)
        self._key = key or random.token_bytes(32)

    def __repr__(self) -> str:
        """Say nothing of the key."""
        return f"Redact(fields={self._fields!r}, {len(self._patterns)} patterns)"

    @property
    def has_fields(self) -> bool:
        """Whether the values of fields are replaced."""
        return any(self._fields.values())

    def digest(self, value: Any) -> str:
        """Return a value's digest, as it stands in the trail: to look for it there."""
        encoded = encode(value, "the value")
        return hmac.new(self._key, encoded, hashlib.sha256).hexdigest()[:_DIGITS]

    def entry(self, entry: _E) -> _E:
        """Return an entry as it may be kept."""
        if isinstance(entry, Program):
            source, sha256 = self._program(entry)
            return msgspec.structs.replace(entry, source=source, sha256=sha256)
        if not isinstance(entry, Attempt):
            return entry
        work = _Redaction(self, self._names(entry))
        arguments = work.value(arguments_of(entry))
        verdict = entry.verdict
        if isinstance(verdict, Deny):
            verdict = Deny(verdict.barrier, verdict.rule, work.reason(verdict.reason))
        elif isinstance(verdict, Tried):
            would = verdict.would_deny
            verdict = Tried(WouldDeny(would.barrier, would.rule, work.reason(would.reason)))
        return msgspec.structs.replace(
            entry,
            operation=self.text(entry.operation),
            arguments=as_json(arguments),
            verdict=verdict,
        )

    def _program(self, program: Program) -> tuple[str | None, str]:
        """Return its source and its digest as they may be kept."""
        source = program.source
        if source is None or (kept := self.text(source, keep_lines=True)) == source:
            return source, program.sha256
        # Who has all of the source but a secret could try out guesses with its SHA-256.
        return kept, self.marker("program", source)

    def _names(self, attempt: Attempt) -> frozenset[str]:
        """Return the fields to be replaced: all of them where no tool is known by that name.

        A guest that misspells a tool's name passes it the same secrets.
        """
        names = self._fields.get(EVERY_TOOL, frozenset())
        if attempt.operation in self._fields:
            return names | self._fields[attempt.operation]
        if isinstance(attempt.verdict, Deny):
            return names.union(*self._fields.values())
        return names

    def marker(self, label: str, value: Any) -> str:
        """Return what stands for a value."""
        return f"[redacted {label} {self.digest(value)}]"

    def text(self, text: str, *, keep_lines: bool = False) -> str:
        """Return text without what matches a pattern; with as many lines, if they are kept."""
        # What stands for one secret is not looked at by the patterns that come after.
        pieces = [(text, True)]
        for looked in self._patterns:
            pieces = [part for piece in pieces for part in self._split(piece, looked, keep_lines)]
        return "".join(text for text, _ in pieces)

    def _split(
        self,
        piece: tuple[str, bool],
        looked: _Looked,
        keep_lines: bool,  # noqa: FBT001
    ) -> list[tuple[str, bool]]:
        """Cut a piece that is still to be looked at where a pattern matches."""
        text, is_open = piece
        label, pattern, really = looked
        if not is_open or pattern.search(text) is None:
            return [piece]
        parts, end = [], 0
        for match in pattern.finditer(text):
            if match[0] and really(match[0]):
                ends = "".join(c for c in match[0] if c in "\r\n") if keep_lines else ""
                marker = self.marker(label, match[0]) + ends
                parts += [(text[end : match.start()], True), (marker, False)]
                end = match.end()
        return [*parts, (text[end:], True)]


class _Redaction:
    """One entry's: it remembers what it has taken out, as a reason may quote that."""

    def __init__(self, redact: Redact, names: frozenset[str]) -> None:
        self._redact, self._names = redact, names
        self._taken: list[Any] = []

    def value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._redact.text(value)
        if isinstance(value, dict):
            return {self.value(key): self._item(key, item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return type(value)(self.value(item) for item in value)
        if isinstance(value, bool | None):
            return value
        text = value.decode("latin-1") if isinstance(value, bytes) else _written(value)
        return value if self._redact.text(text) == text else self._redact.marker("value", value)

    def reason(self, reason: str) -> str:
        if any(_is_quoted(value, reason) for value in self._taken):
            return self._redact.marker("reason", reason)
        return self._redact.text(reason)

    def _item(self, key: Any, item: Any) -> Any:
        name = key.decode("latin-1") if isinstance(key, bytes) else key
        if isinstance(name, str) and name in self._names:
            self._taken.append(item)
            return self._redact.marker(name, item)
        return self.value(item)


def _written(value: Any) -> str:
    try:
        return str(value)
    except ValueError:  # an int of more digits than Python writes: it is no card's number
        return ""


def _is_quoted(value: Any, reason: str) -> bool:
    if isinstance(value, dict):
        return any(_is_quoted(part, reason) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple | set | frozenset):
        return any(_is_quoted(item, reason) for item in value)
    if value is None or isinstance(value, bool):
        return False
    text = repr(value)[2:-1] if isinstance(value, bytes) else _written(value)
    return bool(text) and (text[:_TELLTALE] in reason or repr(text)[1:-1][:_TELLTALE] in reason)


_Looked = tuple[str, "re.Pattern[str]", Any]


def _kinds(secrets: object) -> list[_Looked]:
    if isinstance(secrets, bool):
        wanted = list(KINDS) if secrets else []
    else:
        wanted = _many("secrets", secrets)
    for name in wanted:
        if name not in KINDS:
            raise ConfigError(f"secrets: there is no kind {name!r}; there are {', '.join(KINDS)}")
    return [(name, *KINDS[name]) for name in wanted]


def _compiled(pattern: object) -> _Looked:
    try:
        compiled = pattern if isinstance(pattern, re.Pattern) else re.compile(pattern)  # type: ignore[call-overload]
    except (re.error, TypeError) as error:
        raise ConfigError(f"patterns: {pattern!r} is no regular expression: {error}") from None
    if not isinstance(compiled.pattern, str):
        raise ConfigError(f"patterns: {pattern!r} is for bytes; write one for text")
    return ("pattern", compiled, lambda _: True)


def _checked_fields(fields: object) -> dict[str, frozenset[str]]:
    if not isinstance(fields, Mapping):
        return {EVERY_TOOL: frozenset(_names("fields", fields))}
    return {
        str(tool): frozenset(_names(f"fields[{tool!r}]", names)) for tool, names in fields.items()
    }


def _names(what: str, names: object) -> list[str]:
    found = _many(what, names)
    if not all(isinstance(name, str) for name in found):
        raise ConfigError(f"{what} must be names, not {names!r}")
    return found


def _many(what: str, given: object) -> list[Any]:
    if isinstance(given, str | bytes) or not hasattr(given, "__iter__"):
        raise ConfigError(f"{what} must be a sequence, not {given!r}; write ({given!r},)")
    return list(given)
