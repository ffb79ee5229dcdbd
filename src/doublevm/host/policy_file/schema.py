"""The JSON Schema of policy files, for editors, made of the dataclasses as they are.

A schema says less than they check: regular expressions, names of tools and URLs are strings to it.
"""

from __future__ import annotations

from dataclasses import MISSING
from typing import Any, Final

from doublevm.host.policy_file.described import (
    Bounds,
    bounds,
    default_of,
    docs_of,
    narrowed,
    purpose,
)
from doublevm.host.policy_file.kinds import (
    Choice,
    Either,
    Function,
    Items,
    Kind,
    Named,
    Option,
    Plain,
    Section,
    sayable,
)
from doublevm.host.policy_file.values import Policy

_TYPES: Final = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}


def schema() -> dict[str, Any]:
    """Return the schema, of draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A policy file of doublevm",
        **_section(Policy),
    }


def _section(section: type) -> dict[str, Any]:
    options = sayable(section)
    docs = docs_of(section)
    needed = [name for name, option in options.items() if option.default is MISSING]
    return {
        "type": "object",
        "description": purpose(section),
        "properties": {
            name: _option(section, option, docs[name]) for name, option in options.items()
        },
        **({"required": needed} if needed else {}),
        "additionalProperties": False,
    }


def _option(section: type, option: Option, doc: str) -> dict[str, Any]:
    told = _kind(narrowed(section, option), bounds(section, option))
    default = default_of(option)
    return {**told, "description": doc, **({} if default is None else {"default": default})}


def _kind(kind: Kind, numbers: Bounds | None) -> dict[str, Any]:
    match kind:
        case Plain("expression"):
            return {"type": "string", "format": "regex"}
        case Plain(name):
            return {"type": _TYPES[name], **_bounds(numbers)}
        case Choice(values):
            return {"enum": list(values)}
        case Items(item):
            return {"type": "array", "items": _kind(item, numbers)}
        case Named(value):
            return {"type": "object", "additionalProperties": _kind(value, numbers)}
        case Section(of):
            return _section(of)
        case Either(kinds):
            return {"anyOf": [_kind(each, None) for each in kinds]}
        case Function():
            raise AssertionError("a file cannot say it, so a schema does not")


def _bounds(numbers: Bounds | None) -> dict[str, int]:
    if numbers is None:
        return {}
    least = "exclusiveMinimum" if numbers.above else "minimum"
    most = {} if numbers.most is None else {"maximum": numbers.most}
    return {least: numbers.least, **most}
