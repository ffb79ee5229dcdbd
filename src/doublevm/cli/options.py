"""The options of the commands, each with the line its ``--help`` shows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_AGAIN = "May be given again."

Program = Annotated[str | None, typer.Argument(help="The program's file, or - for standard input.")]
Code = Annotated[
    str | None, typer.Option("-c", "--code", help="The program itself, instead of a file.")
]
ToolsFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--tools",
        help=f"Python file whose @tool functions the program may call. {_AGAIN}",
        exists=True,
        dir_okay=False,
    ),
]
ToolsArguments = Annotated[
    list[Path],
    typer.Argument(help="Python files with @tool functions.", exists=True, dir_okay=False),
]
Level = Annotated[str, typer.Option(help="STRICT, SECURE, STANDARD or PERMISSIVE.")]
LevelOrPolicy = Annotated[
    str | None,
    typer.Option(
        help="STRICT, SECURE, STANDARD or PERMISSIVE (default: the policy's, or STANDARD)."
    ),
]
EngineName = Annotated[str, typer.Option("--engine", help="auto, monty or cpython.")]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="NAME=JSON",
        help=f"A value the program starts with; what is not JSON is text. {_AGAIN}",
    ),
]
Timeout = Annotated[
    float | None, typer.Option(help="Seconds the run may take (default: the level's).")
]
Memory = Annotated[int | None, typer.Option(help="MiB the program may use (default: the level's).")]
MaxToolCalls = Annotated[
    int | None, typer.Option(help="Tool calls it may attempt (default: the level's).")
]
Audit = Annotated[
    Path | None,
    typer.Option(
        metavar="TRAIL",
        help="Keep the program and every operation in this file, each before it runs: an SQLite "
        "database, or JSON Lines if its name ends in .jsonl.",
        dir_okay=False,
    ),
]
ShowOperations = Annotated[
    bool, typer.Option("--show-operations", help="List every operation and its verdict.")
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object, for scripts, and nothing else.")
]
Policy = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A policy file (TOML): level, limits and more; options that are given go before it.",
    ),
]
