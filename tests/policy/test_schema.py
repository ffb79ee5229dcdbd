"""The JSON Schema accepts what reading accepts, as far as a schema can say it."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from doublevm import Policy
from doublevm.host.policy_file.described import bounds, docs_of, narrowed
from doublevm.host.policy_file.kinds import (
    Choice,
    Either,
    Function,
    Items,
    Kind,
    Named,
    Plain,
    Section,
    options_of,
    sayable,
)
from doublevm.host.policy_file.lines import lines_of
from doublevm.host.policy_file.mistakes import mistakes
from doublevm.host.policy_file.schema import schema
from doublevm.host.policy_file.spelling import written
from doublevm.host.policy_file.writing import template
from doublevm.levels import SecurityLevel
from tests.policy.sections import options, sections

SCHEMA = schema()
VALIDATOR = Draft202012Validator(SCHEMA)

# What is right where a schema takes any string. And 1.0 is an integer to JSON, nan and inf are no
# numbers: they are left out.
TEXTS = {"url": "https://a.example", "allowed_modules": "json"}
WRONG = st.sampled_from(
    [True, -1, 0, 0.5, 10**9 + 1, 2**63, "", "refuse", [], [[]], {}, {"a": True}, {"zzz": 1}]
)


def of_kind(kind: Kind, name: str, borders: list[int]) -> st.SearchStrategy[Any]:
    match kind:
        case Plain("bool"):
            return st.booleans()
        case Plain("int"):
            return st.sampled_from([int(border) for border in borders])
        case Plain("float"):
            return st.sampled_from([*borders, 0.5, 2.5])
        case Plain("expression"):
            return st.sampled_from(["", "a.*", "(?i)x"])
        case Plain():
            return st.just(TEXTS.get(name, "a"))
        case Choice(values):
            return st.sampled_from(values)
        case Items(item):
            return st.lists(of_kind(item, name, borders), max_size=2)
        case Named(value):
            return st.dictionaries(
                st.sampled_from(["a", "users.list"]), of_kind(value, name, borders), max_size=2
            )
        case Section(of):
            return tables(of)
        case Either(kinds):
            return st.one_of(*(of_kind(each, name, borders) for each in kinds))
        case Function():
            raise AssertionError(name)


@st.composite
def tables(draw: Any, section: type) -> dict[str, Any]:
    """Return a table that is mostly right."""
    table: dict[str, Any] = {}
    for name, option in sayable(section).items():
        if not draw(st.sampled_from([True, False, False])) and name != "url":
            continue
        found = bounds(section, option)
        borders = [] if found is None else [found.least, found.least - 1, found.least + 1]
        if found is not None and found.most is not None:
            borders += [found.most, found.most + 1]
        right = of_kind(narrowed(section, option), name, borders)
        wrong = st.sampled_from([5, {}]) if name in {"url", "allowed_modules", "headers"} else WRONG
        table[name] = draw(wrong if draw(st.integers(0, 19)) == 0 else right)
    if draw(st.integers(0, 19)) == 0:
        table[draw(st.sampled_from(["zzz", *options_of(section)]))] = draw(st.just(()) | WRONG)
    return {name: value for name, value in table.items() if value != ()}


@settings(deadline=None, max_examples=500)
@given(table=tables(Policy))
def test_schema_and_reading_agree(table: dict[str, Any]) -> None:
    text = "".join(f"{name} = {written(value)}\n" for name, value in table.items())
    read = tomllib.loads(text)
    assert read == table
    found = list(mistakes(Policy, read, Policy))
    assert VALIDATOR.is_valid(read) == (not found), found
    assert {path for path, _ in found} <= lines_of(text).keys()


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_every_option_is_described() -> None:
    for path, section in sections():
        told = SCHEMA
        for part in path.split(".") if path else ():
            told = told["properties"][part]
            told = next((each for each in told.get("anyOf", ()) if "type" in each), told)
        assert told["additionalProperties"] is False
        assert list(told["properties"]) == list(sayable(section))
        for name, each in told["properties"].items():
            assert each["description"] == docs_of(section)[name]


@pytest.mark.parametrize("name", [name for name in options() if name.count(".") == 2])
def test_defaults_of_the_parent_vm_are_told(name: str) -> None:
    told = SCHEMA
    for part in name.split(".")[:-1]:
        told = told["properties"][part]
        told = next((each for each in told.get("anyOf", ()) if "type" in each), told)
    told = told["properties"][name.rpartition(".")[2]]
    section, option = options()[name]
    if "default" in told:
        assert told["default"] in (option.default, {}, [])
        assert VALIDATOR.evolve(schema=told).is_valid(told["default"])
    else:
        assert option.default is None or name.endswith(".url")
    assert section is not Policy


@pytest.mark.parametrize("level", SecurityLevel)
def test_a_file_to_start_from_is_valid(level: SecurityLevel) -> None:
    assert VALIDATOR.is_valid(tomllib.loads(template(level)))


def test_the_schema_is_json() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
