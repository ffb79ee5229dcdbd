"""``doublevm policy``: policy files looked at, begun, and described to editors."""

from __future__ import annotations

import json as json_text
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from doublevm.cli import options as o  # noqa: TC001 - likewise
from doublevm.cli.failing import USAGE, fail
from doublevm.cli.policy_report import as_json, show
from doublevm.errors import ConfigError
from doublevm.host.policy_file.reading import examine
from doublevm.host.policy_file.schema import schema as schema_of_policies
from doublevm.host.policy_file.writing import template
from doublevm.levels import SecurityLevel

WRONG = 1

app = typer.Typer(help="Check policy files, and begin one.", no_args_is_help=True)


@app.command(epilog="Exit status: 0 the policy is right, 1 it is not, 2 wrong usage.")
def check(
    policy: Annotated[Path, typer.Argument(help="The policy file.")], *, json: o.Json = False
) -> None:
    """Say what is in effect under a policy, and which line says so; or all that is wrong in it."""
    try:
        examined = examine(policy)
    except ConfigError as error:
        fail(f"error: {error}", USAGE)
    if json:
        sys.stdout.write(as_json(examined))
    else:
        show(examined)
    raise typer.Exit(WRONG if examined.problems else 0)


@app.command()
def init(*, level: o.Level = "STANDARD") -> None:
    """Print a policy file to start from: every option, with what it does, in comments."""
    try:
        sys.stdout.write(template(SecurityLevel.of(level.upper())))
    except ConfigError as error:
        fail(f"error: {error}", USAGE)


@app.command()
def schema() -> None:
    """Print the JSON Schema of policy files, for editors."""
    sys.stdout.write(json_text.dumps(schema_of_policies(), indent=2) + "\n")
