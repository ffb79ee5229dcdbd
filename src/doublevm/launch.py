"""The command line of a VM process: Python, isolated, with our packages and nothing else.

``-I -S`` keeps the environment, the working directory, user and site directories and ``.pth`` files
out of a VM process; what it needs from outside the standard library is named by folder.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
import sysconfig
from pathlib import Path
from typing import Final

NEEDED: Final = ("doublevm", "cloudpickle", "msgspec", "pydantic_monty", "typing_extensions")
"""Packages a VM process may import from outside the standard library."""

_FLAGS: Final = ("-I", "-S", "-X", "utf8")
_SEPARATOR: Final = "\n"
_BOOT: Final = (
    "import sys; sys.path += sys.argv.pop(1).split('\\n'); from {module} import main; main()"
)


def python_command(module: str, *arguments: object) -> list[str]:
    """Return the command that calls ``main`` of ``module`` in a process of its own."""
    folders = _SEPARATOR.join(package_folders())
    code = _BOOT.format(module=module)
    return [sys.executable, *_FLAGS, "-c", code, folders, *(str(each) for each in arguments)]


@functools.cache
def package_folders() -> tuple[str, ...]:
    """Return the folders that hold the packages of NEEDED, without importing them."""
    folders: dict[str, None] = {}
    for name in NEEDED:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            origin = Path(spec.origin)
            package = origin.stem == "__init__"
            folders[str(origin.parent.parent if package else origin.parent)] = None
    return tuple(folders)


@functools.cache
def monty_binary() -> str | None:
    """Return the path of the monty worker that pydantic-monty-runtime installed, or None.

    Only the places an installer writes to are searched: no environment variable, PATH included,
    decides what runs a guest.
    """
    name = "monty.exe" if sys.platform == "win32" else "monty"
    folders = [Path(sysconfig.get_path("scripts")), Path(sys.executable).parent]
    folders += [Path(sysconfig.get_path("scripts", scheme)) for scheme in _user_schemes()]
    found = (folder / name for folder in folders if (folder / name).is_file())
    return next((str(path) for path in found), None)


def _user_schemes() -> list[str]:
    return [name for name in sysconfig.get_scheme_names() if name.endswith("_user")]
