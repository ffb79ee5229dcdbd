from __future__ import annotations

from tests.docs.policy_reference import PAGE, SCHEMA, page, schema_text


def test_the_reference_is_what_the_dataclasses_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "make policy"


def test_the_schema_is_what_the_dataclasses_say() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), "make policy"
