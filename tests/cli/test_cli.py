"""The command line as a user's shell sees it: output, exit status, errors."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DOUBLEVM = str(Path(sys.executable).parent / "doublevm")

TOOLS = '''
from doublevm import tool

@tool
def double(n: int) -> int:
    """Twice the number."""
    return 2 * n

@tool(name="users:list")
async def users(limit: int = 2) -> list[str]:
    return ["ada", "grace"][:limit]
'''


def doublevm(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DOUBLEVM, *arguments], input=stdin, capture_output=True, text=True, check=False
    )


@pytest.fixture
def tools(tmp_path: Path) -> str:
    path = tmp_path / "my_tools.py"
    path.write_text(TOOLS)
    return str(path)


def test_result_output_and_statistics() -> None:
    done = doublevm("run", "-c", "print('hello')\n6 * 7")
    assert done.returncode == 0
    assert done.stdout.startswith("hello\n── result \n42\n── statistics \nengine monty · ")
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_a_program_from_a_file_and_from_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text("'é'", encoding="utf-8")
    assert "── result \né\n" in doublevm("run", str(path)).stdout.replace("'", "")
    assert "── result \n3\n" in doublevm("run", "-", stdin="1 + 2").stdout


def test_tools_and_operations(tools: str) -> None:
    program = "double(users.list(limit=1) and 4)\ncall_tool('gone', {'x': 1})"
    done = doublevm("run", "-c", program, "--tools", tools, "--show-operations")
    assert done.returncode == 1
    assert "── OPERATION_DENIED" in done.stdout
    rows = done.stdout.partition("── operations \n")[2].splitlines()
    assert [row.split()[:3] for row in rows[1:4]] == [
        ["1", "1", "users:list"],
        ["2", "1", "double"],
        ["3", "2", "gone"],
    ]
    assert "denied [names/unregistered]" in rows[3]


def test_json_is_one_object_for_scripts(tools: str) -> None:
    program = "print('x')\n{'n': double(21), 's': {1}, 't': (1, 2), 'f': float('nan'), 'b': b'a'}"
    done = doublevm("run", "-c", program, "--tools", tools, "--json")
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["success"] is True
    assert report["value"] == {"n": 42, "s": [1], "t": [1, 2], "f": "nan", "b": "YQ=="}
    assert report["stdout"] == "x\n"
    assert report["stats"]["engine"] == "monty"
    assert report["operations"][0]["operation"] == "double"
    assert report["operations"][0]["outcome"] == "returned"
    assert report["operations"][0]["line"] == 2
    assert report["confinement"].keys() == {"rung", "missing"}
    assert report["confinement"]["rung"] in {"minimal", "reduced", "full", "full+"}


def test_json_of_an_int_that_python_does_not_write() -> None:
    done = doublevm("run", "-c", "10**5000", "--json")
    assert json.loads(done.stdout)["value"] == hex(10**5000)
    assert json.loads(doublevm("run", "-c", "10**400", "--json").stdout)["value"] == 10**400


def test_json_of_a_failure() -> None:
    done = doublevm("run", "-c", "1 / 0", "--json")
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert (error["code"], error["type"], error["line"]) == (
        "EXECUTION_ERROR",
        "ZeroDivisionError",
        1,
    )


def test_inputs_are_json_or_text() -> None:
    done = doublevm("run", "-c", "[a, b]", "--input", 'a={"x": [1]}', "--input", "b=plain text")
    assert "[{'x': [1]}, 'plain text']" in done.stdout


def test_limits_and_level() -> None:
    done = doublevm("run", "-c", "x = 1\nwhile x: pass", "--timeout", "0.3", "--level", "strict")
    assert done.returncode == 1
    assert "── TIMEOUT" in done.stdout
    assert "the run took longer than 0.3 s" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "error: give a program's file, - for standard input, or --code"),
        (["run", "gone.py"], "error: cannot read the program gone.py: No such file"),
        (["run", "-c", "1", "--level", "LAX"], "security_level must be one of STRICT"),
        (["run", "-c", "1", "--engine", "v8"], "engine must be one of 'auto'"),
        (["run", "-c", "1", "--timeout", "0"], "limits.timeout must be seconds between 0 and"),
        (["run", "-c", "1", "--memory", "1"], "limits.memory must be at least"),
        (["run", "-c", "1", "--input", "=3"], "--input takes NAME=JSON, not '=3'"),
    ],
)
def test_wrong_usage_is_told_in_a_line(arguments: list[str], message: str) -> None:
    done = doublevm(*arguments)
    assert done.returncode == 2
    assert message in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1", "defines no tool; decorate its functions with @tool"),
        ("import nothing_like_it", "ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("from doublevm import tool\n@tool\ndef f(*a): ...", "has no fixed name"),
    ],
)
def test_a_tools_file_that_cannot_be_used(tmp_path: Path, source: str, message: str) -> None:
    path = tmp_path / "tools.py"
    path.write_text(source)
    done = doublevm("run", "-c", "1", "--tools", str(path))
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())


def test_what_a_guest_prints_cannot_command_the_terminal() -> None:
    hostile = r"print('\x1b[2J\x9b2J\u202e[red]')" + "\n" + r"'\x1b]0;title\x07'"
    done = doublevm("run", "-c", hostile)
    assert done.stdout.startswith(r"\x1b[2J\x9b2J\u202e[red]" + "\n")
    assert "\x1b" not in done.stdout
    assert "\x9b" not in done.stdout


def test_colour_on_a_terminal() -> None:
    main, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [DOUBLEVM, "run", "-c", "1"], stdout=terminal, stderr=terminal, env=environment
    )
    os.close(terminal)
    assert process.wait(timeout=60) == 0
    with os.fdopen(main, "rb", buffering=0) as screen:
        shown = screen.read(65536)
    assert b"\x1b[" in shown
    assert b"result" in shown


def test_the_prompt(tools: str) -> None:
    done = doublevm("tools", tools)
    assert done.returncode == 0
    assert "100 tool calls" in done.stdout
    assert "def double(n: int) -> int:" in done.stdout
    assert "def list(limit: int = ...) -> _builtins.list[str]" in done.stdout


def test_help_teaches() -> None:
    assert 'doublevm run -c "sum(range(10))"' in doublevm("run", "--help").stdout
    assert "Exit status: 0 the program succeeded, 1 it failed" in doublevm("run", "--help").stdout


def test_check_says_what_is_found_and_what_instead() -> None:
    done = doublevm("check", "-c", "import os\nx = [", "--level", "SECURE")
    assert done.returncode == 1
    assert "SyntaxError: '[' was never closed" in done.stdout
    done = doublevm("check", "-c", "x = 1\nimport os\nlen('\u200b')", "--level", "SECURE")
    assert done.returncode == 1
    assert re.search(r"   2 +8  imports +module 'os' is not available", done.stdout)
    assert "posixpath joins" in done.stdout
    assert "\u200b" not in done.stdout
    assert "refused: 2 errors, 0 warnings; no engine runs it" in done.stdout


def test_check_of_a_program_over_tools(tmp_path: Path) -> None:
    tools, program = tmp_path / "tools.py", tmp_path / "program.py"
    tools.write_text("from doublevm import tool\n@tool\ndef add(a: int) -> int: return a\n")
    program.write_text("class A: pass\nclass B(A): pass\nad(1) if add(1) else exec('1')\n")
    done = doublevm("check", str(program), "--tools", str(tools))
    assert done.returncode == 0, done.stderr
    assert "warnings; it runs on the cpython engine\n  line 2: class inheritance" in done.stdout


def test_check_says_the_score(tmp_path: Path) -> None:
    tools, program = tmp_path / "tools.py", tmp_path / "program.py"
    names = ("list_users", "send")
    plain = "\n".join(f"@tool\ndef {name}(x: int = 1) -> list[int]: return [x]" for name in names)
    tools.write_text(f"from doublevm import tool\n{plain}\n")
    program.write_text("for x in list_users():\n    send(x=x)\n")
    done = doublevm("check", str(program), "--tools", str(tools))
    assert done.returncode == 1, done.stderr
    assert "it scores 75 of 100 and is blocked by the scoring gate\n" in done.stdout
    assert "  line 2, column 5: EXFIL_PATTERN 50, what list_users has read" in done.stdout
    program.write_text("list_users()[0]")
    done = doublevm("check", str(program), "--tools", str(tools))
    assert done.returncode == 0
    assert "it scores 0 of 100 and passes the scoring gate" in done.stdout


def test_check_as_json() -> None:
    options = ("--level", "SECURE", "--json", "--input", "x=2", "--engine", "cpython")
    done = doublevm("check", "-c", "getattr(1, x)", *options)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "passes": True,
        "engine": "cpython",
        "reasons": [],
        "score": {"score": 0, "signals": [], "decision": "allow", "failure": ""},
        "findings": [
            {
                "rule": "computed_names",
                "line": 1,
                "column": 1,
                "excerpt": "getattr(1, x)",
                "message": "'getattr' takes a name that is computed",
                "suggestion": "write the name out, or use a dict",
                "refuses": False,
            }
        ],
    }


def test_run_shows_findings_and_warnings() -> None:
    done = doublevm("run", "-c", "print(2)\ngetattr(1, 'a' + 'b', 3)", "--level", "SECURE")
    assert done.returncode == 0
    assert "── warnings" in done.stdout
    assert "line 2, column 1: 'getattr' takes a name that is computed" in done.stdout
    done = doublevm("run", "-c", "import os; os.getcwd()", "--level", "SECURE")
    assert done.returncode == 1
    assert "[guard/imports]\n    import os; os.getcwd()" in done.stdout


def test_check_wants_a_program() -> None:
    done = doublevm("check")
    assert done.returncode == 2
    assert "error: give a program's file" in done.stderr
