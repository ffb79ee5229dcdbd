"""What is imported before the process is sealed: afterwards nothing can be.

Besides the modules a guest may name, these are the ones Python itself imports late, on first use
or on an error path.
"""

from __future__ import annotations

import codecs
import importlib
import os
import pkgutil
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Final

from doublevm.module_lists import HARMLESS_MODULES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

IMPORTED_LATE: Final = (
    "_strptime", "linecache", "tokenize", "warnings", "traceback", "copyreg", "locale",
    "asyncio", "concurrent.futures.thread", "json.decoder", "encodings.idna", "stringprep",
    "collections.abc", "xml.etree.ElementTree", "_pydecimal", "unicodedata", "sre_constants",
)  # fmt: skip

CODECS: Final = (
    "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be",
    "utf-7", "ascii", "latin-1", "iso8859-2", "iso8859-15", "cp437", "cp1250", "cp1251", "cp1252",
    "koi8-r", "mac-roman", "shift_jis", "euc_jp", "gbk", "big5", "unicode_escape",
    "raw_unicode_escape", "hex", "base64", "rot13", "punycode", "idna",
)  # fmt: skip
"""The encodings there are; an encoding is a module, imported on first use."""


LAZY: Final = {
    "numpy": ("numpy.fft", "numpy.linalg", "numpy.ma", "numpy.polynomial", "numpy.random",
              "numpy.strings", "numpy.rec", "numpy.char", "numpy.lib.stride_tricks"),
    "pandas": ("pandas.io.formats.*", "pandas.io.json.*", "pandas.io.parsers.*", "pandas.tseries.*",
               "pandas.core.*", "pandas.core.reshape.*", "pandas.core.methods.*",
               "pandas.core.indexers.*", "pandas.core.window.*", "pandas.core.strings.*"),
}  # fmt: skip
"""What well-known packages import on first use, and programs take for granted."""


_most_threads: Final = [1]
"""How many there were after packages had been loaded. A fork remembers what it is without."""


_parted: Final[list[ModuleType]] = []


class ThreadsError(ImportError):
    """The process has more than one thread."""


class NotPreloaded(MetaPathFinder):
    """The last finder: says why a module is not there, and what the host can do."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Find nothing.

        Raises:
            ModuleNotFoundError: always.
        """
        del path, target
        raise ModuleNotFoundError(
            f"No module named {fullname!r} in this guest: what is not loaded before it is sealed "
            f"cannot be loaded; hosts name it in CPython(packages=[{fullname!r}])",
            name=fullname,
        )


def load(packages: Sequence[str] = (), folders: Sequence[str] = ()) -> None:
    """Import everything that guests and their errors may need; little is left to do if it is there.

    Raises:
        ImportError: one of the packages that the host names cannot be imported.
    """
    sys.path += [folder for folder in folders if folder and folder not in sys.path]
    for name in packages:
        try:
            importlib.import_module(name)
        except SystemExit as error:  # or it would end a zygote, and all pairs with it
            raise ImportError(f"{name} exits as it is imported") from error
    for name in (*sorted(HARMLESS_MODULES), *IMPORTED_LATE, *_also(packages)):
        try:
            importlib.import_module(name)
        except ImportError:  # not in this version of Python, or of the package
            continue
    for name in CODECS:
        codecs.lookup(name)
    _part_random_numbers()
    _note_threads()


def preload(packages: Sequence[str] = (), folders: Sequence[str] = ()) -> None:
    """Import everything, then take the ways to import more away.

    Raises:
        ImportError: one of the packages that the host names cannot be imported.
        ThreadsError: one of them has started a thread, which a fork would be without.
    """
    load(packages, folders)
    os.environ.clear()
    _close_imports()
    if (threads := _note_threads()) > 1:
        raise ThreadsError(
            f"one of the packages {', '.join(packages)} has started {threads - 1} thread(s), and "
            "a fork would be without"
        )


def _part_random_numbers() -> None:
    """Have each fork draw numbers of its own from numpy; Python's own module sees to that."""
    module = sys.modules.get("numpy.random")
    if module is not None and module not in _parted:
        _parted.append(module)
        os.register_at_fork(after_in_child=module.seed)


def _note_threads() -> int:
    """Return how many threads this process has, or one that it was forked from once had."""
    tasks = Path("/proc/self/task")
    if tasks.exists():
        _most_threads[0] = max(_most_threads[0], len(list(tasks.iterdir())))
    return _most_threads[0]


def _also(packages: Sequence[str]) -> list[str]:
    """Return what these packages import on first use; ``x.*`` stands for all that is below x."""
    names = [name for package in packages for name in LAZY.get(package, ())]
    return [each for name in names for each in _below(name)]


def _below(name: str) -> list[str]:
    folder, star, _ = name.partition(".*")
    if not star:
        return [name]
    places = getattr(importlib.import_module(folder), "__path__", ())
    return [f"{folder}.{module.name}" for module in pkgutil.iter_modules(places)]


def _close_imports() -> None:
    sys.meta_path[:] = [finder for finder in sys.meta_path if "Path" not in repr(finder)]
    sys.meta_path.append(NotPreloaded())
    sys.path.clear()
    sys.path_hooks.clear()
