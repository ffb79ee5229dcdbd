"""``doublevm run --audit`` and ``doublevm audit``, as a user's shell sees them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from doublevm.audit import Ed25519Signer, HmacKey, JsonlSink, read_trail
from tests.audit.making import attempt

DOUBLEVM = str(Path(sys.executable).parent / "doublevm")

TOOLS = '''
from doublevm import tool

@tool
def double(n: int) -> int:
    """Twice the number."""
    return 2 * n
'''


def doublevm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [DOUBLEVM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["trail.sqlite", "trail.jsonl"])
def test_runs_are_kept_and_verified(tmp_path: Path, name: str) -> None:
    tools, trail = tmp_path / "my_tools.py", tmp_path / name
    tools.write_text(TOOLS)
    for number in ("1", "2"):
        program = f"double({number})"
        done = doublevm("run", "-c", program, "--tools", tools, "--audit", trail)
        assert done.returncode == 0, done.stderr
    assert [each.arguments for each in read_trail(trail).operations()] == [{"n": 1}, {"n": 2}]
    assert [each.text(1) for each in read_trail(trail).programs()] == ["double(1)", "double(2)"]
    done = doublevm("audit", "verify", trail)
    assert done.returncode == 0
    assert done.stdout.startswith(
        "The trail is as it was written.\n10 entries, 2 operations, 2 checkpoints;"
    )


def test_a_trail_that_cannot_be_kept(tmp_path: Path) -> None:
    done = doublevm("run", "-c", "1", "--audit", tmp_path / "none" / "trail.sqlite")
    assert done.returncode == 2
    assert "cannot be opened as a trail" in done.stderr


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    path = tmp_path / "trail.jsonl"
    with JsonlSink(path) as sink:
        sink.write([attempt(number) for number in range(1, 5)])
    return path


def test_it_says_where_a_trail_was_changed(trail: Path) -> None:
    trail.write_text(trail.read_text().replace("users:list", "users\\u202elist", 1))
    lines = trail.read_text().splitlines(keepends=True)
    trail.write_text("".join(lines[:3] + lines[4:]))
    done = doublevm("audit", "verify", trail)
    assert done.returncode == 1
    assert "The trail is not as it was written." in done.stdout
    rows = [line.split(maxsplit=5) for line in done.stdout.splitlines()[2:4]]
    assert [row[0] for row in rows] == ["2", "4"]
    assert "trail.jsonl, line 2" in done.stdout
    assert "entry 4 is missing before it" in done.stdout
    told = json.loads(doublevm("audit", "verify", trail, "--json").stdout)
    assert told["ok"] is False
    assert [(fault["kind"], fault["seq"]) for fault in told["faults"]] == [
        ("changed", 2),
        ("removed", 4),
    ]


def test_what_it_notes(trail: Path) -> None:
    with trail.open("a") as file:
        file.write('{"entry":')
    done = doublevm("audit", "verify", trail)
    assert done.returncode == 0
    assert "4 operations were allowed and have no outcome." in done.stdout
    assert "It ends in half an entry: its host died while it wrote." in done.stdout
    told = json.loads(doublevm("audit", "verify", trail, "--json").stdout)
    assert (told["ok"], told["unknown"], told["torn"]) == (True, 4, True)


def test_an_end_that_was_kept_elsewhere(trail: Path) -> None:
    lines = trail.read_text().splitlines(keepends=True)
    last = json.loads(lines[-1])["hash"]
    assert doublevm("audit", "verify", trail, "--last-hash", last).returncode == 0
    trail.write_text("".join(lines[:-1]))
    assert doublevm("audit", "verify", trail).returncode == 0, "the control"
    done = doublevm("audit", "verify", trail, "--last-hash", last)
    assert done.returncode == 1
    assert "the end is missing" in done.stdout


def test_a_beginning_that_was_deleted(trail: Path) -> None:
    trail.write_text("".join(trail.read_text().splitlines(keepends=True)[2:]))
    assert doublevm("audit", "verify", trail).returncode == 1
    assert doublevm("audit", "verify", trail, "--first", "3").returncode == 0


def test_keys(tmp_path: Path) -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, form)
    public, secret = tmp_path / "key.pem", tmp_path / "secret"
    public.write_bytes(pem)
    secret.write_bytes(b"s" * 32)
    for signer, right, wrong in (
        (Ed25519Signer(private), public, secret),
        (HmacKey(b"s" * 32), secret, public),
    ):
        trail = tmp_path / f"{signer.scheme}.jsonl"
        with JsonlSink(trail, signer=signer) as sink:
            sink.write([attempt(1)])
        done = doublevm("audit", "verify", trail, "--key", right)
        assert done.returncode == 0
        assert "Signatures cover the entries to 2 of 3." in done.stdout
        done = doublevm("audit", "verify", trail, "--key", wrong)
        assert done.returncode == 1
        assert "the checkpoint is signed with another key" in done.stdout


def test_wrong_usage(tmp_path: Path) -> None:
    done = doublevm("audit", "verify", tmp_path / "none.jsonl")
    assert done.returncode == 2
    assert "there is no trail" in done.stderr
    (tmp_path / "trail.jsonl").touch()
    done = doublevm("audit", "verify", tmp_path / "trail.jsonl", "--key", tmp_path / "none")
    assert done.returncode == 2
    assert "cannot be read" in " ".join(done.stderr.split())
