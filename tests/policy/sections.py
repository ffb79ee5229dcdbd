"""Every table that a policy file may have, with its path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doublevm import Policy
from doublevm.host.policy_file.kinds import Option, sayable
from doublevm.host.policy_file.mistakes import section_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def sections(section: type = Policy, path: tuple[str, ...] = ()) -> Iterator[tuple[str, type]]:
    yield ".".join(path), section
    for option in sayable(section).values():
        if inner := section_of(option.kind, {}):
            yield from sections(inner, (*path, option.name))


def options() -> dict[str, tuple[type, Option]]:
    """Return every option that a file can say, with the dataclass it belongs to."""
    return {
        f"{path}.{name}".removeprefix("."): (section, option)
        for path, section in sections()
        for name, option in sayable(section).items()
    }
