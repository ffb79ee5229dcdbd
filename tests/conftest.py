from __future__ import annotations

import functools
import gc
import os
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, settings

if TYPE_CHECKING:
    import pytest

MUTATING = "MUTANT_UNDER_TEST" in os.environ
"""Set by ``make mutate``. A mutant is dead at its first failure: nobody reads a small example."""

# No deadline: a busy machine is no reason to fail. Core properties ask for more examples.
settings.register_profile(
    "doublevm",
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate] if MUTATING else list(Phase),
)
settings.load_profile("doublevm")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not MUTATING:
        return
    # Mutants ask for tests by name, and pytest does not find one whose name it has escaped.
    items[:] = [item for item in items if "\\" not in item.name]
    # They also inherit a process in which all tests have run, and what a cache has kept of them.
    for each in gc.get_objects():
        if isinstance(each, functools._lru_cache_wrapper) and "doublevm" in each.__module__:
            each.cache_clear()
