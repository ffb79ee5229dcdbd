"""Values that are written out in a program, and larger than they may be."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.guard.findings import Finding
    from doublevm.guard.program import Program


def literals(program: Program, most: int) -> Iterator[Finding]:
    """Yield every text, bytes or number of more than ``most`` bytes."""
    if len(program.source) <= most // 4:  # an escape of 4 characters or fewer makes at most 4 bytes
        return
    for constant in program.survey.of(ast.Constant):
        size = _bytes_of(constant.value)
        if size > most:
            message = f"a value written out here has {size:,} bytes; {most:,} are accepted"
            yield program.finding("max_literal_bytes", constant, message, "pass it in with inputs=")


def _bytes_of(value: object) -> int:
    match value:
        case bool() | None:
            return 0
        case str():
            return len(value.encode("utf-8", "surrogatepass"))
        case bytes():
            return len(value)
        case int():
            return value.bit_length() // 8 + 1
    return 0
