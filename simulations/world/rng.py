"""Repeatable random numbers: the same seed gives the same rng on every machine and every version of Python."""

import random
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

T = TypeVar("T")


class WeightedTable:
    """Values drawn by weight.

    Args:
        values: the values to draw; repetitions are dropped.
        weights: one positive weight per value after that, or None for a Zipf-Mandelbrot law over the
            position, `1 / (rank + shift) ** exponent`: the law that name frequencies follow.
    """

    def __init__(
        self,
        values: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        exponent: float = 0.9,
        shift: float = 8.0,
    ) -> None:
        self.values = tuple(dict.fromkeys(values))
        if weights is None:
            weights = [(rank + shift) ** -exponent for rank in range(1, len(self.values) + 1)]
        total = sum(weights)
        self.probabilities = tuple(weight / total for weight in weights)
        self._cumulative = list(accumulate(self.probabilities))

    def at(self, position: float) -> str:
        """The value at `position` in [0, 1)."""
        return self.values[min(bisect_right(self._cumulative, position), len(self.values) - 1)]


class SeededRandom:
    """A random sequence from one seed. Only `Random.random` is used, because Python guarantees that its sequence does not change.

    Neither the seed nor the sequence is secret: all people are invented.

    Args:
        seed: words and numbers; different seeds give independent sequences.
    """

    def __init__(self, *seed: str | int) -> None:
        label = "/".join(str(part) for part in seed)
        self._next = random.Random(label).random

    def unit(self) -> float:
        """Uniform in [0, 1)."""
        return self._next()

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._next() < probability

    def number(self, low: int, high: int) -> int:
        """Uniform from `low` to `high`, inclusive."""
        return low + int(self._next() * (high - low + 1))

    def pick(self, values: Sequence[T]) -> T:
        """One of `values`, each as likely."""
        return values[int(self._next() * len(values))]

    def draw(self, table: WeightedTable) -> str:
        """One of a table's values by its weight."""
        return table.at(self._next())

    def sample(self, values: Sequence[T], count: int) -> list[T]:
        """`count` different positions of `values`, in random order (fewer when there are fewer)."""
        pool = list(values)
        count = min(count, len(pool))
        for place in range(count):
            other = place + int(self._next() * (len(pool) - place))
            pool[place], pool[other] = pool[other], pool[place]
        return pool[:count]

    def letters(self, alphabet: str, count: int) -> str:
        """`count` characters of `alphabet`."""
        return "".join(self.pick(alphabet) for _ in range(count))
