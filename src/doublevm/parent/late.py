"""What Python imports on first use: loaded now, as a sealed parent VM can open no file."""

from __future__ import annotations

import codecs
import importlib
import warnings
from typing import Final

LATE: Final = ("unicodedata", "linecache", "tokenize", "traceback", "copyreg", "encodings.idna")
"""Parsing needs the first for ``\\N{...}``, error paths the others."""

ENCODINGS: Final = ("utf-8", "utf-16", "utf-32", "ascii", "latin-1", "unicode_escape", "idna")


def load_what_is_loaded_late() -> None:
    """Import what a guest's program or an error would have imported."""
    for name in LATE:
        importlib.import_module(name)
    for name in ENCODINGS:
        codecs.lookup(name)
    # Parsing a program may warn; nobody sees it, and showing it would read files.
    warnings.simplefilter("ignore")
