"""Precision, recall and F1, over pairs of records and over leads."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Quality:
    """Found against true: `found` in all, `correct` of them, `wanted` there were."""

    found: int
    correct: int
    wanted: int

    @property
    def false(self) -> int:
        """Found, but not true."""
        return self.found - self.correct

    @property
    def precision(self) -> float:
        """Share of what was found that is true; 1 where nothing was found."""
        return self.correct / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of what is true that was found; 1 where there was nothing to find."""
        return self.correct / self.wanted if self.wanted else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        total = self.found + self.wanted
        return 2 * self.correct / total if total else 1.0

    def figures(self) -> dict[str, float | int]:
        """For JSON; shares to four places."""
        return {
            "found": self.found,
            "correct": self.correct,
            "false": self.false,
            "wanted": self.wanted,
            "precision": round(self.precision, 4),
            "recall": round(self.recall, 4),
            "f1": round(self.f1, 4),
        }


def correct_pairs(pairs: Indices, truth: Indices) -> npt.NDArray[np.bool_]:
    """Which of the pairs (n, 2) are among the true ones (m, 2)."""
    width = 1 + max((int(part[:, 1].max()) for part in (pairs, truth) if len(part)), default=0)
    return np.isin(pairs[:, 0] * width + pairs[:, 1], truth[:, 0] * width + truth[:, 1])


def pair_quality(pairs: Indices, truth: Indices, out_of_reach: int = 0) -> Quality:
    """Over pairs of a left and a right record. `out_of_reach` more pairs are true and cannot be found."""
    return Quality(len(pairs), int(correct_pairs(pairs, truth).sum()), len(truth) + out_of_reach)


def lead_quality(pairs: Indices, truth: Indices) -> Quality:
    """Over left records: a lead is true when one of the pairs that it stands for is."""
    good = pairs[correct_pairs(pairs, truth), 0]
    return Quality(len(np.unique(pairs[:, 0])), len(np.unique(good)), len(np.unique(truth[:, 0])))
