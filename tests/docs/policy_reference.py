"""The reference of policy files and their JSON Schema, made of the dataclasses: ``make policy``."""

from __future__ import annotations

import json
from dataclasses import MISSING
from typing import TYPE_CHECKING, Final

from doublevm import Policy, SecurityLevel
from doublevm.guard_options import Guard
from doublevm.host.policy_file.described import default_of, described, docs_of
from doublevm.host.policy_file.kinds import Option, Section, sayable
from doublevm.host.policy_file.mistakes import section_of
from doublevm.host.policy_file.schema import schema
from doublevm.host.policy_file.spelling import dotted, written
from doublevm.limits import Limits
from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.host.policy_file.lines import Path

PAGE: Final = ROOT / "docs" / "policy-reference.md"
SCHEMA: Final = ROOT / "docs" / "policy.schema.json"

HEAD: Final = """\
# Policy files: reference

<!-- Made by `make policy` from the docstrings of the options; changes here are lost. -->

Every table and option of a [policy file](policy-files.md), with what it may be and what holds if it
is left out; what "the level's" is, [security levels](security/levels.md) say. Times are in seconds,
sizes in bytes. The words are those of the options in Python: True is `true`, False is `false`, and
what is None is left out.

"""


def page() -> str:
    """Return the reference."""
    return HEAD + "\n".join(_tables(Policy, ()))


def schema_text() -> str:
    """Return the schema as it is committed."""
    return json.dumps(schema(), indent=2) + "\n"


def _tables(section: type, path: Path) -> Iterator[str]:
    yield f"## `[{dotted(path)}]`\n" if path else "## Before the first table\n"
    yield "| option | may be | left out | what it does |"
    yield "| --- | --- | --- | --- |"
    inner = []
    for name, option in sayable(section).items():
        of = section_of(option.kind, {})
        if of is not None:
            inner.append((name, of))
        if not isinstance(option.kind, Section):
            may_be = described(section, option).replace("|", "\\|")
            cells = (f"`{name}`", may_be, _left_out(section, option), _markdown(section, name))
            yield f"| {' | '.join(cells)} |"
    yield ""
    for name, of in inner:
        yield from _tables(of, (*path, name))


def _left_out(section: type, option: Option) -> str:
    if option.default is MISSING:
        return "needed"
    if section in (Limits, Guard) and _is_the_levels(section, option.name):
        return "the level's"
    if option.name == "security_level":
        return '`"STANDARD"`'
    default = default_of(option)
    return "none" if default is None else f"`{written(default)}`"


def _is_the_levels(section: type, name: str) -> bool:
    part = "limits" if section is Limits else "guard"
    settings = (getattr(level.settings, part) for level in SecurityLevel)
    return any(getattr(each, name) is not None for each in settings)


def _markdown(section: type, name: str) -> str:
    return docs_of(section)[name].replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")
