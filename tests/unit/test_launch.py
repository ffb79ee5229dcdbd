"""The command line of a VM process: isolated Python, our packages, and no say for anybody else."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from doublevm.launch import NEEDED, monty_binary, package_folders, python_command

if TYPE_CHECKING:
    import pytest

PRINT = (
    "import json, os; print(json.dumps([sys.argv[1:], sys.path, dict(os.environ), os.getcwd(), "
    "sys.flags.isolated, sys.flags.no_site, sys.flags.utf8_mode, sorted(sys.modules)]))"
)


def told(*arguments: object, **options: object) -> list[object]:
    """Run the command with its last step replaced; return what that process sees."""
    command = python_command("doublevm.limits", *arguments)
    place = command.index("-c") + 1
    command[place] = command[place].partition("from ")[0] + PRINT
    environment = {"PYTHONPATH": "/nowhere", "PYTHONSTARTUP": "/nowhere", "MARKER": "1"}
    done = subprocess.run(
        command, capture_output=True, check=True, env=environment, cwd=options.get("cwd", "/")
    )  # type: ignore[call-overload]
    found: list[object] = json.loads(done.stdout)
    return found


def test_arguments_arrive() -> None:
    assert told(3, "four", "with space", "new\nline")[0] == ["3", "four", "with space", "new\nline"]


def test_python_is_isolated(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit(7)")
    (tmp_path / "json.py").write_text("raise SystemExit(8)")
    _, path, _, _, isolated, no_site, utf8, modules = told(cwd=str(tmp_path))
    assert (isolated, no_site, utf8) == (1, 1, 1)
    assert isinstance(path, list)
    assert isinstance(modules, list)
    assert "" not in path
    assert str(tmp_path) not in path
    assert "/nowhere" not in path
    assert not {"site", "sitecustomize", "usercustomize"} & set(modules)


def test_the_path_is_the_standard_library_and_our_packages() -> None:
    path = told()[1]
    assert isinstance(path, list)
    assert path[-len(package_folders()) :] == list(package_folders())
    base = [folder for folder in path if folder not in package_folders()]
    assert all("site-packages" not in folder for folder in base)


def test_every_package_is_found_there() -> None:
    for name in NEEDED:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        assert any(Path(spec.origin).is_relative_to(folder) for folder in package_folders())


def test_finding_packages_imports_none() -> None:
    code = """if True:
        import sys
        from doublevm.launch import package_folders
        package_folders()
        print("pydantic_monty" in sys.modules, "doublevm.host" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "False False\n"


def test_the_worker_is_an_executable_beside_this_python() -> None:
    path = monty_binary()
    assert path is not None
    assert os.access(path, os.X_OK)
    assert Path(path).is_absolute()


def test_no_environment_variable_chooses_the_worker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "monty"
    fake.write_text("#!/bin/sh\nexit 9\n")
    fake.chmod(0o755)
    for name in ("PATH", "MONTY_BIN", "MONTY_BINARY", "PYDANTIC_MONTY_BINARY"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monty_binary.cache_clear()
    try:
        assert monty_binary() != str(fake)
    finally:
        monty_binary.cache_clear()
