"""A check: a program is read, the engine is chosen, and nothing runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from doublevm import ConfigError, Guard, GuardRule
from tests.behaviour.drivers import opened

if TYPE_CHECKING:
    from tests.behaviour.drivers import Driver, Opens

CALLED: list[int] = []
INHERITS = "class A: pass\nclass B(A): pass"

REFUSED = "is not available to guest programs: it starts processes"


def note(number: int) -> int:
    CALLED.append(number)
    return number


def test_a_program_that_passes_has_not_run(open_enclave: Opens) -> None:
    CALLED.clear()
    enclave = open_enclave(tools=[note])
    report = enclave.check("note(1)")
    assert report.passes
    assert (report.findings, report.refusing) == ((), ())
    assert (CALLED, enclave.history) == ([], ())
    assert enclave.run("note(2)").value == 2, "the pair is as good as before"


def test_it_says_what_would_refuse_it_and_what_would_not(open_enclave: Opens) -> None:
    enclave = open_enclave(tools=[note], security_level="SECURE")
    report = enclave.check("import os\nnote(1)\ngetattr(note, name)", inputs={"name": "x"})
    assert not report.passes
    assert [finding.rule for finding in report.findings] == ["imports", "computed_names"]
    assert [finding.rule for finding in report.refusing] == ["imports"]
    assert enclave.run("import os").error.findings == report.refusing  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "program", "engine", "reasons"),
    [
        ({}, "1", "monty", ()),
        ({}, INHERITS, "cpython", ("line 2: class inheritance",)),
        ({"engine": "cpython"}, "1", "cpython", ()),
        ({"engine": "monty"}, INHERITS, "monty", ()),
        ({"security_level": "STRICT"}, INHERITS, "", ("line 2: class inheritance",)),
        (
            {},
            "x = 1\nimport subprocess",
            "",
            (f"line 2: module 'subprocess' {REFUSED}",),
        ),
        ({}, "x = (", "", ()),
    ],
)
def test_the_engine_and_why(
    driver: Driver, options: dict[str, Any], program: str, engine: str, reasons: tuple[str, ...]
) -> None:
    with opened(driver, **options) as enclave:
        report = enclave.check(program)
        assert (report.engine, report.reasons) == (engine, reasons)
        assert report.passes is bool(engine)


def test_within_a_session_it_knows_the_sessions_names(open_enclave: Opens) -> None:
    guard = Guard(unknown_names="refuse")
    enclave = open_enclave(guard=guard)
    with enclave.session() as session:
        assert not enclave.check("f()").passes
        session.run("def f(): return 5")
        assert enclave.check("f()").passes
        assert session.run("f()").value == 5
        session.run("globals()['g'] = f")
        assert enclave.check("anything()").passes, "who knows"


def test_the_next_session_knows_no_names_of_the_last(open_enclave: Opens) -> None:
    enclave = open_enclave(guard=Guard(unknown_names="refuse"))
    for _ in range(2):
        with enclave.session() as session:
            assert not enclave.check("f()").passes
            session.run("def f(): return 5")


def test_own_rules_are_asked(open_enclave: Opens) -> None:
    guard = Guard(rules=(GuardRule(id="NEVER", check=lambda source, tree: [None]),))  # type: ignore[list-item]
    report = open_enclave(guard=guard).check("1")
    assert [finding.rule for finding in report.refusing] == ["NEVER"]


def test_wrong_arguments(open_enclave: Opens) -> None:
    enclave = open_enclave(tools=[note])
    with pytest.raises(ConfigError, match="program must be text"):
        enclave.check(5)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="'note' is the name of a tool"):
        enclave.check("1", inputs={"note": 1})
