"""Values and paths as TOML spells them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from doublevm.shapes import brief

if TYPE_CHECKING:
    from doublevm.host.policy_file.lines import Path

LONGEST_SHOWN: Final = 60


def shown(value: Any) -> str:
    """Return a value as it stands in a file, for messages; cut if it is long."""
    match value:
        case dict():
            return "a table"
        case list():
            return "an array"
        case bool():
            return str(value).lower()
        case str():
            text = _text(value)
        case _:
            return brief(value, LONGEST_SHOWN)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


_BARE: Final = re.compile(r"[A-Za-z0-9_-]+\Z")


def dotted(path: Path) -> str:
    """Return a path as a file would write it: ``limits.timeout``, ``a."users:list"``, ``b[2]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _BARE.match(part) else _text(part)
            text += f".{name}" if text else name
    return text


def written(value: Any) -> str:
    """Return a value in TOML; nothing if there is none, which TOML has no word for."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case str():
            return _text(value)
        case list():
            return f"[{', '.join(map(written, value))}]"
        case dict():
            pairs = (f"{dotted((name,))} = {written(each)}" for name, each in value.items())
            return f"{{{', '.join(pairs)}}}"
        case _:
            return str(value)


def _text(text: str) -> str:
    """Return a string in JSON, which is TOML's but for one character that TOML wants escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
