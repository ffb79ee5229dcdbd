from __future__ import annotations

import pytest
import typer

from doublevm import ConfigError, VMCrashed
from doublevm.cli.failing import statuses

STATUSES = {
    "the caller's mistake": (ConfigError("no such level"), 2, "error: no such level"),
    "a VM's failure": (VMCrashed("inner", "it is gone"), 3, "VMCrashed: "),
    "Ctrl-C": (KeyboardInterrupt(), 130, "interrupted"),
}


@pytest.mark.parametrize("case", STATUSES)
def test_whose_fault_it_was(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    error, status, text = STATUSES[case]
    with pytest.raises(typer.Exit) as ended, statuses():
        raise error
    assert ended.value.exit_code == status
    assert capsys.readouterr().err.startswith(text)


def test_what_else_goes_wrong_is_shown_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), statuses():
        raise ZeroDivisionError


def test_a_command_may_end_as_it_likes() -> None:
    with pytest.raises(typer.Exit) as ended, statuses():
        raise typer.Exit(1)
    assert ended.value.exit_code == 1
