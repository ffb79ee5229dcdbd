"""The meter of a guest's frames: no span of a second holds more than allowed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from doublevm.host.meter import Meter


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_second_ends_when_it_has_passed() -> None:
    clock = Clock()
    meter = Meter(2, clock)
    found = []
    for clock.now in (0.0, 0.5, 0.999, 1.5, 1.998, 3.0):
        found.append(meter.exceeded())
    assert found == [False, False, True, False, True, False]


@given(
    gaps=st.lists(st.sampled_from([0.0, 0.125, 0.25, 0.5, 1.0, 3.0]), max_size=60),
    most=st.integers(1, 5),
)
def test_it_says_what_counting_again_says(gaps: list[float], most: int) -> None:
    clock, times = Clock(), []
    meter = Meter(most, clock)
    for gap in gaps:
        clock.now += gap
        times.append(clock.now)
        within = [time for time in times if clock.now - time < 1.0]
        assert meter.exceeded() == (len(within) > most)
        assert len(meter._times) == len(within)
