"""What was come upon in a program: its tool calls, what is read from their results, and what flows.

What a value comes from is a mask of bits. A tool call has a bit, and so has each parameter of a
function of the program: what was passed for it is known when all calls of the function are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from doublevm.score import (
    MOST_ARGUMENTS,
    MOST_CALLS,
    MOST_FIELDS,
    Argument,
    Features,
    FieldRead,
    ToolCall,
)

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable, Iterator, Sequence

    from doublevm.guard.scoring.arguments import Leaf
    from doublevm.guard.scoring.names import Function

MOST_BITS: Final = 10_000
"""Tool calls and parameters that are told apart; masks of more would take seconds."""


class TooMuchError(Exception):
    """The program has more of something than is looked at; the message says what."""


class Entry:
    """One tool call."""

    __slots__ = ("bit", "leaves", "looped", "mask", "node", "number", "tool")

    def __init__(
        self, number: int, tool: str, node: ast.expr, leaves: tuple[Leaf, ...], bit: int
    ) -> None:
        self.number, self.tool, self.node = number, tool, node
        self.leaves, self.bit = leaves, bit
        self.mask = 0
        """What its arguments come from."""
        self.looped = False


class Ledger:
    """Written while a program is read; asked once, at the end."""

    def __init__(self) -> None:
        """Begin empty."""
        self._entries: dict[int, Entry] = {}
        """By the identity of the node: the body of a loop is read twice."""
        self._fields: dict[int, tuple[str, ast.expr, int]] = {}
        self._bits: list[int | None] = []
        """For each bit the number of its call; None for a parameter's."""
        self._passed: dict[int, int] = {}
        self._arguments = 0

    def call(
        self, tool: str, node: ast.expr, mask: int, leaves: Iterable[Leaf], *, looped: bool
    ) -> Entry:
        """Note a tool call, or what is new of one that was noted before."""
        entry = self._entries.get(id(node))
        if entry is None:
            number = len(self._entries)
            if number == MOST_CALLS:
                raise TooMuchError(f"it calls tools at more than {MOST_CALLS:,} places")
            entry = Entry(number, tool, node, tuple(leaves), self._bit(number))
            self._entries[id(node)] = entry
            self._arguments += len(entry.leaves)
            if self._arguments > MOST_ARGUMENTS:
                raise TooMuchError(f"it gives tools more than {MOST_ARGUMENTS:,} values")
        entry.mask |= mask
        entry.looped = entry.looped or looped
        return entry

    def field(self, name: str, node: ast.expr, mask: int) -> None:
        """Note that a field is read of something that ``mask`` says the origin of."""
        before = self._fields.get(id(node))
        if before is None and len(self._fields) == MOST_FIELDS:
            raise TooMuchError(f"it reads fields at more than {MOST_FIELDS:,} places")
        self._fields[id(node)] = (name, node, mask | (before[2] if before else 0))

    def parameters(self, function: Function) -> None:
        """Give the parameters of a function their bits."""
        function.first_bit = len(self._bits)
        for _ in function.params:
            self._bit(None)

    def passed(self, bit: int, mask: int) -> None:
        """Note what is passed for a parameter."""
        self._passed[bit] = self._passed.get(bit, 0) | mask

    def _bit(self, call: int | None) -> int:
        if len(self._bits) == MOST_BITS:
            raise TooMuchError("it has too many functions and calls of tools")
        self._bits.append(call)
        return len(self._bits) - 1

    def features(self, functions: Iterable[Function], lines: Sequence[str]) -> Features:
        """Return what was noted, with every parameter followed to the calls it comes from."""
        self._mark_looped(functions)
        calls = tuple(self._tool_call(entry, lines) for entry in self._entries.values())
        fields = tuple(
            FieldRead(name, *place(node, lines))
            for name, node, mask in self._fields.values()
            if self._sources(mask)
        )
        return Features(calls, fields)

    def _tool_call(self, entry: Entry, lines: Sequence[str]) -> ToolCall:
        arguments = tuple(
            Argument(leaf.name, leaf.kind, leaf.value, *place(leaf.node, lines))
            for leaf in entry.leaves
        )
        line, column = place(entry.node, lines)
        sources = tuple(self._sources(entry.mask))
        return ToolCall(entry.tool, line, column, entry.looped, arguments, sources)

    def _sources(self, mask: int) -> list[int]:
        """Return the numbers of the calls in a mask, parameters followed."""
        found: list[int] = []
        seen, todo = 0, mask
        while todo:
            seen |= todo
            more = 0
            for bit in _set_bits(todo):
                number = self._bits[bit]
                if number is None:
                    more |= self._passed.get(bit, 0)
                else:
                    found.append(number)
            todo = more & ~seen
        return sorted(found)

    def _mark_looped(self, functions: Iterable[Function]) -> None:
        entries = list(self._entries.values())
        todo = [function for function in functions if function.looped]
        while todo:
            function = todo.pop()
            for number in function.calls:
                entries[number].looped = True
            for callee in function.callees:
                if not callee.looped:
                    callee.looped = True
                    todo.append(callee)


def _set_bits(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def place(node: ast.expr, lines: Sequence[str]) -> tuple[int, int]:
    """Return the line and the column of a node, both 1-based, the column in characters."""
    line, offset = node.lineno, node.col_offset
    text = lines[line - 1] if line <= len(lines) else ""
    if text.isascii():
        return line, offset + 1
    return line, len(text.encode("utf-8", "replace")[:offset].decode("utf-8", "ignore")) + 1
