"""Detectors that cannot be sent are a ConfigError that names what they use."""

from __future__ import annotations

import functools
import os
import re
import sqlite3
import sys
import threading
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import pytest

from doublevm.errors import ConfigError
from doublevm.host.detectors import pickle_detector
from tests.monitor.test_detectors import pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOCK = threading.Lock()
KEPT_OPEN = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - closed below


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    KEPT_OPEN.close()


def uses_global(*_: Any) -> bool:
    return LOCK.locked()


def uses_global_within(*_: Any) -> bool:
    def outer() -> bool:
        def inner() -> bool:
            return LOCK.locked()

        return inner()

    return outer()


def uses_default(*_: Any, lock: Any = LOCK) -> bool:
    return bool(lock.locked())


def uses_positional_default(name: str, args: Any, history: Any, lock: Any = LOCK) -> bool:
    return bool(lock.locked())


def calls_helper(*_: Any) -> bool:
    return uses_global()


class Holder:
    def __init__(self, thing: Any) -> None:
        self.fine, self.thing = 1, thing

    def method(self, *_: Any) -> bool:
        return bool(self.thing)

    __call__ = method


class UsesGlobal:
    def __call__(self, *_: Any) -> bool:
        return LOCK.locked()


def capture(thing: Any) -> Callable[..., bool]:
    return lambda *_: bool(thing)


def with_an_empty_cell(thing: Any) -> Callable[..., bool]:
    def detect(*_: Any) -> bool:
        return bool(absent or thing)

    if thing is None:
        absent = 1
    return detect


def takes_many(*_: Any, values: Any = None) -> bool:
    return bool(values)


CULPRITS: list[tuple[Callable[[], Any], str]] = [
    (lambda: capture(sqlite3.connect(":memory:")), "thing (Connection)"),
    (lambda: capture(LOCK), "thing (lock)"),
    (lambda: capture(KEPT_OPEN), "thing (TextIOWrapper)"),
    (lambda: capture(i for i in "ab"), "thing (generator)"),
    (lambda: capture([1, {"a": LOCK}]), "thing (list)"),
    (lambda: with_an_empty_cell(LOCK), "thing (lock)"),
    (lambda: uses_global, "LOCK (lock)"),
    (lambda: uses_global_within, "LOCK (lock)"),
    (lambda: uses_default, "lock (lock)"),
    (lambda: uses_positional_default, "a default value (lock)"),
    (lambda: calls_helper, "uses_global (function)"),
    (lambda: Holder(LOCK).method, "self.thing (lock)"),
    (lambda: Holder(LOCK), "self.thing (lock)"),
    (UsesGlobal, "LOCK (lock)"),
    (lambda: functools.partial(takes_many, "a", "b", LOCK), "argument 2 (lock)"),
    (lambda: functools.partial(takes_many, values=LOCK), "values (lock)"),
    (lambda: functools.partial(uses_global), "LOCK (lock)"),
]


@pytest.mark.parametrize(("make", "named"), CULPRITS, ids=[row[1] for row in CULPRITS])
def test_what_cannot_be_sent_is_named(make: Any, named: str) -> None:
    detect = make()
    expected = f"suspicious pattern 'MINE': detect uses {named}, which cannot be sent"
    with pytest.raises(ConfigError, match="^" + re.escape(expected)):
        pickle_detector(pattern(detect))
    if "Connection" in named:
        detect.__closure__[0].cell_contents.close()


class Singleton:
    def __reduce__(self) -> str:
        return "SINGLETON"


SINGLETON = Singleton()


@pytest.mark.parametrize("registered", [False, True])
def test_what_can_be_sent_by_name_only_is_refused(*, registered: bool) -> None:
    here = sys.modules[__name__]
    if registered:
        cloudpickle.register_pickle_by_value(here)
    try:
        with pytest.raises(ConfigError, match=r"detect uses something of the module '.*\.test_de"):
            pickle_detector(pattern(capture(SINGLETON)))
        assert (__name__ in cloudpickle.list_registry_pickle_by_value()) == registered
    finally:
        if registered:
            cloudpickle.unregister_pickle_by_value(here)


class Nameless:
    __slots__ = ("thing",)

    def __init__(self) -> None:
        self.thing = LOCK

    def __call__(self, *_: Any) -> bool:
        return False


@pytest.mark.parametrize("detect", [Nameless(), functools.partial(Nameless())])
def test_what_cannot_be_found_is_something(detect: Any) -> None:
    with pytest.raises(ConfigError, match="detect uses something, which cannot be sent"):
        pickle_detector(pattern(detect))


@pytest.mark.parametrize("file", ["/packages/fast.cpython-311.so", "", None])
def test_modules_that_are_not_plain_python_are_named(
    file: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("fast_extension")
    module.__file__ = file
    exec("def check(*_): return False", module.__dict__)  # noqa: S102 - a made-up module
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for detect in (module.check, lambda *_: module.check()):
        with pytest.raises(ConfigError, match="detect uses the module 'fast_extension', which"):
            pickle_detector(pattern(detect))
    assert cloudpickle.list_registry_pickle_by_value() == set()
