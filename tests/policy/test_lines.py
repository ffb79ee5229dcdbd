"""Lines are found in whatever way a TOML text is written; tomllib says what is in it."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doublevm.host.policy_file.lines import lines_of
from tests.policy.toml_writer import DOCUMENTS, Writer


@settings(deadline=None, max_examples=300)
@given(tree=DOCUMENTS, data=st.data())
def test_every_path_has_its_line(tree: dict[str, Any], data: st.DataObject) -> None:
    writer = Writer(data.draw)
    writer.document(tree)
    assert tomllib.loads(writer.text) == tree, "the writer is wrong"
    assert lines_of(writer.text) == writer.lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", {}),
        ("\n# a = 1\n", {}),
        ("a = 1\nb = 2", {("a",): 1, ("b",): 2}),
        ("a = '''\nb = 1\n'''\nc = 2", {("a",): 1, ("c",): 4}),
        ('a = """\n\\"""\nb = 1""\n"""""\nc = 2', {("a",): 1, ("c",): 5}),
        ('a = """"q" ""\n"""\nc = 2', {("a",): 1, ("c",): 3}),
        ("a = ''''q''''\nc = 2", {("a",): 1, ("c",): 2}),
        ("a = '#'\nb = \"]\"", {("a",): 1, ("b",): 2}),
        ("'a.b' = 1\n\"\\u0063\\n\" = 2", {("a.b",): 1, ("c\n",): 2}),
        ("a . \"b\".'c' = 1", {("a",): 1, ("a", "b"): 1, ("a", "b", "c"): 1}),
        ("a = [\n 1, # [2]\n\n 2\n]", {("a",): 1, ("a", 0): 2, ("a", 1): 4}),
        ("a = {b.c = 1, d = [2]}", {("a",): 1, ("a", "b"): 1, ("a", "b", "c"): 1, ("a", "d"): 1,
                                    ("a", "d", 0): 1}),
        ("a = 1979-05-27 07:32:00 # x\nb = 1e5", {("a",): 1, ("b",): 2}),
        ("[a.b]\n[a]\nc = 1", {("a",): 2, ("a", "b"): 1, ("a", "c"): 3}),
        ("[[a]]\nb = 1\n[a.c]\n[[a]]\nb = 1\n[a.c]",
         {("a",): 1, ("a", 0): 1, ("a", 0, "b"): 2, ("a", 0, "c"): 3,
          ("a", 1): 4, ("a", 1, "b"): 5, ("a", 1, "c"): 6}),
        ("[[a]]\n[[a.b]]\n[[a.b]]\n[[a]]\n[[a.b]]",
         {("a",): 1, ("a", 0): 1, ("a", 0, "b"): 2, ("a", 0, "b", 0): 2, ("a", 0, "b", 1): 3,
          ("a", 1): 4, ("a", 1, "b"): 5, ("a", 1, "b", 0): 5}),
    ],
)  # fmt: skip
def test_some_ways_to_write(text: str, lines: dict[tuple[str | int, ...], int]) -> None:
    tomllib.loads(text)
    assert lines_of(text) == lines
