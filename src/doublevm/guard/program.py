"""What a rule is given: a program, its nodes, and the names that are there without it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from doublevm.guard.findings import Finding, at_node

if TYPE_CHECKING:
    import ast
    from collections.abc import Sequence

    from doublevm.guard.survey import Survey


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What there is beside the program: the names it may use without defining them."""

    tools: tuple[str, ...] = ()
    """Names of operations, as the host registered them."""
    roots: frozenset[str] = frozenset()
    """The first parts of these names, by which a program knows them."""
    catch_all: bool = False
    """Whether the host takes operations of any other name as well."""
    inputs: frozenset[str] = frozenset()
    """Names of the values that the run starts with."""
    earlier: frozenset[str] | None = frozenset()
    """Names that earlier programs of the session have bound; None if they may have bound any."""
    modules: frozenset[str] = frozenset()
    """Modules that may be imported."""
    packages: frozenset[str] = frozenset()
    """Packages that may be imported, whole."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that has been parsed and is no larger than it may be."""

    source: str
    lines: Sequence[str]
    survey: Survey
    around: Surroundings = field(default_factory=Surroundings)

    @property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return self.survey.tree

    def finding(self, rule: str, node: ast.AST, message: str, suggestion: str = "") -> Finding:
        """Return a finding of a rule at a node."""
        return at_node(rule, node, self.lines, message, suggestion)
