"""Counts that need no more memory for ten million operations than for a thousand."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ERROR: Final = 0.005
"""How far a quantile may be from the true one, as a part of it."""
_LEAST: Final = 1e-9
"""Seconds: what is shorter counts as none."""
_GROWTH: Final = (1 + ERROR) / (1 - ERROR)

MOST_NAMES: Final = 1000


class Quantiles:
    """A sketch of values: how many there are in each of some thousand buckets.

    A bucket's upper end is (1 + e)/(1 - e) times its lower one, so the value that stands for all in
    it is wrong by e at most (DDSketch: Masson, Rim and Lee, VLDB 2019, section 2).
    """

    def __init__(self) -> None:
        """Begin with no value."""
        self.count = 0
        self.largest = 0.0
        self._buckets: Counter[int | None] = Counter()

    def add(self, value: float) -> None:
        """Count a value, 0 or larger."""
        self.count += 1
        self.largest = max(self.largest, value)
        bucket = math.ceil(math.log(value, _GROWTH)) if value > _LEAST else None
        self._buckets[bucket] += 1

    def at(self, part: float) -> float:
        """Return the value that ``part`` of all are not above; 0.0 if there is none."""
        rank = part * (self.count - 1)
        seen = self._buckets[None] - 1
        if not self.count or seen >= rank:
            return 0.0
        bucket = 0
        for bucket in sorted(each for each in self._buckets if each is not None):
            seen += self._buckets[bucket]
            if seen >= rank:
                break
        return min(2 * _GROWTH**bucket / (_GROWTH + 1), self.largest)


V = TypeVar("V")


class Named(Generic[V]):
    """Something for each name, as long as there are not too many names.

    Guests can make names up: of twice as many as are kept, the smaller half becomes ``others``.
    """

    def __init__(self, make: Callable[[], V], size: Callable[[V], int]) -> None:
        """Begin with no name. ``size`` says which of two is the smaller one."""
        self._make, self._size = make, size
        self._kept: dict[str, V] = {}
        self.others = 0
        """What those come to that are not kept."""

    def __getitem__(self, name: str) -> V:
        """Return what belongs to a name; make it if there is nothing yet."""
        found = self._kept.get(name)
        if found is None:
            if len(self._kept) >= 2 * MOST_NAMES:
                self._let_go()
            found = self._kept[name] = self._make()
        return found

    def __iter__(self) -> Iterator[tuple[str, V]]:
        """Return names and what belongs to them, the largest first."""
        return iter(sorted(self._kept.items(), key=lambda item: (-self._size(item[1]), item[0])))

    def _let_go(self) -> None:
        ordered = list(self)
        self._kept = dict(ordered[:MOST_NAMES])
        self.others += sum(self._size(each) for _, each in ordered[MOST_NAMES:])
