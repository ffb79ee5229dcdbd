"""What is imported before the process is sealed: afterwards nothing can be.

Besides the modules a guest may name, these are the ones Python itself imports late, on first use
or on an error path.
"""

from __future__ import annotations

import codecs
import importlib
import sys
from typing import TYPE_CHECKING, Final

from doublevm.module_lists import HARMLESS_MODULES

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def preload(packages: Sequence[str] = ()) -> None:
    """Import everything, then take the ways to import more away.

    Raises:
        ImportError: one of the packages that the host names cannot be imported.
    """
    for name in packages:
        importlib.import_module(name)
    for name in (*sorted(HARMLESS_MODULES), *IMPORTED_LATE):
        try:
            importlib.import_module(name)
        except ImportError:  # not in this version of Python
            continue
    for name in CODECS:
        codecs.lookup(name)
    # What is not loaded by now is "No module named …", rather than "Too many open files".
    sys.meta_path[:] = [finder for finder in sys.meta_path if "Path" not in repr(finder)]
    sys.path.clear()
    sys.path_hooks.clear()
