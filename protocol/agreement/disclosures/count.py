"""PSI-cardinality: the receiver learns how many of its own records match."""

from dataclasses import dataclass
from typing import ClassVar

from blindmatch.protocol.agreement.disclosures.aggregate import Aggregate
from blindmatch.protocol.agreement.disclosures.base import Disclosure, matching
from blindmatch.protocol.agreement.sides import Side


@dataclass(frozen=True, kw_only=True)
class Count(Aggregate):
    """How many records match."""

    disclosure: ClassVar[Disclosure] = Disclosure.COUNT

    def receiver_learns(self, receiver: Side, sender: Side) -> str:
        """See `EdgeTerms`."""
        steps = "" if self.band == 1 else f", to the nearest {self.band:,} below"
        return (
            f"{receiver.agency} learns how many of its own {matching(receiver, sender)}{steps}; {self._least()}. "
            f"It does not learn which. {self._seen(sender)}"
        )

    def sender_learns(self, receiver: Side, sender: Side) -> str:
        """See `EdgeTerms`."""
        return self._sender(
            receiver,
            sender,
            receiver.collection_kind,
            "how often a match key occurs among them at most (to a power of two), ",
        )
