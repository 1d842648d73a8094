"""Precision, recall and F1, over pairs of records and over leads."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Quality:
    """The counts of a comparison of predicted with true items: `actual` is the number of true items."""

    predicted: int
    correct: int
    actual: int

    @property
    def false(self) -> int:
        """Predicted items that are not true."""
        return self.predicted - self.correct

    @property
    def precision(self) -> float:
        """The share of predicted items that are true; 1 without predicted items."""
        return self.correct / self.predicted if self.predicted else 1.0

    @property
    def recall(self) -> float:
        """The share of true items that are predicted; 1 without true items."""
        return self.correct / self.actual if self.actual else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        total = self.predicted + self.actual
        return 2 * self.correct / total if total else 1.0

    def figures(self) -> dict[str, float | int]:
        """The counts and measures for JSON, rounded to four places."""
        return {
            "found": self.predicted,
            "correct": self.correct,
            "false": self.false,
            "wanted": self.actual,
            "precision": round(self.precision, 4),
            "recall": round(self.recall, 4),
            "f1": round(self.f1, 4),
        }


def correct_pairs(pairs: Indices, truth: Indices) -> npt.NDArray[np.bool_]:
    """(n,) whether each of the pairs (n, 2) is among the true ones (m, 2)."""
    width = 1 + max((int(part[:, 1].max()) for part in (pairs, truth) if len(part)), default=0)
    return np.isin(pairs[:, 0] * width + pairs[:, 1], truth[:, 0] * width + truth[:, 1])


def pair_quality(pairs: Indices, truth: Indices, missing_pairs: int = 0) -> Quality:
    """Quality over pairs of a left and a right record. `missing_pairs` more pairs are true, and cannot be matched."""
    return Quality(len(pairs), int(correct_pairs(pairs, truth).sum()), len(truth) + missing_pairs)


def lead_quality(pairs: Indices, truth: Indices) -> Quality:
    """Quality over left records: a lead is true if one of its pairs is."""
    good = pairs[correct_pairs(pairs, truth), 0]
    return Quality(len(np.unique(pairs[:, 0])), len(np.unique(good)), len(np.unique(truth[:, 0])))
