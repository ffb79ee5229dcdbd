"""How commands end that cannot do what they were asked to."""

from __future__ import annotations

from typing import NoReturn

import typer
from rich.console import Console
from rich.text import Text

USAGE = 2


def fail(message: str, status: int) -> NoReturn:
    """Print a message to standard error, and end."""
    Console(stderr=True).print(Text(message, style="bold red"))
    raise typer.Exit(status)
