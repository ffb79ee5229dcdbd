"""A policy file as text, and as tables with the line of everything in them."""

from __future__ import annotations

import os
import re
import tomllib
from typing import Any, Final

from doublevm.errors import ConfigError
from doublevm.host.policy_file.lines import Path, lines_of

MOST_BYTES: Final = 1024 * 1024
"""Largest file that is read: a policy with every option in it has a hundredth of that."""

_PLACE: Final = re.compile(r" \(at line (\d+), column \d+\)\Z")


class MalformedError(Exception):
    """What is in a file is no TOML."""

    def __init__(self, line: int, message: str) -> None:
        """Say where, and what is wrong there."""
        super().__init__(message)
        self.line = line


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[Path, int]]:
    """Return a file's tables, and the lines that they and all in them are on.

    Raises:
        ConfigError: the file cannot be read, or is too large.
        MalformedError: it is not TOML in UTF-8.
    """
    text = _decoded(_content(path))
    try:
        return tomllib.loads(text), lines_of(text)
    except RecursionError:
        raise MalformedError(1, "arrays or tables are nested too deeply") from None
    except ValueError as error:  # not TOML, or a number of more digits than Python reads
        raise _malformed(str(error), text) from None


def _content(path: str | os.PathLike[str]) -> bytes:
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - Path("") would be the folder we are in
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read the policy {name}: {error.strerror}") from None
    except ValueError as error:  # a name that no file can have
        raise ConfigError(f"cannot read the policy {name!r}: {error}") from None
    if len(data) > MOST_BYTES:
        raise ConfigError(f"the policy {name} is too large: {MOST_BYTES:,} bytes are read at most")
    return data


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MalformedError(line, f"this is not UTF-8: {error.reason}") from None


def _malformed(message: str, text: str) -> MalformedError:
    """Take the place out of what tomllib says; where it says none, it is the end."""
    if place := _PLACE.search(message):
        return MalformedError(int(place[1]), f"this is not TOML: {message[: place.start()]}")
    return MalformedError(text.rstrip("\n").count("\n") + 1, f"this is not TOML: {message}")
