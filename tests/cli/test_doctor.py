"""The doctor, told that machines lack one thing or another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from doublevm import ConfinementUnavailable, Enclave, SecurityLevel, VMError
from doublevm.cli import doctor
from doublevm.cli.app import app
from doublevm.cli.doctor_advice import LEAVES_OPEN, remedy
from doublevm.confinement import MECHANISMS, Confinement
from doublevm.jail import probe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    Machine = Callable[..., None]

LINUX_ONLY = "it is of Linux only"
NO_LANDLOCK = {"landlock": "there is no Landlock on this kernel"}
NO_SECCOMP = {"seccomp": "seccomp: Function not implemented"}
MACOS = dict.fromkeys(("seccomp", "landlock", "namespaces"), LINUX_ONLY)
WINDOWS = dict.fromkeys(MECHANISMS, "Windows has none")

ROOT = doctor.OwnUid(given=True, reason="the host is root")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a function that says what this machine is."""

    def be(
        missing: dict[str, str],
        system: str = "Linux",
        monty: str | None = "/bin/monty",
        uid: doctor.OwnUid = ROOT,
    ) -> None:
        monkeypatch.setattr(doctor, "probe_here", lambda: Confinement(missing))
        monkeypatch.setattr(doctor, "look_for_own_uid", lambda: uid)
        monkeypatch.setattr(doctor, "monty_binary", lambda: monty)
        monkeypatch.setattr("platform.system", lambda: system)

    return be


def ask(*options: str) -> Result:
    return CliRunner().invoke(app, ["doctor", *options])


def report() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ask("--json").stdout)
    return found


def answers(found: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {
        level: (said["monty"]["answer"], said["cpython"]["answer"])
        for level, said in found["levels"].items()
    }


ACCEPTED = ("accepted", "accepted")
REFUSED = ("refused", "refused")
WARNED = ("warning", "refused")

MACHINES: dict[str, tuple[dict[str, str], str, str, tuple[tuple[str, str], ...], int]] = {
    # missing, system, rung, what the levels say, exit status
    "everything": ({}, "Linux", "full+", (ACCEPTED,) * 4, 0),
    "no landlock": (NO_LANDLOCK, "Linux", "reduced", (REFUSED, REFUSED, ACCEPTED, ACCEPTED), 0),
    "no seccomp": (NO_SECCOMP, "Linux", "minimal", (REFUSED, REFUSED, WARNED, WARNED), 1),
    "macos": (MACOS, "Darwin", "minimal", (REFUSED, REFUSED, WARNED, WARNED), 1),
    "windows": (WINDOWS, "Windows", "none", (REFUSED,) * 4, 1),
}


@pytest.mark.parametrize("name", MACHINES)
def test_json(machine: Machine, name: str) -> None:
    missing, system, rung, said, status = MACHINES[name]
    machine(missing, system)
    found = report()
    assert (found["rung"], found["system"], found["healthy"]) == (rung, system, status == 0)
    assert tuple(answers(found).values()) == said
    assert list(answers(found)) == [level.name for level in SecurityLevel]
    assert [each["name"] for each in found["mechanisms"]] == [*MECHANISMS, "own uid"]
    for each in found["mechanisms"][:-1]:
        assert each["in_force"] == (each["name"] not in missing)
        assert each["reason"] == missing.get(each["name"])
        assert bool(each["leaves_open"]) == bool(each["remedy"]) == (not each["in_force"])
    assert ask("--json").exit_code == status


@pytest.mark.parametrize("name", MACHINES)
def test_table(machine: Machine, name: str) -> None:
    missing, system, rung, _, status = MACHINES[name]
    machine(missing, system)
    done = ask()
    text = " ".join(done.stdout.split())
    assert done.exit_code == status
    assert f"── confinement: {rung} " in text
    for mechanism, does in MECHANISMS.items():
        reason = missing.get(mechanism)
        row = f"{mechanism} yes {does}" if reason is None else f"{mechanism} no {reason}"
        assert row in text
        assert (f"Leaves open: {LEAVES_OPEN[mechanism]}" in text) == (reason is not None)
    assert max(map(len, done.stdout.splitlines())) <= 110


def test_a_refusal_names_what_is_asked_for_and_what_is_missing(machine: Machine) -> None:
    machine(NO_LANDLOCK)
    said = report()["levels"]["STRICT"]["monty"]
    assert said["reason"] == "asks for 'full'; landlock: there is no Landlock on this kernel"
    assert "asks for 'full'; landlock: there is no Landlock" in ask().stdout


def test_a_worker_that_is_missing(machine: Machine) -> None:
    machine({}, monty=None)
    found = report()
    assert found["engines"]["monty"] is None
    assert set(answers(found).values()) == {("refused", "accepted")}
    assert ask().exit_code == 1
    assert "monty worker: not installed" in ask().stdout


def test_a_root_that_cannot_change_its_uid_runs_nothing(machine: Machine) -> None:
    machine({}, uid=doctor.OwnUid(given=False, reason="root has no CAP_KILL here", fatal=True))
    found = report()
    assert set(answers(found).values()) == {REFUSED}
    assert found["mechanisms"][-1]["leaves_open"] == "No VM can be started."
    assert "CAP_SETUID" in found["mechanisms"][-1]["remedy"]


def test_an_ordinary_user_is_accepted(machine: Machine) -> None:
    machine({}, uid=doctor.OwnUid(given=False, reason="the host is not root"))
    done = ask()
    assert done.exit_code == 0
    assert "own uid no the host is not root" in " ".join(done.stdout.split())


def test_a_machine_that_cannot_be_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Confinement:
        raise VMError("the probe failed: no")

    monkeypatch.setattr(doctor, "probe_here", fail)
    done = ask()
    assert done.exit_code == 3
    assert "VMError: the probe failed: no" in done.stderr


def test_the_exit_status_is_in_the_help() -> None:
    text = " ".join(ask("--help").stdout.split())
    assert "Exit status: 0 the level STANDARD runs both engines here, 1 it does not, 3 the" in text


# --- remedies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("switch", "value", "advice"),
    [
        ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1."),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile with",
        ),
        ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000."),
        ("user/max_user_namespaces", "96365", "In a container: a seccomp profile that allows"),
    ],
)
def test_the_switch_that_is_off_is_named(
    tmp_path: Path, switch: str, value: str, advice: str
) -> None:
    path = tmp_path / "proc" / "sys" / switch
    path.parent.mkdir(parents=True)
    path.write_text(f"{value}\n")
    assert remedy("namespaces", "Linux", tmp_path).startswith(advice)


@pytest.mark.parametrize("name", LEAVES_OPEN)
def test_there_is_advice_for_everything(name: str) -> None:
    assert remedy(name, "Linux")
    assert "Linux" in remedy(name, "Darwin")


# --- what is true here ------------------------------------------------------------------------


def test_the_doctor_says_what_an_enclave_finds() -> None:
    with Enclave(security_level="PERMISSIVE", engine="monty") as enclave:
        enclave.run("1")
        found = enclave.confinement
    assert found is not None
    assert doctor.examine().confinement == found


def what_happens(level: SecurityLevel, engine: str) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with Enclave(security_level=level, engine=engine) as enclave:
                enclave.run("1").unwrap()
        except ConfinementUnavailable:
            return "refused"
    return "warning" if caught else "accepted"


@pytest.mark.parametrize("missing", [{}, NO_LANDLOCK, NO_SECCOMP, WINDOWS], ids=str)
@pytest.mark.parametrize("level", SecurityLevel)
def test_an_enclave_does_what_the_doctor_says(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    missing: dict[str, str],
    level: SecurityLevel,
) -> None:
    machine(missing)
    said = answers(report())[level.name]
    monkeypatch.setattr("doublevm.host.confinement._missing", missing)
    assert tuple(what_happens(level, engine) for engine in doctor.ENGINES) == said


@pytest.mark.skipif(os.geteuid() != 0, reason="of a host that is root")
def test_namespaces_are_tried_as_somebody_else_than_root() -> None:
    """Where only root may make them, a template could not."""
    code = (
        "import os, doublevm.jail.namespaces as n\n"
        "def refuse(): raise OSError(f'not for {os.geteuid()}')\n"
        "n.enter_empty_root = refuse\n"
        f"from {probe.__name__} import probe\n"
        "print(probe()['namespaces'])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("not for ")
    assert done.stdout != "not for 0\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="of a host that is root")
@pytest.mark.parametrize("lost", ["setuid", "kill"])
def test_a_root_without_capabilities_is_told(lost: str) -> None:
    drop = ["setpriv", "--bounding-set", f"-{lost}", "--inh-caps", f"-{lost}"]
    code = "from doublevm.cli.doctor import look_for_own_uid; print(look_for_own_uid())"
    command = [*drop, sys.executable, "-c", code]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("setpriv is not installed")
    assert f"root has no CAP_{lost.upper()} here" in done.stdout
    assert "fatal=True" in done.stdout
