"""How tests put a fake VM in the place of a real one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from doublevm.wire.frames import encode_frame
from doublevm.wire.framing import pack
from tests.support.started import start_pair, start_template

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec
    import pytest

    from doublevm.engines.template import TemplateProcess

SCRIPT = Path(__file__).with_name("fake_vm.py")


def bytes_of(*frames: msgspec.Struct) -> bytes:
    return b"".join(pack(encode_frame(frame)) for frame in frames)


def write(*parts: msgspec.Struct | bytes) -> str:
    """Return the step that writes frames or raw bytes."""
    data = b"".join(part if isinstance(part, bytes) else bytes_of(part) for part in parts)
    return f"write:{data.hex()}"


def flood(frame: msgspec.Struct) -> str:
    return f"flood:{bytes_of(frame).hex()}"


def fake_command(*arguments: object) -> list[str]:
    return [sys.executable, "-I", "-S", str(SCRIPT), *(str(argument) for argument in arguments)]


def fake_parent(monkeypatch: pytest.MonkeyPatch, *steps: str) -> None:
    """Have the enclaves of this test start a fake parent VM."""

    def command(read_fd: int, write_fd: int) -> list[str]:
        return fake_command(read_fd, write_fd, *steps)

    fork_by(monkeypatch, command)


def fork_by(monkeypatch: pytest.MonkeyPatch, command: Callable[[int, int], list[str]]) -> None:
    """Have the enclaves of this test start their parent VMs by a command."""
    for module in ("holding", "aioholding"):
        monkeypatch.setattr(f"doublevm.host.{module}.spawn", lambda _kind: start_pair(command))


def fake_inner(*steps: str) -> TemplateProcess:
    """Start a fake template, whose guests do the steps."""
    return start_template(lambda *fds: fake_command("template", *fds, *steps))
