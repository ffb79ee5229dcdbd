"""The options that say which operations are looked at, the same for all commands."""

from __future__ import annotations

import datetime as dt
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args

import typer

from doublevm.errors import ConfigError
from doublevm.host.sinks.filtering import Filter, OutcomeName, VerdictName

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGO: Final = re.compile(r"(\d+)([smhdw])")
_TIMES: Final = "a time (2026-03-01T12:00, in UTC unless it says otherwise), or 15m, 2h, 3d ago"

Trail = Annotated[
    Path, typer.Argument(help="The trail's file, of either kind; its host may be writing to it.")
]
Since = Annotated[str | None, typer.Option(metavar="TIME", help=f"Attempted since {_TIMES}.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Attempted before then; likewise.")]
Enclave = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of this conversation, or those that begin so.")
]
Run = Annotated[int | None, typer.Option(help="Of this run of each conversation.", min=1)]
Operation = Annotated[
    str | None, typer.Option(metavar="PATTERN", help="Of this name: users:list, or 'users:*'.")
]
Verdict = Annotated[
    str | None, typer.Option(help=f"{', '.join(get_args(VerdictName))}.", metavar="VERDICT")
]
Rule = Annotated[
    str | None, typer.Option(metavar="BARRIER/RULE", help="Denied by this rule: rate/max, say.")
]
Outcome = Annotated[
    str | None, typer.Option(help=f"{', '.join(get_args(OutcomeName))}.", metavar="OUTCOME")
]


def chosen(  # noqa: PLR0913 - one parameter an option
    *,
    since: str | None,
    until: str | None,
    enclave: str | None,
    run: int | None,
    operation: str | None,
    verdict: str | None,
    rule: str | None,
    outcome: str | None,
) -> Filter:
    """Return the filter that the options name.

    Raises:
        ConfigError: one says nothing that there is.
    """
    now = time.time()
    return Filter(
        since=None if since is None else moment("--since", since, now),
        until=None if until is None else moment("--until", until, now),
        enclave=enclave,
        run=run,
        operation=operation,
        verdict=_one_of("--verdict", verdict, get_args(VerdictName)),
        rule=rule,
        outcome=_one_of("--outcome", outcome, get_args(OutcomeName)),
    )


def moment(option: str, text: str, now: float) -> float:
    """Return what a time means, in seconds since the epoch.

    Raises:
        ConfigError: it means none.
    """
    if ago := _AGO.fullmatch(text):
        return now - int(ago[1]) * _UNITS[ago[2]]
    try:
        named = dt.datetime.fromisoformat(text)
        return (named if named.tzinfo else named.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ConfigError(f"{option} takes {_TIMES}; not {text!r}") from None


def _one_of(option: str, given: str | None, names: Sequence[str]) -> Any:
    if given is None:
        return None
    if (name := given.replace("-", "_")) in names:
        return name
    raise ConfigError(f"{option} is one of {', '.join(names)}; not {given!r}")
