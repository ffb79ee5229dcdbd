"""What the kernel tells of a pair's memory, asked about this process."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys

from doublevm.host.memory import held, members

MIB = 1024 * 1024


def test_members_of_a_group() -> None:
    assert os.getpid() in members(os.getpgrp())
    assert members(2**30) == ()


def test_what_is_written_to_is_held() -> None:
    # Of the kernel's: an allocator might have it still from somebody else.
    much = mmap.mmap(-1, 32 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    before = held((os.getpid(),))
    much.write(b"x" * len(much))
    after = held((os.getpid(),))
    assert before is not None
    assert after is not None
    assert after - before > len(much) - MIB


def test_who_cannot_be_asked() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert held(()) is None
    assert held((os.getpid(), child.pid)) is None
