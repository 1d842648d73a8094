"""PSI-cardinality: the receiver learns how many of its own records match."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from blindmatch.protocol.agreement.disclosures.aggregate import Aggregate
from blindmatch.protocol.agreement.disclosures.interface import Disclosure, matching
from blindmatch.protocol.agreement.field_types import Whole
from blindmatch.protocol.agreement.sides import Side
from blindmatch.protocol.limits import LIMITS


@dataclass(frozen=True, kw_only=True)
class Count(Aggregate):
    """How many records match."""

    disclosure: ClassVar[Disclosure] = Disclosure.COUNT
    summary: ClassVar[str] = "how many of the receiver's own records match"

    band: Annotated[
        int,
        Whole(1, LIMITS.sum_total),
        "The count is disclosed in steps of this, rounded down; 1: exactly. Two exact counts of lists that differ in one "
        "person disclose that person: where rounds repeat, use 5 or 10.",
    ] = 1

    def receiver_learns(self, receiver: Side, sender: Side) -> str:
        """See `EdgeTerms`."""
        bands = ""
        if self.band > 1:
            low = -(-self.minimum_count // self.band) * self.band
            bands = f", in bands of {self.band:,} (such as {low:,} to {low + self.band - 1:,})"
        return (
            f"{receiver.agency} learns how many of its own {matching(receiver, sender)}{bands}. "
            f"{self._limits(receiver.collection_kind, '')} {self._seen(sender)}"
        )

    def sender_learns(self, receiver: Side, sender: Side) -> str:
        """See `EdgeTerms`."""
        repetition = "how often one match key occurs among them at most (rounded up to a power of two), "
        return self._sender(receiver, sender, receiver.collection_kind, repetition)
