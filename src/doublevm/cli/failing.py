"""How commands end that cannot do what they were asked to."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from doublevm.errors import ConfigError, VMError

if TYPE_CHECKING:
    from collections.abc import Iterator

DAMAGED, USAGE, VM_FAILED, INTERRUPTED = 1, 2, 3, 130


@contextlib.contextmanager
def statuses() -> Iterator[None]:
    """End with the exit status that says whose fault it was: the caller's, or a VM's."""
    try:
        yield
    except ConfigError as error:
        fail(f"error: {error}", USAGE)
    except VMError as error:
        fail(f"{type(error).__name__}: {error}", VM_FAILED)
    except KeyboardInterrupt:
        fail("interrupted", INTERRUPTED)


def fail(message: str, status: int) -> NoReturn:
    """Print a message to standard error, and end."""
    Console(stderr=True).print(Text(message, style="bold red"))
    raise typer.Exit(status)


@contextlib.contextmanager
def looking_at_a_trail() -> Iterator[None]:
    """Say in a line what is wrong with a trail or an option; be quiet if nobody reads on."""
    try:
        yield
        sys.stdout.flush()
    except ConfigError as error:
        fail(f"error: {error}", USAGE)
    except ValueError as error:
        fail(f"error: {error}; `doublevm audit verify` says more", DAMAGED)
    except BrokenPipeError:
        # `… | head` has what it wanted. What is still to be written goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        fail(f"error: {error.filename}: {error.strerror}", USAGE)
    except KeyboardInterrupt:
        fail("interrupted", INTERRUPTED)
