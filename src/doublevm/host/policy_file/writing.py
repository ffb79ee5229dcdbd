"""A policy file to start from: every option with what it does, as it is if nothing is said."""

from __future__ import annotations

import textwrap
from dataclasses import MISSING
from typing import TYPE_CHECKING, Any, Final

from doublevm.guard_options import Guard
from doublevm.host.policy_file.described import described, docs_of, plain
from doublevm.host.policy_file.kinds import Either, Option, Section, sayable
from doublevm.host.policy_file.spelling import dotted, written
from doublevm.host.policy_file.values import Policy
from doublevm.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.host.policy_file.lines import Path
    from doublevm.levels import SecurityLevel

WIDTH: Final = 88

_HEAD: Final = """\
# A policy of doublevm: Enclave(policy="policy.toml"), doublevm run --policy policy.toml
#
# A # without a blank is before what holds anyway; nothing after the = means that nothing does. Take
# the # away and write what you want. For help from an editor, save what `doublevm policy schema`
# prints, and name that file in the first line of this one: #:schema ./policy.schema.json
"""


def template(level: SecurityLevel) -> str:
    """Return a policy file that says the level alone, and shows everything else in comments."""
    lines = [_HEAD, *_comment(docs_of(Policy)["security_level"])]
    lines += [f'security_level = "{level.name}"', ""]
    for name, option in sayable(Policy).items():
        if isinstance(option.kind, Section):
            lines += ["", *_comment(docs_of(Policy)[name]), *_table(option.kind.of, (name,), level)]
    return "\n".join(lines)


def _table(section: type, path: Path, level: SecurityLevel) -> Iterator[str]:
    # An empty table of the gate is a gate; those of the others say nothing.
    mark = "#" if path == ("scoring_gate",) else ""
    yield from [f"{mark}[{dotted(path)}]", ""]
    base = _base(section, level)
    inner = []
    for name, option in sayable(section).items():
        if isinstance(option.kind, Section):
            inner.append(option)
            continue
        yield from _comment(docs_of(section)[name])
        yield from _comment(_may_be(section, option, path))
        yield f"#{name} = {written(plain(getattr(base, name)))}".rstrip()
        yield ""
    for option in inner:
        assert isinstance(option.kind, Section)
        yield from _comment(docs_of(section)[option.name])
        yield from _table(option.kind.of, (*path, option.name), level)


def _base(section: type, level: SecurityLevel) -> Any:
    """Return the values that hold at a level."""
    of_level = {Limits: level.settings.limits, Guard: level.settings.guard}
    return of_level.get(section) or section()


def _may_be(section: type, option: Option, path: Path) -> str:
    said = f"It is {described(section, option)}."
    if isinstance(option.kind, Either):
        tables = (each.of for each in option.kind.kinds if isinstance(each, Section))
        for of in tables:
            names = ", ".join(
                f"{name} (needed)" if each.default is MISSING else name
                for name, each in sayable(of).items()
            )
            said += f" The table is [{dotted((*path, option.name))}]: {names}."
    return said


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text.replace("``", ""), WIDTH, initial_indent="# ", subsequent_indent="# ")
