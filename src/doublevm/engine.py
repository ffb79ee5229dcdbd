"""Engines as values: for what a name alone cannot say."""

from __future__ import annotations

import importlib.util
import keyword
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doublevm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class CPython:
    """The cpython engine, with modules beside the standard ones.

    ``Enclave(engine=CPython(packages=["numpy"]))`` lets programs ``import numpy``. Modules are
    imported once, before the VM is sealed; afterwards nothing can be loaded. What a package
    imports on first use has to be named as well: ``packages=["numpy", "numpy.testing"]``.

    Raises:
        ConfigError: a name is no module's, or there is no such module on this machine.
    """

    packages: Sequence[str] = ()
    """Modules to import: packages that are installed here, or standard modules. Their code runs in
    the inner VM, before it is sealed: name only what you trust as you trust your own imports."""

    def __post_init__(self) -> None:
        """Look for each module, without importing it."""
        if isinstance(self.packages, str):
            raise ConfigError(
                f"engine.packages must be a list of names, not {self.packages!r}; "
                f"write packages=[{self.packages!r}]"
            )
        object.__setattr__(self, "packages", tuple(self.packages))
        for name in self.packages:
            _check(name)

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders in which the modules are found."""
        return tuple(dict.fromkeys(folder for name in self.packages if (folder := _home(name))))


def _check(name: object) -> None:
    parts = name.split(".") if isinstance(name, str) else []
    if not parts or not all(part.isidentifier() and not keyword.iskeyword(part) for part in parts):
        raise ConfigError(f"engine.packages: {name!r} cannot be a module's name")
    if importlib.util.find_spec(parts[0]) is None:
        raise ConfigError(f"engine.packages: there is no module {parts[0]!r} here; install it")


def _home(name: str) -> str:
    """Return the folder that a module's root is found in; empty for built-in ones."""
    spec = importlib.util.find_spec(name.partition(".")[0])
    if spec is None:
        return ""
    places = list(spec.submodule_search_locations or ())
    if places:
        return places[0].rpartition("/")[0]
    return spec.origin.rpartition("/")[0] if spec.has_location and spec.origin else ""
