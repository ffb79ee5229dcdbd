"""What a run is given, checked before anything of it reaches a VM."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Any, Final

from doublevm.errors import ConfigError
from doublevm.wire.codec import MAX_VALUE_BYTES, CodecError, encode

if TYPE_CHECKING:
    from doublevm.host.handlers import Handlers

MAX_SOURCE_BYTES: Final = MAX_VALUE_BYTES
"""Longest program accepted, in bytes of UTF-8."""


def check_source(program: object) -> str:
    """Return the program, if it is one that can be sent."""
    if not isinstance(program, str):
        raise ConfigError(f"program must be text, not {type(program).__name__}")
    try:
        size = len(program.encode())
    except UnicodeEncodeError:
        raise ConfigError("program has lone surrogates and cannot be encoded as UTF-8") from None
    if size > MAX_SOURCE_BYTES:
        raise ConfigError(f"program has {size:,} bytes; {MAX_SOURCE_BYTES:,} are accepted at most")
    return program


def check_inputs(inputs: dict[Any, Any] | None, handlers: Handlers) -> dict[str, Any]:
    """Return the inputs, or say which cannot be one."""
    if inputs is None:
        return {}
    if not isinstance(inputs, dict):
        raise ConfigError(f"inputs must be a dict of names and values, not {inputs!r}")
    taken = {name.replace(":", ".").split(".")[0] for name in handlers.tools} | {"call_tool"}
    for name in inputs:
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            raise ConfigError(f"inputs: {name!r} cannot be a variable's name")
        if name.startswith("__"):
            raise ConfigError(f"inputs: {name!r} is a name that Python keeps; choose another")
        if name in taken:
            raise ConfigError(f"inputs: {name!r} is the name of a tool; choose another")
    return dict(inputs)


def encode_inputs(inputs: dict[str, Any]) -> bytes:
    """Return the inputs as bytes, or say which value cannot cross."""
    try:
        return encode(inputs, "inputs")
    except CodecError as error:
        raise ConfigError(str(error)) from None
