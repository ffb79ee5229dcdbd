"""What a program imports: what is refused, and what monty does not have."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from doublevm.engines.monty_gaps import gap
from doublevm.engines.monty_names import MONTY_MODULES
from doublevm.module_lists import (
    HARMLESS_MODULES,
    MONTY_ONLY_MODULES,
    PACKAGE_HINTS,
    REFUSED_ATTRIBUTES,
    REFUSED_BUILTINS,
    REFUSED_MODULES,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doublevm.engines.reading.scan import Checks, Scan

MODULES: Final = HARMLESS_MODULES | MONTY_MODULES.keys()
"""What a program may import under `auto`."""


@dataclass(frozen=True, slots=True)
class Use:
    """A module that an import statement names, with the name taken from it."""

    module: str
    name: str = ""


def uses(node: ast.Import | ast.ImportFrom) -> Iterator[Use]:
    """Yield the modules of an import, `from urllib import parse` as `urllib.parse`."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            binds_os = alias.name == "os.path" and not alias.asname
            yield Use("os" if binds_os else alias.name)
        return
    module = "." * node.level + (node.module or "")
    for alias in node.names:
        inner = f"{module}.{alias.name}"
        is_module = inner in MODULES or inner in REFUSED_MODULES
        yield Use(inner) if is_module else Use(module, alias.name)


def refusal_of(module: str) -> str:
    """Say why a module may not be imported, or nothing."""
    root = module.partition(".")[0]
    if module in MODULES:
        return ""
    known = f"module '{module}' is not available to guest programs"
    for name in (module, root):
        if reason := REFUSED_MODULES.get(name):
            return f"{known}: {reason}"
    if hint := PACKAGE_HINTS.get(root):
        return f"{known}: {hint.format(name=root)}"
    if root in sys.stdlib_module_names:
        return f"{known}: it is not on the list of modules that only compute"
    if module.startswith("."):
        return f"{known}: a program is one file"
    return f"{known}: it is not a standard module; packages must be provided by the host"


def _refuse_statement(scan: Scan, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    for use in uses(node):
        optional = node in scan.facts.guarded and _is_optional(use.module)
        yield from _refuse_use(use, "" if optional else refusal_of(use.module))


def _refuse_call(scan: Scan, node: ast.Call) -> Iterator[str]:
    match scan.builtin(node.func), node.args:
        case "__import__", [ast.Constant(value=str(module)), *_]:
            yield from _refuse_use(Use(module), refusal_of(module))
        case "__import__", _:
            yield "an import by a computed name is not available to guest programs"
        case _:
            return


def _refuse_use(use: Use, why: str) -> Iterator[str]:
    if why:
        yield why
    elif why := REFUSED_ATTRIBUTES.get(use.module, {}).get(use.name, ""):
        yield _refused_name(use.module, use.name, why)


def _is_optional(module: str) -> bool:
    """A module that nobody knows may be missing, where the program is ready for that."""
    return module.partition(".")[0] not in REFUSED_MODULES


def _refused_name(module: str, name: str, why: str) -> str:
    return f"'{module}.{name}' is not available to guest programs: {why}"


def _refuse_attribute(scan: Scan, node: ast.Attribute) -> Iterator[str]:
    module, _, name = scan.origin(node).rpartition(".")
    if why := REFUSED_ATTRIBUTES.get(module, {}).get(name):
        yield _refused_name(module, name, why)


def _refuse_builtin(scan: Scan, node: ast.Name) -> Iterator[str]:
    if why := REFUSED_BUILTINS.get(scan.builtin(node)):
        yield f"builtin '{node.id}' is not available to guest programs: {why}"


def monty_only(scan: Scan) -> Iterator[tuple[str, int]]:
    """Yield the imports that the program could keep on monty alone."""
    for node in ast.walk(scan.facts.tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for use in uses(node):
                if use.module in MONTY_ONLY_MODULES:
                    yield use.module, node.lineno


def lacking_import(scan: Scan, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Yield the modules and the names of modules that monty does not have."""
    for use in uses(node):
        if use.module == "__future__":
            continue
        if use.module not in MONTY_MODULES:
            if node not in scan.facts.guarded or use.module in HARMLESS_MODULES:
                yield f"module '{use.module}'"
        elif use.name == "*":
            yield gap("star-import")
        elif use.name and use.name not in MONTY_MODULES[use.module]:
            yield f"'{use.module}.{use.name}'"


def lacking_attribute(scan: Scan, node: ast.Attribute) -> Iterator[str]:
    """Yield a name that a module has, and monty's version of it has not."""
    module, _, name = scan.origin(node).rpartition(".")
    if module in MONTY_MODULES and name not in MONTY_MODULES[module]:
        yield f"'{module}.{name}'"


CHECKS: Checks = {
    ast.Import: (lacking_import,),
    ast.ImportFrom: (lacking_import,),
    ast.Attribute: (lacking_attribute,),
}


REFUSED: Final[Checks] = {
    ast.Import: (_refuse_statement,),
    ast.ImportFrom: (_refuse_statement,),
    ast.Call: (_refuse_call,),
    ast.Attribute: (_refuse_attribute,),
    ast.Name: (_refuse_builtin,),
}
"""Say why a program is refused."""
