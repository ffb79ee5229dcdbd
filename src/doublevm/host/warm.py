"""Starting ahead of time what the first enclave would have to wait for."""

from __future__ import annotations

from doublevm.engine import CPython
from doublevm.errors import ConfigError
from doublevm.host import zygote


def warm_up(engine: CPython | None = None) -> None:
    """Start the process that enclaves are forked from, and wait until it has loaded everything.

    Optional: the first enclave starts it otherwise. Call it once, before requests come in, and
    again for each set of packages; it does nothing where that has been done.

    Args:
        engine: ``CPython(packages=[...])`` for enclaves that have it.

    Raises:
        ConfigError: ``engine`` is none.
        EngineUnavailable: no process can be started.
    """
    if engine is not None and not isinstance(engine, CPython):
        raise ConfigError(f"warm_up takes CPython(...) or nothing, not {engine!r}")
    chosen = engine or CPython()
    zygote.warm_up(tuple(chosen.packages), chosen.folders)
