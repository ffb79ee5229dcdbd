"""What people are told of options is what the dataclasses are."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doublevm import ConfigError, HttpScorer, Policy, SuspiciousPattern
from doublevm.barriers.sequence import BUILT_IN_IDS
from doublevm.host.policy_file.described import bounds, docs_of, purpose
from doublevm.host.policy_file.kinds import (
    Choice,
    Either,
    Function,
    Items,
    Kind,
    Named,
    Option,
    Plain,
    Section,
    kind_of,
    options_of,
)
from doublevm.limits import MAX_COUNT, Limits
from tests.policy.sections import options, sections

OPTIONS = options()
NUMBERS = [
    name for name, (section, option) in OPTIONS.items() if bounds(section, option) is not None
]


def test_the_tables_are_these() -> None:
    assert [path for path, _ in sections()] == [
        "",
        "limits",
        "double_vm",
        "double_vm.parent_validation",
        "guard",
        "scoring_gate",
        "scoring_gate.scorer",
    ]


def test_what_is_left_out_is_a_function() -> None:
    left_out = {
        name
        for _, section in sections()
        for name in options_of(section)
        if isinstance(options_of(section)[name].kind, Function)
    }
    assert left_out == {"suspicious_patterns", "rules", "analyzers", "on_score"}


def test_no_table_needs_two_options() -> None:
    """Reading asks about what a table needs before the rest, and that is one option at most."""
    for _, section in sections():
        fields = options_of(section).values()
        assert sum(option.default is dataclasses.MISSING for option in fields) <= 1


@pytest.mark.parametrize(("path", "section"), list(sections()))
def test_every_field_has_a_docstring(path: str, section: type) -> None:
    assert docs_of(section).keys() == {field.name for field in dataclasses.fields(section)}
    assert re.fullmatch(r"[A-Z].*\.", purpose(section))
    assert purpose(section).count(". ") == 0


def accepts(section: type, option: Option, number: Any) -> bool:
    needed = {"url": "https://a"} if section is HttpScorer else {}
    value = {"a": number} if isinstance(option.kind, Named) else number
    try:
        section(**{**needed, option.name: value})
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize("name", NUMBERS)
def test_bounds_are_where_they_are_said_to_be(name: str) -> None:
    section, option = OPTIONS[name]
    found = bounds(section, option)
    assert found is not None
    assert accepts(section, option, found.least) != found.above
    assert not accepts(section, option, found.least - 1)
    assert not accepts(section, option, -(10**30))
    if found.above:
        assert accepts(section, option, 5e-324)
    if found.most is None:
        assert accepts(section, option, 1e308)
    else:
        assert accepts(section, option, found.most)
        assert not accepts(section, option, found.most + 1)
        assert not accepts(section, option, 10**30)


@given(number=st.integers(-5, MAX_COUNT + 5), name=st.sampled_from(NUMBERS))
def test_there_is_no_gap_between_bounds(number: int, name: str) -> None:
    section, option = OPTIONS[name]
    found = bounds(section, option)
    assert found is not None
    inside = found.least + found.above <= number <= (found.most or number)
    assert accepts(section, option, number) == inside


def test_bounds_in_words() -> None:
    said = {name: str(bounds(*OPTIONS[name])) for name in NUMBERS}
    assert said["limits.timeout"] == "more than 0, 86,400 at most"
    assert said["limits.memory"] == "8,388,608 or more"
    assert said["double_vm.parent_validation.sequence_window"] == "more than 0"
    assert said["double_vm.parent_validation.max_operations_per_second"] == "1 to 1,000,000,000"
    assert said["scoring_gate.block_threshold"] == "1 to 100"


def test_every_number_has_bounds() -> None:
    kinds = {name for name, (_, option) in OPTIONS.items() if "int" in repr(option.kind)}
    floats = {name for name, (_, option) in OPTIONS.items() if "float" in repr(option.kind)}
    assert kinds | floats == set(NUMBERS)


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (bool, Plain("bool")),
        (int | None, Plain("int")),
        (Literal["a", "b"] | None, Choice(("a", "b"))),
        (str | re.Pattern[str] | None, Plain("expression")),
        (tuple[str | re.Pattern[str], ...], Items(Plain("expression"))),
        (Mapping[str, int], Named(Plain("int"))),
        (Limits | None, Section(Limits)),
        (Callable[[int], int], Function()),
        (Callable[[int], int] | None, Function()),
        (SuspiciousPattern, Function()),
        (tuple[SuspiciousPattern, ...], Function()),
        (Literal["a"] | HttpScorer | Callable[[], int],
         Either((Choice(("a",)), Section(HttpScorer)))),
    ],
)  # fmt: skip
def test_the_kind_of_an_annotation(annotation: Any, kind: Kind) -> None:
    assert kind_of(annotation) == kind


@pytest.mark.parametrize("annotation", [bytes, tuple[int, int], dict[int, str], list[int], Any])
def test_an_annotation_of_which_nothing_is_known(annotation: Any) -> None:
    """A field of a new type makes the tests fail, rather than being left out of files."""
    with pytest.raises(TypeError, match="there is no way to write"):
        kind_of(annotation)


def test_ids_are_those_of_the_patterns() -> None:
    section, option = OPTIONS["double_vm.parent_validation.disabled_patterns"]
    assert section(**{option.name: list(BUILT_IN_IDS)})
    assert options_of(Policy)["security_level"].kind == Choice(
        ("STRICT", "SECURE", "STANDARD", "PERMISSIVE")
    )
