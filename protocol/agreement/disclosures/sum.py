"""PSI-sum: the receiver learns the sum of a fact over the sender's matching records."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from blindmatch.protocol.agreement.disclosures.aggregate import Aggregate
from blindmatch.protocol.agreement.disclosures.interface import Disclosure
from blindmatch.protocol.agreement.field_types import FactName, Whole
from blindmatch.protocol.agreement.sides import Side
from blindmatch.protocol.limits import LIMITS


@dataclass(frozen=True, kw_only=True)
class Sum(Aggregate):
    """The sum of a fact over the records that match."""

    disclosure: ClassVar[Disclosure] = Disclosure.SUM
    summary: ClassVar[str] = "the total of a fact over the sender's matching records"
    groups_sender: ClassVar[bool] = True
    reads_values: ClassVar[bool] = True

    value: Annotated[str, FactName(), "The sender's fact that is added up, as its import names it."] = ""
    decimals: Annotated[int, Whole(0, 4), "How many digits after the decimal point of a value count."] = 0

    band: Annotated[
        int,
        Whole(1, LIMITS.sum_total),
        "Every value is rounded to a multiple of this before it is added, in its smallest unit: 100000 with two decimals "
        "is 1,000 pounds. 1 adds exactly; one unusual value can then be recognised in the sum.",
    ] = 1

    @property
    def subject(self) -> str:
        """See `EdgeTerms`."""
        return self.value

    def receiver_learns(self, receiver: Side, sender: Side) -> str:
        """See `EdgeTerms`."""
        unit = f"{self.band / 10**self.decimals:,.{self.decimals}f}"
        rounded = "" if self.band == 1 else f", each rounded to a multiple of {unit},"
        padding = (
            ", to how many match keys each was padded, how often one match key occurs among them at most (rounded up to "
            "a power of two),"
        )
        return (
            f"{receiver.agency} learns the sum of {self.value}{rounded} over those {sender.collection_kind} of "
            f"{sender.agency} that match one of its own {receiver.collection_kind}. "
            f"{self._limits(sender.collection_kind, ' or how many')} {self._seen(sender, padding)}"
        )

    def sender_learns(self, receiver: Side, sender: Side) -> str:
        """See `EdgeTerms`."""
        return self._sender(receiver, sender, f"of its {sender.collection_kind}")
