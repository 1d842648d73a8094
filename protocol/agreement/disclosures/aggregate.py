"""What a count and a sum have in common: a minimum, a band, and who else receives the result."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from blindmatch.protocol.agreement.disclosures.interface import EdgeTerms, receiver_sees, sender_sees
from blindmatch.protocol.agreement.field_types import Identifier, Several, Whole
from blindmatch.protocol.agreement.sides import Side
from blindmatch.protocol.limits import LIMITS

LEAST_MINIMUM = 3
"""The smallest minimum of a count or a sum: a result about one or two records is a result about them."""


@dataclass(frozen=True, kw_only=True)
class Aggregate(EdgeTerms):
    """One number about the records that match."""

    discloses_number: ClassVar[bool] = True

    minimum_count: Annotated[
        int,
        Whole(LEAST_MINIMUM, LIMITS.records),
        "With fewer matching records than this, the receiver learns only that there are fewer. A result about one or "
        "two people is a result about them.",
    ] = 5
    band: Annotated[
        int,
        Whole(1, LIMITS.sum_total),
        "The steps in which the number is disclosed; 1: exactly.",
    ] = 1
    report_to: Annotated[
        tuple[str, ...],
        Several(Identifier(), 0, LIMITS.parties),
        "Agencies to which the receiver passes the result on. They are parties, and not on the edge.",
    ] = ()

    def _sender(self, receiver: Side, sender: Side, counted: str, repetition: str = "") -> str:
        return (
            f"{sender_sees(receiver, sender, repetition)} Its node counts the matches, so that it can withhold a result "
            f"below the minimum. It learns how many {counted} match and how many match keys agreed for each. Beyond what "
            "these numbers of match keys suggest, it learns neither who they are nor which of its own records matched."
        )

    def _limits(self, counted: str, unknown: str) -> str:
        """What the minimum and the form of the result keep from the receiver."""
        return (
            f"If fewer than {self.minimum_count:,} {counted} match, it learns only that. "
            f"It does not learn which of them match{unknown}."
        )

    def _seen(self, sender: Side, padding: str = "") -> str:
        reported = f" It passes the result on to {', '.join(self.report_to)}." if self.report_to else ""
        return receiver_sees(sender, padding) + reported
