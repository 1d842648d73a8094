"""What a count and a sum have in common: a minimum, a band, and who else receives the result."""

from dataclasses import dataclass
from typing import ClassVar

from blindmatch.protocol.agreement import validation
from blindmatch.protocol.agreement.disclosures.base import EdgeTerms, receiver_sees, sender_sees
from blindmatch.protocol.agreement.sides import Side
from blindmatch.protocol.limits import LIMITS

LEAST_MINIMUM = 3
"""The smallest minimum of a count or a sum: a result about one or two records is a result about them."""


@dataclass(frozen=True, kw_only=True)
class Aggregate(EdgeTerms):
    """One number about the records that match."""

    discloses_number: ClassVar[bool] = True

    minimum_count: int = 5
    """Fewer matching records than this give no result."""
    band: int = 1
    """A count is disclosed in steps of this; every value of a sum is rounded to a multiple of it. 1: exactly."""
    report_to: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        validation.whole("minimum_count", self.minimum_count, LEAST_MINIMUM, LIMITS.records)
        validation.whole("band", self.band, 1, LIMITS.sum_total)
        validation.several("report_to", self.report_to, 0, LIMITS.parties)
        for index, agency in enumerate(self.report_to):
            validation.identifier(f"report_to[{index}]", agency)
        validation.distinct("report_to", self.report_to)

    def _sender(self, receiver: Side, sender: Side, counted: str, repetition: str = "") -> str:
        return (
            f"{sender_sees(receiver, sender, repetition)} Its node counts the matches, so that it can hold a result "
            f"below the minimum back: it learns how many {counted} match and how many match keys agreed in each, but "
            "neither who they are nor which of its own records matched, beyond what these numbers of keys suggest."
        )

    def _least(self) -> str:
        return f"when fewer than {self.minimum_count:,} do, it learns only that"

    def _seen(self, sender: Side, padding: str = "") -> str:
        passed = f" It passes the result on to {', '.join(self.report_to)}." if self.report_to else ""
        return receiver_sees(sender, padding) + passed
