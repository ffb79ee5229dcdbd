"""The page as text: what it is made of, and that nothing in it can be more than it is."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import stat
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from doublevm.cli.app import app
from doublevm.cli.looking.page import LONGEST_ARGUMENTS, embedded
from tests.docs.pages import ROOT
from tests.looking.conftest import html_of, operations_of
from tests.looking.sample import (
    HOSTILE,
    entries,
    every_kind,
    hostile,
    of_a_program,
    written,
)

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

FILES = sorted((ROOT / "src/doublevm/cli/looking/page").iterdir())
DATA = re.compile(r'<script id="data" type="application/json">(.*?)</script>', re.DOTALL)


def data_of(page: str) -> dict[str, Any]:
    """Return what is embedded, as HTML delimits it: up to the first end of a script."""
    match = DATA.search(page)
    assert match
    found: dict[str, Any] = json.loads(match[1])
    return found


@given(st.recursive(st.text() | st.none(), lambda each: st.dictionaries(st.text(), each)))
def test_what_is_embedded_means_nothing_to_html(value: Any) -> None:
    text = embedded(value)
    assert text.isascii()
    assert not set(text) & set("<>&\n\r")
    assert json.loads(text) == value


def test_hostile_strings_leave_the_page_as_it_is(tmp_path: Path) -> None:
    page = html_of(tmp_path / "trail.jsonl", hostile())
    harmless = html_of(tmp_path / "other.jsonl", every_kind())
    assert DATA.sub("", page) == DATA.sub("", harmless)
    names = [row[5] for row in data_of(page)["operations"]]
    assert names[0] == HOSTILE["markup"], "it is there, as text"
    assert names[7] == r"abc\u202e\u2066fed\u200b\u200f", "what nobody can see is made visible"


def test_the_control_without_escapes_the_page_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("doublevm.cli.looking.page.embedded", json.dumps)
    page = html_of(tmp_path / "trail.jsonl", hostile())
    with pytest.raises(json.JSONDecodeError):
        data_of(page)


def test_the_policy_lets_nothing_in_but_what_is_there(tmp_path: Path) -> None:
    page = html_of(tmp_path / "trail.jsonl", every_kind())
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', page)
    assert policy
    rules = html.unescape(policy[1]).split("; ")
    for kind, tag in (("style", "<style>"), ("script", '<script type="module">')):
        inside = page.partition(tag)[2].partition(f"</{kind}>")[0]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in rules
        rules.remove(f"{kind}-src 'sha256-{digest}'")
    assert rules == [
        "default-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]


MAKES_MARKUP = (
    "innerHTML|outerHTML|insertAdjacentHTML|document.write|eval|Function|DOMParser|srcdoc|"
    "createContextualFragment|setHTML|import"
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_files_of_the_page(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 400
    assert max(map(len, text.splitlines())) <= 100, "nobody reads what was minified"
    assert "url(" not in text
    assert set(re.findall(r"https?://[^\"' ]+", text)) <= {"http://www.w3.org/2000/svg"}
    if file.suffix == ".js":
        assert not re.search(rf"\b({MAKES_MARKUP})\b\s*[(=]", text)
        assert "</" not in text
        assert "setTimeout" not in text


def test_they_are_in_the_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(build, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = {name.rpartition("/")[2] for name in zipfile.ZipFile(wheel).namelist()}
    assert {file.name for file in FILES} <= names


def report(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["audit", "report", *map(str, arguments)])


def test_the_command(tmp_path: Path) -> None:
    trail, output = written(tmp_path / "trail.sqlite", entries(30)), tmp_path / "page.html"
    done = report(trail, "-o", output)
    assert done.exit_code == 0, done.stderr
    assert "30 operations" in done.stdout
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    found = data_of(output.read_text())
    assert (len(found["operations"]), found["notice"]) == (30, "")
    assert found["about"].startswith("trail.sqlite, 2026-03-01 12:00:59 to 2026-03-01 12:0")


def test_more_than_the_page_can_take(tmp_path: Path) -> None:
    trail, output = written(tmp_path / "trail.jsonl", entries(30)), tmp_path / "page.html"
    report(trail, "-o", output, "--limit", "10")
    found = data_of(output.read_text())
    assert found["notice"].startswith("These are the newest 10 operations; there are older ones.")
    everything = operations_of(tmp_path / "other.jsonl", entries(30))
    assert [row[0] for row in found["operations"]] == [each.seq for each in everything[-10:]]


def test_filters(tmp_path: Path) -> None:
    trail, output = written(tmp_path / "trail.sqlite", every_kind()), tmp_path / "page.html"
    report(trail, "-o", output, "--verdict", "deny", "--operation", "tickets:*")
    assert [row[0] for row in data_of(output.read_text())["operations"]] == [12, 15, 16]


def test_the_line_that_made_the_call(tmp_path: Path) -> None:
    trail, output = written(tmp_path / "trail.jsonl", of_a_program()), tmp_path / "page.html"
    report(trail, "-o", output)
    (row,) = data_of(output.read_text())["operations"]
    assert row[12:] == [3, r"kb.search('<b>')\u202e"]


def test_long_arguments_are_cut_and_say_so(tmp_path: Path) -> None:
    page = html_of(tmp_path / "trail.jsonl", hostile())
    cut = next(row[6] for row in data_of(page)["operations"] if "doublevm audit show" in row[6])
    assert len(cut) < LONGEST_ARGUMENTS + 100
    assert cut.endswith("characters: doublevm audit show TRAIL 13)")


def test_wrong_usage(tmp_path: Path) -> None:
    done = report(tmp_path / "none.jsonl", "-o", tmp_path / "page.html")
    assert (done.exit_code, "there is no trail" in " ".join(done.stderr.split())) == (2, True)
    trail = written(tmp_path / "trail.jsonl", entries(1))
    done = report(trail, "-o", tmp_path / "none" / "page.html")
    assert (done.exit_code, "No such file" in " ".join(done.stderr.split())) == (2, True)
