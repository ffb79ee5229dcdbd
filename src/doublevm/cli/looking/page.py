"""A trail as one page of HTML that needs nothing else, and can reach nothing else.

What guests chose is on it, so it is built to stay text. The data are JSON in which no character
means anything to HTML; the scripts have no way to make markup of text; and should both be wrong,
the page's own policy lets no script run but the one whose hash it names, and nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from doublevm.cli.looking.words import objection
from doublevm.cli.render import visible
from doublevm.cli.report import plain
from doublevm.host.sinks.filtering import verdict_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from doublevm.host.sinks.entries import Program
    from doublevm.host.sinks.pairing import StoredOperation

LONGEST_ARGUMENTS: Final = 4000
"""Characters of an operation's arguments on the page: ten thousand of them have to fit."""

LONGEST_LINE: Final = 300
"""Characters of a program's line on the page."""

_FILES: Final = resources.files("doublevm.cli.looking") / "page"


def page(
    operations: Sequence[StoredOperation],
    programs: Iterable[Program] = (),
    *,
    title: str,
    about: str,
    notice: str,
) -> str:
    """Return the page.

    Args:
        operations: what is on it, oldest first.
        programs: those of their runs, and others; of their sources, the lines that made the calls
            are shown.
        title: the window's.
        about: what it shows, in a line.
        notice: what it does not show, and what to do about that; may be empty.
    """
    style, script = _joined("css"), _joined("js")
    data = as_data(operations, programs) | {"about": visible(about), "notice": notice}
    parts = {
        "title": html.escape(visible(title)),
        "policy": html.escape(policy(style, script)),
        "style": style,
        "script": script,
        "data": embedded(data),
    }
    template = (_FILES / "page.html").read_text(encoding="utf-8")
    # In one go: what is filled in is not looked at again.
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], template)


def policy(style: str, script: str) -> str:
    """Return the page's Content-Security-Policy: its own style and script, and nothing else."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def embedded(data: object) -> str:
    """Return JSON that may stand in a script element: ASCII, and nothing that HTML would read."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def as_data(
    operations: Sequence[StoredOperation], programs: Iterable[Program] = ()
) -> dict[str, Any]:
    """Return what the scripts read; the names of conversations once, the rest a row each."""
    enclaves: dict[str, int] = {}
    shown = {(each.enclave, each.run) for each in operations}
    sources = {
        (each.enclave, each.run): each for each in programs if (each.enclave, each.run) in shown
    }
    rows = []
    for each in operations:
        enclave = enclaves.setdefault(each.enclave, len(enclaves))
        rows.append(_row(each, enclave, sources.get((each.enclave, each.run))))
    return {"enclaves": [visible(each) for each in enclaves], "operations": rows}


def _row(operation: StoredOperation, enclave: int, program: Program | None) -> list[Any]:
    """Return an operation in the order that ``1-data.js`` names."""
    denied = objection(operation)
    return [
        operation.seq,
        enclave,
        operation.run,
        operation.number,
        round(operation.time, 6),
        visible(operation.operation),
        _arguments(operation),
        verdict_name(operation.verdict),
        None if denied is None else visible(denied.address),
        None if denied is None else visible(denied.reason),
        operation.outcome,
        round(operation.duration, 6),
        operation.line,
        _line(operation, program),
    ]


def _line(operation: StoredOperation, program: Program | None) -> str | None:
    text = None if program is None else program.text(operation.line)
    return None if text is None else visible(text.strip()[:LONGEST_LINE])


def _arguments(operation: StoredOperation) -> str:
    text = json.dumps(plain(operation.arguments), indent=2, ensure_ascii=False)
    if len(text) > LONGEST_ARGUMENTS:
        whole = f"all {len(text):,} characters: doublevm audit show TRAIL {operation.seq}"
        text = f"{text[:LONGEST_ARGUMENTS]}…\n({whole})"
    return visible(text)


def _joined(kind: str) -> str:
    """Return the files of a kind, in the order of their names: the scripts share one scope."""
    files = sorted(
        (each for each in _FILES.iterdir() if each.name.endswith(f".{kind}")),
        key=lambda each: each.name,
    )
    return "\n".join(each.read_text(encoding="utf-8") for each in files)


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
