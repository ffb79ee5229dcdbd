"""``make fuzz ATHERIS=1``: libFuzzer looks at which lines it reaches, and makes the bytes.

The first byte picks who is lied to and how; the others are one stream of frames. It begins with the
cases of ``sequences``, which it changes. What fails is left as
``crash-…`` in ``build/fuzz``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final, get_args

import atheris

with atheris.instrument_imports(include=["doublevm"]):
    from tests.fuzz.case import Case, Chunk, Target
    from tests.fuzz.sequences import new_case
    from tests.fuzz.targets import attack
    from tests.fuzz.tools import PROFILES

FOLDER: Final = Path("build/fuzz/corpus")
SEEDS: Final = 300
TARGETS: Final[tuple[Target, ...]] = get_args(Target)


def case_of(data: bytes) -> Case:
    """Return the case that bytes stand for."""
    first = data[0] if data else 0
    target, first = TARGETS[first % len(TARGETS)], first // len(TARGETS)
    life = tuple(Chunk(chunk) for chunk in _framed(data[1:]))
    return Case(target, first % PROFILES, bool(first // PROFILES % 2), (life,))


def bytes_of(case: Case) -> bytes:
    """Return the bytes of a case's first life."""
    first = case.profile + PROFILES * case.session
    stream = b"".join(chunk.data for chunk in case.lives[0])
    return bytes([TARGETS.index(case.target) + len(TARGETS) * first]) + stream


def _framed(stream: bytes) -> list[bytes]:
    """Cut where frames end, as an honest VM's writes do; the rest is one chunk."""
    chunks = []
    while len(stream) > 4 and (size := 4 + int.from_bytes(stream[:4], "big")) < len(stream):
        chunks.append(stream[:size])
        stream = stream[size:]
    return [*chunks, stream] if stream else chunks


def main() -> None:
    """Write the corpus to begin with, and fuzz."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for number in range(SEEDS):
        data = bytes_of(new_case(1, number))
        if len(data) < 5000:
            (FOLDER / f"seed-{number}").write_bytes(data)
    flags = ["-artifact_prefix=build/fuzz/", "-max_len=5000", "-timeout=60"]
    atheris.Setup([sys.argv[0], *flags, *sys.argv[1:], str(FOLDER)], lambda d: attack(case_of(d)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
