"""A module of the host's own, which detectors use: the parent VM cannot import it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.monitor import thresholds


@dataclass(frozen=True)
class Rule:
    name: str
    most: Decimal

    def objects(self, name: str, args: Any) -> bool:
        return name == self.name and Decimal(args.get("amount", 0)) > self.most


def too_much(name: str, args: Any, history: Any) -> bool:
    return bool(thresholds.above(args.get("amount", 0)))
