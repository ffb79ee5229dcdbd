"""Sends the host's own functions to the parent VM: by value, with all they use.

cloudpickle sends functions of importable modules by reference. The parent VM has none of the
host's modules, so those a function needs are sent by value as well, as long as they are plain
Python. What cannot be sent is found and named here, before anything runs.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import sys
from functools import partial
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

import cloudpickle

from doublevm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from doublevm.policy import SuspiciousPattern

THERE: Final = sys.stdlib_module_names | {"cloudpickle", "doublevm", "msgspec"}
"""What the parent VM can import."""


def pickle_detector(pattern: SuspiciousPattern) -> bytes:
    """Return the pattern's function as bytes, as ``pickle_function`` does."""
    return pickle_function(pattern.detect, f"suspicious pattern {pattern.id!r}: detect")


def pickle_function(function: Any, name: str) -> bytes:
    """Return a function as bytes that the parent VM can load; ``name`` is what errors call it.

    Raises:
        ConfigError: something it uses cannot be sent; the message names it.
    """
    with contextlib.ExitStack() as stack:
        while True:
            data = _dump(function, name)
            missing = _modules(data)
            if not missing:
                return data
            for module in missing:
                stack.enter_context(_by_value(_plain_module(module, name)))


def _dump(function: Any, name: str) -> bytes:
    try:
        data: bytes = cloudpickle.dumps(function)
    # Anything may be raised by the objects a function captures.
    except Exception as error:
        what = _culprit(function) or "something"
        raise ConfigError(
            f"{name} uses {what}, which cannot be sent to the parent VM ({error}); pass plain "
            "values, and make what needs a connection a tool"
        ) from error
    return data


def _modules(data: bytes) -> set[str]:
    """Return the top-level modules that loading ``data`` imports and the parent VM has not."""
    reader = _ModuleReader(io.BytesIO(data))
    reader.load()
    return {name for name in reader.modules if name.partition(".")[0] not in THERE}


class _ModuleReader(pickle.Unpickler):
    """Loads our own pickle once more, here, and notes which modules that takes."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.modules: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        if name == "subimport":  # how cloudpickle refers to a module itself
            return self._import
        self.modules.add(module)
        return super().find_class(module, name)

    def _import(self, name: str) -> ModuleType:
        self.modules.add(name)
        return sys.modules[name]


def _plain_module(module_name: str, function_name: str) -> ModuleType:
    module = sys.modules[module_name]
    if module_name in cloudpickle.list_registry_pickle_by_value():
        raise ConfigError(
            f"{function_name} uses something of the module {module_name!r} that insists on being "
            "imported from there, which the parent VM cannot do"
        )
    if not str(getattr(module, "__file__", "")).endswith(".py"):
        raise ConfigError(
            f"{function_name} uses the module {module_name!r}, which the parent VM has not; it has "
            "the standard library, and what your code defines in Python"
        )
    return module


@contextlib.contextmanager
def _by_value(module: ModuleType) -> Iterator[None]:
    cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def _culprit(function: Any) -> str | None:
    """Return the name of the first thing a function captures that cannot be sent."""
    for name, value in _captured(function):
        try:
            cloudpickle.dumps(value)
        # Whatever this one raises, it is what we look for.
        except Exception:  # noqa: BLE001
            return f"{name} ({type(value).__name__})"
    return None


def _captured(function: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(function, partial):
        yield from ((f"argument {i}", value) for i, value in enumerate(function.args))
        yield from function.keywords.items()
        yield from _captured(function.func)
        return
    owner = getattr(function, "__self__", None)
    if owner is not None or not hasattr(function, "__code__"):
        holder = owner if owner is not None else function
        yield from ((f"self.{name}", v) for name, v in getattr(holder, "__dict__", {}).items())
    call = getattr(type(function), "__call__", None)  # noqa: B004 - what is in it is looked at
    if hasattr(call, "__code__"):
        yield from _captured(call)
    code = getattr(function, "__code__", None)
    if code is not None:
        cells = getattr(function, "__closure__", None) or ()
        for name, cell in zip(code.co_freevars, cells, strict=True):
            with contextlib.suppress(ValueError):  # nothing has been put in the cell
                yield name, cell.cell_contents
        names = getattr(function, "__globals__", {})
        yield from ((name, names[name]) for name in _names(code) if name in names)
        defaults = getattr(function, "__defaults__", None) or ()
        yield from (("a default value", value) for value in defaults)
        yield from (getattr(function, "__kwdefaults__", None) or {}).items()


def _names(code: CodeType) -> Iterator[str]:
    """Return the names that a function's code uses, and the functions within it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
