"""Commands, their options and exit codes; what they print is in ``render`` and ``report``."""

from __future__ import annotations

import contextlib
import sys

import typer

from doublevm.cli import audit as audit_commands
from doublevm.cli import options as o
from doublevm.cli.check_report import as_json as as_json_check
from doublevm.cli.check_report import show as show_check
from doublevm.cli.doctor import examine
from doublevm.cli.doctor_report import as_json as as_json_diagnosis
from doublevm.cli.doctor_report import show
from doublevm.cli.failing import INTERRUPTED, USAGE, fail
from doublevm.cli.loading import load_tools, parse_inputs, read_program
from doublevm.cli.render import Renderer
from doublevm.cli.report import as_json
from doublevm.errors import ConfigError, VMError
from doublevm.host.enclave import Enclave
from doublevm.limits import Limits
from doublevm.scoring_options import ScoringGate

GUEST_FAILED, VM_FAILED = 1, 3
UNHEALTHY = REFUSED = 1

MIB = 1024 * 1024

app = typer.Typer(
    name="doublevm",
    help="Run programs that a language model wrote, and let them call your tools, behind two VMs.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.add_typer(audit_commands.app, name="audit")


@app.callback()
def _root() -> None:
    """Keep ``run`` a command of its own, also while there are few."""


@app.command(
    epilog="Exit status: 0 the program succeeded, 1 it failed, 2 wrong usage, 3 a VM failed."
)
def run(  # noqa: PLR0913 - one parameter an option
    *,
    program: o.Program = None,
    code: o.Code = None,
    tools: o.ToolsFiles = None,
    level: o.Level = "STANDARD",
    engine: o.EngineName = "auto",
    inputs: o.Inputs = None,
    timeout: o.Timeout = None,
    memory: o.Memory = None,
    max_tool_calls: o.MaxToolCalls = None,
    audit: o.Audit = None,
    show_operations: o.ShowOperations = False,
    json: o.Json = False,
) -> None:
    """Run a program in a fresh guest and show what it printed, returned and attempted.

    Try it: `doublevm run -c "sum(range(10))"`
    """
    try:
        source = read_program(program, code)
        limits = Limits(
            timeout=timeout,
            memory=memory * MIB if memory is not None else None,
            max_tool_calls=max_tool_calls,
        )
        with contextlib.ExitStack() as stack:
            sink = None if audit is None else stack.enter_context(audit_commands.sink_for(audit))
            enclave = stack.enter_context(
                Enclave(
                    tools=load_tools(tools or []),
                    security_level=level.upper(),
                    engine=engine,
                    inputs=parse_inputs(inputs or []),
                    limits=limits,
                    audit=sink,
                )
            )
            raise typer.Exit(_run(enclave, source, json=json, show_operations=show_operations))
    except ConfigError as error:
        fail(f"error: {error}", USAGE)
    except VMError as error:
        fail(f"{type(error).__name__}: {error}", VM_FAILED)
    except KeyboardInterrupt:
        fail("interrupted", INTERRUPTED)


def _run(enclave: Enclave, source: str, *, json: bool, show_operations: bool) -> int:
    if json:
        result = enclave.run(source)
        sys.stdout.write(as_json(result))
    else:
        renderer = Renderer()
        result = enclave.run(source, on_output=renderer.output)
        renderer.result(result)
        if show_operations:
            renderer.operations(result)
        renderer.statistics(result)
    return 0 if result.success else GUEST_FAILED


@app.command(
    epilog="Exit status: 0 the program would be run, 1 it would not, 2 wrong usage, 3 a VM failed."
)
def check(
    *,
    program: o.Program = None,
    code: o.Code = None,
    tools: o.ToolsFiles = None,
    level: o.Level = "STANDARD",
    engine: o.EngineName = "auto",
    inputs: o.Inputs = None,
    json: o.Json = False,
) -> None:
    """Read a program without running it: what is found, its score, and its engine.

    Try it: `doublevm check -c "import os" --level SECURE`
    """
    try:
        source = read_program(program, code)
        with Enclave(
            tools=load_tools(tools or []),
            security_level=level.upper(),
            engine=engine,
            inputs=parse_inputs(inputs or []),
            scoring_gate=ScoringGate(),
        ) as enclave:
            report = enclave.check(source)
    except ConfigError as error:
        fail(f"error: {error}", USAGE)
    except VMError as error:
        fail(f"{type(error).__name__}: {error}", VM_FAILED)
    if json:
        sys.stdout.write(as_json_check(report))
    else:
        show_check(report)
    raise typer.Exit(0 if report.passes else REFUSED)


@app.command()
def tools(
    files: o.ToolsArguments,
    level: o.Level = "STANDARD",
) -> None:
    """Print what to put into a model's prompt: how programs run, and the tools as Python stubs."""
    try:
        enclave = Enclave(tools=load_tools(files), security_level=level.upper())
    except ConfigError as error:
        fail(f"error: {error}", USAGE)
    sys.stdout.write(f"{enclave.instructions()}\n{enclave.tool_stubs()}")


@app.command(
    epilog="Exit status: 0 the level STANDARD runs both engines here, 1 it does not, "
    "3 the machine could not be examined."
)
def doctor(*, json: o.Json = False) -> None:
    """Try what can confine VMs on this machine; say what is missing and what to do about it.

    For each security level, it says whether the engines monty and cpython are accepted, run with a
    warning, or are refused here.
    """
    try:
        diagnosis = examine()
    except VMError as error:
        fail(f"{type(error).__name__}: {error}", VM_FAILED)
    if json:
        sys.stdout.write(as_json_diagnosis(diagnosis))
    else:
        show(diagnosis)
    raise typer.Exit(0 if diagnosis.healthy else UNHEALTHY)


def main() -> None:
    """Run the command line."""
    app()
