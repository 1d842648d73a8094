"""Statistical disclosure control: the minimum and the bands. The sender applies them before it discloses anything."""

from dataclasses import dataclass

from blindmatch.protocol.agreement import Aggregate, Disclosure, Edge
from blindmatch.protocol.limits import LIMITS


@dataclass(frozen=True)
class AggregateTerms:
    """The agreed terms of an edge's count or sum.

    Args:
        minimum_count: fewer matches give no result.
        band: a count is disclosed in steps of this; values are multiples of it.
        record: count: the elements of a record of the receiver, which both sides know; 0 when it is not checked.
    """

    minimum_count: int
    band: int
    record: int = 0

    @classmethod
    def of(cls, edge: Edge, record: int = 0) -> "AggregateTerms":
        """Of an agreement's edge that discloses a count or a sum."""
        terms = Aggregate.of(edge)
        return cls(terms.minimum_count, terms.band, record if edge.disclosure is Disclosure.COUNT else 0)

    @property
    def most_total(self) -> int:
        """A sum stays below this, in units of the band: the receiver can compute its logarithm."""
        return LIMITS.sum_total // self.band


@dataclass(frozen=True)
class Band:
    """From `low` to `high`, both included."""

    low: int
    high: int


WITHHELD = Band(0, 0)


def permitted_band(disclosure: Disclosure, matched: int, terms: AggregateTerms) -> Band | None:
    """What may be disclosed of an exact number of matches: None below the minimum; the band of a count; `WITHHELD` for a sum."""
    if matched < terms.minimum_count:
        return None
    if disclosure is Disclosure.SUM:
        return WITHHELD
    return band_of(matched, terms)


def band_of(count: int, terms: AggregateTerms) -> Band:
    """The band of a count that reaches the minimum; the lowest band starts there."""
    low = count // terms.band * terms.band
    return Band(max(low, terms.minimum_count), low + terms.band - 1)


def possible(band: Band, terms: AggregateTerms, most: int) -> bool:
    """Whether an honest sender can state this band, with at most `most` matches possible."""
    return terms.minimum_count <= band.low <= most and band == band_of(band.low, terms)
