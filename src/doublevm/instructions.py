"""What a host puts into its model's prompt: the tools as stubs, and how programs are run."""

from __future__ import annotations

import itertools
import keyword
import textwrap
from typing import TYPE_CHECKING, Any, Final

from doublevm import shapes as s
from doublevm.errors import ConfigError
from doublevm.guest_names import CALL_TOOL, guest_path
from doublevm.signatures import shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from doublevm.limits import Limits
    from doublevm.operation import Parameter
    from doublevm.tools import Tool

_INDENT = "    "

_HOMES: Final = {
    "datetime": ("date", "datetime", "time", "timedelta"),
    "decimal": ("Decimal",),
    "typing": ("Any", "Literal", "NotRequired", "TypedDict"),
    "uuid": ("UUID",),
}
"""The words of annotations, by the module to import them from; others are builtins."""


def stubs(tools: Iterable[Tool]) -> str:
    """Return the tools as Python stub text with docstrings; it parses and type-checks."""
    tools = tuple(tools)
    names = {part for tool in tools for part in guest_path(tool.name) or ()}
    writer = _StubWriter(names)
    for tool in tools:
        writer.add(tool)
    return writer.text()


def instructions(tools: Iterable[Tool], limits: Limits, engine: str) -> str:
    """Return a text for the model: the language, how tools are called, the limits."""
    assert limits.memory is not None
    language = {
        "monty": "Python without class inheritance, generators (yield) and del",
        "cpython": "Python",
        "auto": "Python",
    }[engine]
    names = [tool.name for tool in tools]
    first = next((name for name in names if guest_path(name)), None)
    example = f"`{'.'.join(guest_path(first) or ())}(...)`" if first else f"`{CALL_TOOL}(...)`"
    return textwrap.dedent(f"""\
        Write one program in {language}.
        Its last expression, or a top-level `return`, is its result. Results are plain values:
        None, bool, int, float, str, bytes, list, tuple, dict, set, dates and times, Decimal, UUID.
        Tools are ordinary functions, {example}; `await` one, or `asyncio.gather(...)` several to
        run them at the same time. `{CALL_TOOL}("name", {{"argument": value}})` calls any by name.
        A refused call raises PermissionError, wrong arguments raise TypeError, and a tool's own
        error is raised as an exception: catch what you can handle.
        There are no files, no network, no processes and no packages beyond the standard library's
        computing modules (math, json, re, datetime, statistics, ...).
        Limits: {limits.timeout:g} seconds, {limits.memory // 2**20} MiB of memory,
        {limits.max_tool_calls} tool calls, {limits.max_output_bytes} bytes of printed output.
        """)


class _StubWriter:
    """Collects stubs: records first, then functions and namespaces."""

    def __init__(self, taken: set[str]) -> None:
        """``taken`` are the names of tools, which hide types of the same name."""
        self._taken = taken
        self._modules: set[str] = set()
        self._records: dict[str, str] = {}
        self._shapes: dict[str, s.Record] = {}
        self._root: dict[str, Any] = {}
        self._others: list[str] = []

    def add(self, tool: Tool) -> None:
        path = guest_path(tool.name)
        if path is None:
            shown = ", ".join(self._parameter(p) for p in tool.parameters)
            self._others.append(f'# {CALL_TOOL}("{tool.name}", …) takes ({shown})')
            return
        place = self._root
        for part in path[:-1]:
            place = place.setdefault(part, {})
        place[path[-1]] = tool

    def text(self) -> str:
        body = self._block(self._root, "", ())
        text, any_, args = self._word("str"), self._word("Any"), self._word("dict")
        args = f"{args}[{text}, {any_}]"
        call_tool = f"def {CALL_TOOL}(name: {text}, args: {args} = ..., /) -> {any_}: ..."
        parts = [self._imports(), *self._records.values(), *body, call_tool, *self._others]
        return "\n\n".join(part.rstrip() for part in parts) + "\n"

    def _imports(self) -> str:
        lines = [f"import {module} as _{module}" for module in sorted(self._modules)]
        for module, words in _HOMES.items():
            free = [word for word in words if word not in self._taken]
            lines += [f"from {module} import {', '.join(free)}"] if free else []
        return "\n".join(lines) + "\n"

    def _word(self, word: str) -> str:
        """Return a word of annotations, by way of its module where a tool has its name."""
        if word not in self._taken:
            return word
        module = next((home for home, words in _HOMES.items() if word in words), "builtins")
        self._modules.add(module)
        return f"_{module}.{word}"

    def _block(self, branch: dict[str, Any], indent: str, path: tuple[str, ...]) -> list[str]:
        written = []
        for name, part in branch.items():
            if isinstance(part, dict):
                title = "_".join(("", *path, name)).title().replace("_", "") + "Tools"
                inner = "\n".join(self._block(part, indent + _INDENT, (*path, name)))
                written.append(f"{indent}class {title}:\n{inner}\n{indent}{name}: {title}")
            else:
                written.append(self._function(name, part, indent, method=bool(path)))
        return written

    def _function(self, name: str, tool: Tool, indent: str, *, method: bool) -> str:
        parameters = [self._parameter(p) for p in tool.parameters if p.positional]
        named = [self._parameter(p) for p in tool.parameters if not p.positional]
        shown = ", ".join([*parameters, *(["*", *named] if named else [])])
        head = f"{indent}def {name}({shown}) -> {self._returns(tool)}:"
        body = indent + _INDENT
        if method:
            head = f"{indent}@staticmethod\n{head}"
        if not tool.description:
            return f"{head} ..."
        text = tool.description.replace("\\", "\\\\").replace('"', "'")
        docstring = textwrap.indent(f'"""{text}"""', body)
        return f"{head}\n{docstring}\n{body}..."

    def _parameter(self, parameter: Parameter) -> str:
        default = "" if parameter.required else " = ..."
        return f"{parameter.name}: {self._annotation(parameter.shape)}{default}"

    def _returns(self, tool: Tool) -> str:
        try:
            return self._annotation(shape_of(tool.returns, ""))
        except ConfigError:  # a class that crosses as a dict of its fields, or not at all
            return self._word("Any")

    def _annotation(self, shape: s.Shape) -> str:
        match shape:
            case s.AnyShape():
                return self._word("Any")
            case s.Scalar(name=name):
                return self._word(name)
            case s.Sequence(kind=kind, items=items):
                dots = ", ..." if kind == "tuple" else ""
                return f"{self._word(kind)}[{self._annotation(items)}{dots}]"
            case s.Tuple(items=parts):
                return f"{self._word('tuple')}[{', '.join(map(self._annotation, parts)) or '()'}]"
            case s.Mapping(keys=keys, values=values):
                inner = f"{self._annotation(keys)}, {self._annotation(values)}"
                return f"{self._word('dict')}[{inner}]"
            case s.Choice(values=choices):
                return f"{self._word('Literal')}[{', '.join(map(repr, choices))}]"
            case s.Union(options=options):
                return " | ".join(map(self._annotation, options))
            case s.Record():
                return self._record(shape)

    def _record(self, shape: s.Record) -> str:
        name = self._record_name(shape)
        if name not in self._records:
            self._shapes[name] = shape
            self._records[name] = ""  # in its place before the records it is made of
            fields = {n: self._field(n, shape) for n in shape.fields}
            self._records[name] = self._typed_dict(name, fields)
        return name

    def _record_name(self, shape: s.Record) -> str:
        """Return the record's own name, or with a number if something else has it."""
        for number in itertools.count(1):
            name = shape.name if number == 1 else f"{shape.name}{number}"
            if name not in self._taken and self._shapes.get(name, shape) == shape:
                return name
        raise AssertionError("there are names enough")

    def _field(self, name: str, shape: s.Record) -> str:
        annotation = self._annotation(shape.fields[name])
        return (
            annotation if name in shape.required else f"{self._word('NotRequired')}[{annotation}]"
        )

    def _typed_dict(self, name: str, fields: dict[str, str]) -> str:
        base = self._word("TypedDict")
        if all(field.isidentifier() and not keyword.iskeyword(field) for field in fields):
            lines = [f"{_INDENT}{field}: {kind}" for field, kind in fields.items()]
            return f"class {name}({base}):\n" + ("\n".join(lines) or f"{_INDENT}pass")
        inner = ", ".join(f"{field!r}: {kind}" for field, kind in fields.items())
        return f"{name} = {base}({name!r}, {{{inner}}})"
