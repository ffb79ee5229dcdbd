"""What the command line reads: programs, tools files, inputs."""

from __future__ import annotations

import importlib.util
import json
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doublevm.errors import ConfigError
from doublevm.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType


def read_program(path: str | None, code: str | None) -> str:
    """Return the program's text.

    Raises:
        ConfigError: there is none, there are two, or the file cannot be read as UTF-8.
    """
    if (path is None) == (code is None):
        raise ConfigError("give a program's file, - for standard input, or --code")
    if code is not None:
        return code
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(str(path)).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read the program {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"the program {path} is not UTF-8: {error}") from None


def load_tools(paths: Iterable[Path]) -> list[Tool]:
    """Run the files and return the tools they define, in order.

    Raises:
        ConfigError: a file cannot be run, or defines no tool.
    """
    found: list[Tool] = []
    for path in paths:
        module = _run_file(path)
        tools = [value for value in vars(module).values() if isinstance(value, Tool)]
        if not tools:
            raise ConfigError(f"{path} defines no tool; decorate its functions with @tool")
        found += tools
    return found


def _run_file(path: Path) -> ModuleType:
    name = f"doublevm_tools_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and the like look their module up; files beside the tools may be imported.
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except ConfigError:
        raise
    # The border to the user's file: whatever it raises is shown as its own mistake.
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        raise ConfigError(
            f"{path} cannot be loaded: {type(error).__name__}: {error} "
            f"({where.filename}, line {where.lineno})"
        ) from error
    return module


def parse_inputs(pairs: Iterable[str]) -> dict[str, Any]:
    """Return the values of ``NAME=JSON`` options.

    Raises:
        ConfigError: one has no name.
    """
    inputs: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise ConfigError(f"--input takes NAME=JSON, not {pair!r}")
        try:
            inputs[name] = json.loads(text)
        except json.JSONDecodeError:
            inputs[name] = text
    return inputs
