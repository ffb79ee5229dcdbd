"""Detectors are sent by value: they work where none of the host's modules is to be found."""

from __future__ import annotations

import base64
import functools
import json
import re
import subprocess
import sys
from collections import namedtuple
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

import cloudpickle
import pytest

from doublevm.history import OperationHistoryEntry
from doublevm.host.detectors import pickle_detector
from doublevm.launch import package_folders
from doublevm.policy import SuspiciousPattern
from tests.monitor import rules
from tests.monitor.rules import Rule, too_much

if TYPE_CHECKING:
    from collections.abc import Callable

Answers = dict[str, list[Any]]

CHILD = """
import base64, json, sys
sys.path += json.loads(sys.argv[1])
import cloudpickle
answers = {}
for id, data in json.load(sys.stdin).items():
    try:
        detect = cloudpickle.loads(base64.b64decode(data))
        answers[id] = [detect("pay", {"amount": amount}, []) for amount in (5000, 5)]
    except BaseException as error:
        answers[id] = repr(error)
answers["modules"] = sorted(sys.modules)
json.dump(answers, sys.stdout)
"""

LIMIT = 1000
PATTERN = re.compile("pay|send")
Pair = namedtuple("Pair", "name most")  # noqa: PYI024 - what users have


class Kind(Enum):
    PAY = "pay"


def function(name: str, args: Any, history: Any) -> bool:
    return bool(args["amount"] > LIMIT)


def closure(most: int) -> Callable[..., bool]:
    def detect(name: str, args: Any, history: Any) -> bool:
        def inner() -> bool:
            return bool(args["amount"] > most)

        return inner()

    return detect


class Watch:
    most = 1000

    def __init__(self, name: str) -> None:
        self.name = name

    def method(self, name: str, args: Any, history: Any) -> bool:
        return name == self.name and args["amount"] > self.most

    @classmethod
    def of_class(cls, name: str, args: Any, history: Any) -> bool:
        return bool(args["amount"] > cls.most)

    @staticmethod
    def static(name: str, args: Any, history: Any) -> bool:
        return bool(args["amount"] > Watch.most)

    __call__ = method


class Derived(Watch):
    def method(self, name: str, args: Any, history: Any) -> bool:
        return super().method(name, args, history)


def with_stdlib(name: str, args: Any, history: Any) -> bool:
    import datetime as dt  # of the parent VM's own

    today = dt.date(2024, 1, 1)
    text = json.dumps({"day": today.isoformat(), "amount": args["amount"]})
    return PATTERN.match(name) is not None and len(text) > len('{"day": "2024-01-01", "amount": 5}')


def with_rule(name: str, args: Any, history: Any, rule: Rule = Rule("pay", Decimal(99))) -> bool:  # noqa: B008 - a frozen value
    return rule.objects(name, args)


def with_module(name: str, args: Any, history: Any) -> bool:
    return rules.too_much(name, args, history)


def with_keyword(name: str, args: Any, history: Any, *, most: int = 99) -> bool:
    return bool(args["amount"] > most)


def with_entry(name: str, args: Any, history: Any) -> bool:
    entry = OperationHistoryEntry(name, args, 0.0)
    return bool(entry.args["amount"] > LIMIT)


def recursive(name: str, args: Any, history: Any, left: int = 5) -> bool:
    return recursive(name, args, history, left - 1) if left else function(name, args, history)


@functools.wraps(function)
def decorated(*args: Any) -> bool:
    return function(*args)


def calling(function: Any) -> Callable[..., bool]:
    return lambda *args: bool(function(*args))


def with_pair(pair: Any, name: str, args: Any, history: Any) -> bool:
    return bool(name == pair.name and args["amount"] > pair.most)


def with_values(values: Any, name: str, args: Any, history: Any) -> bool:
    return args["amount"] in values


DETECTORS: dict[str, Any] = {
    "function": function,
    "closure": closure(1000),
    "lambda": lambda name, args, history: args["amount"] > LIMIT,
    "method": Watch("pay").method,
    "class-method": Watch.of_class,
    "static-method": Watch.static,
    "callable-object": Watch("pay"),
    "derived": Derived("pay").method,
    "partial": functools.partial(with_keyword, most=1000),
    "partial-of-a-method": functools.partial(Watch("pay").method),
    "partial-of-a-lambda": functools.partial(lambda n, *a: a[1]["amount"] > n, 1000),
    "stdlib": with_stdlib,
    "default-of-a-helper-class": with_rule,
    "helper-function": too_much,
    "helper-module": with_module,
    "helper-in-a-closure": calling(too_much),
    "keyword-default": with_keyword,
    "doublevm-itself": with_entry,
    "recursive": recursive,
    "decorated": decorated,
    "enum": lambda name, args, history: Kind(name) is Kind.PAY and args["amount"] > 9,
    "named-tuple": calling(functools.partial(with_pair, Pair("pay", 9))),
    "many-values": calling(functools.partial(with_values, (5000, 1.5, None, {1: {2}}))),
}


def pattern(detect: Any) -> SuspiciousPattern:
    return SuspiciousPattern(id="MINE", description="odd", detect=detect)


@pytest.fixture(scope="module")
def answers() -> Answers:
    """Ask all detectors in one fresh Python that has none of the host's modules."""
    sent = {
        id_: base64.b64encode(pickle_detector(pattern(detect))).decode()
        for id_, detect in DETECTORS.items()
    }
    folders = json.dumps(package_folders())
    command = [sys.executable, "-I", "-S", "-c", CHILD, folders]
    child = subprocess.run(
        command, input=json.dumps(sent), capture_output=True, text=True, check=True, timeout=60
    )
    made: Answers = json.loads(child.stdout)
    return made


@pytest.mark.parametrize("id_", DETECTORS)
def test_it_works_where_our_modules_are_not(id_: str, answers: Answers) -> None:
    assert answers[id_] == [True, False]
    detect = DETECTORS[id_]
    assert [detect("pay", {"amount": amount}, []) for amount in (5000, 5)] == [True, False]


def test_the_other_python_had_none_of_them(answers: Answers) -> None:
    assert "cloudpickle" in answers["modules"]
    assert not [name for name in answers["modules"] if name.startswith(("tests", "pytest"))]


def test_by_reference_it_would_not_work() -> None:
    """The control: what cloudpickle alone makes of a function of an importable module."""
    assert b"rules" in cloudpickle.dumps(too_much)
    assert len(cloudpickle.dumps(too_much)) < 100 < len(pickle_detector(pattern(too_much)))


def test_nothing_stays_registered() -> None:
    pickle_detector(pattern(with_module))
    assert cloudpickle.list_registry_pickle_by_value() == set()


def test_what_the_host_registered_stays() -> None:
    cloudpickle.register_pickle_by_value(rules)
    try:
        pickle_detector(pattern(with_module))
        assert cloudpickle.list_registry_pickle_by_value() == {"tests.monitor.rules"}
    finally:
        cloudpickle.unregister_pickle_by_value(rules)
