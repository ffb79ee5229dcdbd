"""``on_rate_limit="wait"`` holds one guest back, and nobody else."""

from __future__ import annotations

import asyncio
import time

import pytest

from doublevm import AsyncEnclave, DoubleVM, ParentValidation, tool
from tests.judging.driving import ENGINES, Engine

HELD_BACK = DoubleVM(
    parent_validation=ParentValidation(max_operations_per_second=1, on_rate_limit="wait")
)


@tool(name="notes:add")
def add() -> int:
    return 1


async def ticks(until: asyncio.Task[object]) -> int:
    """Count how often the loop comes round, at 10 ms a time: a blocked one hardly does."""
    count = 0
    while not until.done():
        await asyncio.sleep(0.01)
        count += 1
    return count


@pytest.mark.parametrize("engine", ENGINES)
def test_another_enclave_in_the_same_loop_is_not_delayed(engine: Engine) -> None:
    async def main() -> None:
        async with (
            AsyncEnclave(tools=[add], engine=engine, double_vm=HELD_BACK) as slow,
            AsyncEnclave(tools=[add], engine=engine) as quick,
        ):
            await slow.run("1")  # both pairs have started
            await quick.run("1")
            began = time.monotonic()
            waits = asyncio.create_task(slow.run("for i in range(3):\n    notes.add()"))
            ticking = asyncio.create_task(ticks(waits))
            await asyncio.sleep(0)
            runs = [await quick.run("notes.add()\nnotes.add()") for _ in range(3)]
            assert all(run.success for run in runs)
            result = await waits
            assert result.success
            # Not the run's own duration: the host may learn of its start after the first call.
            assert time.monotonic() - began >= 2.0
            assert [record.outcome for record in result.audit] == ["returned"] * 3
            assert await ticking > 20

    asyncio.run(main())
