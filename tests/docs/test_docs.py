"""Every block of code in the README and the docs does what it says."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from doublevm import Policy
from tests.docs.pages import PAGES, ROOT, Block, blocks, python_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

LANGUAGES = {"", "python", "console", "toml"}


def working_folder(page: str, folder: Path) -> Path:
    """Return where a page's blocks run: beside the policy files on it, if there are any."""
    files = [block for block in blocks("toml") if block.page == page]
    for block in files:
        name = block.text.partition("\n")[0].removeprefix("# ")
        (folder / name).write_text(block.text, encoding="utf-8")
    return folder if files else ROOT


@pytest.mark.parametrize("page", python_pages())
def test_python_blocks_run_and_print_what_they_say(
    page: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(working_folder(page, tmp_path))
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in python_pages()[page]:
        # Empty lines first, so that an error names the line of the page.
        source = "\n" * (block.line - 1) + block.text
        exec(compile(source, page, "exec", dont_inherit=True), namespace)  # noqa: S102
        printed = capsys.readouterr().out.splitlines()
        assert printed == list(promised_output(block)), block.name


def promised_output(block: Block) -> Iterator[str]:
    """Read what a block says it prints: behind ``print(…)  #``, or on the comment line below."""
    lines = [*block.text.splitlines(), ""]
    for number in sorted(end_lines_of_prints(block)):
        line, after = lines[number - 1], lines[number].lstrip()
        if "  # " in line:
            yield line.rpartition("  # ")[2]
        elif after.startswith("# "):
            yield after.removeprefix("# ")
        else:
            pytest.fail(f"{block.name}: {line.strip()!r} does not say what it prints")


def end_lines_of_prints(block: Block) -> Iterator[int]:
    for node in ast.walk(ast.parse(block.text)):
        match node:
            case ast.Call(func=ast.Name(id="print"), end_lineno=int(line)):
                yield line


@pytest.mark.parametrize("block", blocks("console"), ids=lambda block: block.name)
def test_console_blocks(block: Block, tmp_path: Path) -> None:
    folder = working_folder(block.page, tmp_path)
    for line in block.text.splitlines():
        assert line.startswith("$ "), line
        program, *arguments = shlex.split(line[2:])
        if program == "make":
            assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
            continue
        assert program == "doublevm"
        command = [str(Path(sys.executable).parent / "doublevm"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", blocks("toml"), ids=lambda block: block.name)
def test_policy_files_on_pages_are_right(block: Block, tmp_path: Path) -> None:
    working_folder(block.page, tmp_path)
    name = block.text.partition("\n")[0].removeprefix("# ")
    assert Policy.read(tmp_path / name) != Policy()


def test_no_block_is_left_out() -> None:
    fences = sum(path.read_text(encoding="utf-8").count("\n```") for path in PAGES)
    assert fences == 2 * len(blocks(*LANGUAGES)), "a fence in a language no test runs"


def test_links_lead_somewhere() -> None:
    for path in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"
