"""The logarithm of a point that is a small multiple of the generator: baby steps, giant steps (Shanks 1971), on batches.

Both tables grow by doubling, with one addition per row, which costs a quarter of a multiplication.
"""

import numpy as np

from blindmatch.protocol import group
from blindmatch.protocol.aggregate.elgamal import scalar_of
from blindmatch.protocol.group import Bytes2D, ElementError
from blindmatch.protocol.limits import POINT_BYTES, SCALAR_BYTES

_BABY = (1 << 10, 1 << 13, 1 << 16, 1 << 19)
"""Baby steps held in memory by each try; each try but the last covers the square of its number. The last takes 16 MiB of points
and as much for their index, and a sum of 2^40 then takes 2^21 giant steps."""

_GIANT = 1 << 13
"""Giant steps taken at once."""


def logarithm(point: Bytes2D, most: int) -> int | None:
    """The n, 1 <= n <= `most`, for which n times the generator is this point (1, 32); None when there is none."""
    for steps in _BABY:
        reach = most if steps == _BABY[-1] else min(most, steps * steps)
        result = _BabySteps(steps).search(point, reach)
        if result is not None or reach == most:
            return result
    return None


class _BabySteps:
    """1 to `steps` times the generator, indexed by their first bytes."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._points = _multiples(scalar_of(1), steps)
        heads = np.ascontiguousarray(self._points[:, :8]).view(np.uint64).ravel()
        self._order = np.argsort(heads)
        self._heads = heads[self._order]

    def search(self, point: Bytes2D, most: int) -> int | None:
        """The logarithm of a point, if it is at most `most`."""
        steps = self._steps
        number = self._find(point)
        minus = group.scalar_subtract(np.zeros((1, SCALAR_BYTES), dtype=np.uint8), scalar_of(steps))
        count = min(_GIANT, max(1, most // steps))
        giant = _multiples(minus, count) if number is None else point
        base, covered = point, 0
        while number is None and covered <= most:
            try:
                rows = group.add(np.tile(base[0], (count, 1)), giant)
            except ElementError as error:  # the identity: the point is a whole number of giant steps
                number = covered + (error.index + 1) * steps
            else:
                step = self._find(rows)
                number = None if step is None else covered + steps + step
                base, covered = rows[-1:], covered + count * steps
        return number if number is not None and number <= most else None

    def _find(self, points: Bytes2D) -> int | None:
        """The first point (n, 32) that is a baby step: its row times `steps`, and the baby step."""
        wanted = np.ascontiguousarray(points[:, :8]).view(np.uint64).ravel()
        at = np.minimum(np.searchsorted(self._heads, wanted), self._steps - 1)
        # Two points share 64 bits with probability 2^-25 at the largest sum; then one of them is missed.
        for row in np.flatnonzero(self._heads[at] == wanted):
            step = int(self._order[at[row]])
            if self._points[step].tobytes() == points[row].tobytes():
                return int(row) * self._steps + step + 1
        return None


def _multiples(scalar: Bytes2D, count: int) -> Bytes2D:
    """1 to `count` times a multiple of the generator (count, 32)."""
    points = np.empty((count, POINT_BYTES), dtype=np.uint8)
    points[:1] = group.multiply_base(scalar)
    done = 1
    while done < count:
        more = min(done, count - done)
        points[done : done + more] = group.add(points[:more], np.tile(points[done - 1], (more, 1)))
        done += more
    return points
