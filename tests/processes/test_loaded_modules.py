"""The folder is the trust zone: which of our modules each VM process has loaded."""

from __future__ import annotations

import json
import subprocess

import pytest

from doublevm.launch import python_command

ALLOWED = {
    "doublevm.zygote.pairs": {
        "awaiting", "barriers", "callables", "confinement", "engines", "errors", "guard",
        "guard_options", "guest_names", "guest_traceback", "history", "inner", "jail", "launch",
        "levels", "limits", "module_lists", "monitor", "operation", "parent", "policy", "score",
        "shapes", "state", "verdict", "wire", "word_lists", "zygote",
    },
    "doublevm.parent.process": {
        "awaiting", "barriers", "callables", "confinement", "engines", "errors", "guard",
        "guard_options", "guest_names", "guest_traceback", "history", "inner", "jail", "launch",
        "levels", "limits", "module_lists", "monitor", "operation", "parent", "policy", "score",
        "shapes", "state", "verdict", "wire", "word_lists",
    },
    "doublevm.inner.process": {
        "awaiting", "guest_names", "guest_traceback", "inner", "jail", "module_lists", "operation",
        "score", "shapes", "wire", "word_lists",
    },
}  # fmt: skip

SHOW = (
    "import {module}, json; "
    "print(json.dumps(sorted(m for m in sys.modules if m.startswith('doublevm.'))))"
)


def loaded(module: str) -> set[str]:
    """Start Python as a zygote is started, but list the modules instead of serving."""
    command = python_command(module)
    place = command.index("-c") + 1
    before, boot, after = command[place].partition(f"from {module} import main; main()")
    assert boot
    assert not after
    command[place] = before + SHOW.format(module=module)
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={}, cwd="/")
    names: list[str] = json.loads(done.stdout)
    return {name.split(".")[1] for name in names}


@pytest.mark.parametrize("module", ALLOWED)
def test_a_vm_process_loads_its_zone_only(module: str) -> None:
    assert loaded(module) <= ALLOWED[module]


@pytest.mark.parametrize("module", ALLOWED)
def test_no_vm_process_loads_the_host(module: str) -> None:
    found = loaded(module)
    assert found, "the twin: something of ours is loaded"
    assert found.isdisjoint({"host", "tools", "cli", "instructions", "signatures", "result"})
