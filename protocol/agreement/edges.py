"""An edge: one directed comparison between two agencies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from blindmatch.protocol.agreement.disclosures.interface import Disclosure, EdgeTerms
from blindmatch.protocol.agreement.field_types import Identifier, Nested, Text, check_fields
from blindmatch.protocol.agreement.sides import (
    EDGE_CHARACTERS,
    LEAKAGE_HELP,
    LINKAGE_HELP,
    USUAL_LINKAGE,
    Comparison,
    Linkage,
    Side,
)
from blindmatch.protocol.errors import AgreementError


@dataclass(frozen=True)
class Edge(Comparison):
    """One directed comparison: this receiver learns this disclosure from that sender.

    Raises:
        AgreementError: names the wrong field.
    """

    section: ClassVar[str] = "edges"
    not_a_side: ClassVar[str] = "is on neither side of"

    id: Annotated[
        str,
        Identifier(EDGE_CHARACTERS),
        "The edge's name in `round` and in `sign --collection`. When it is left out, it is generated from the agencies.",
    ]
    receiver: Annotated[Side, Nested(Side), "The side that learns."]
    sender: Annotated[Side, Nested(Side), "The side from which the receiver learns."]
    terms: EdgeTerms
    """The disclosure, with the fields that belong to it."""
    leakage: Annotated[str, Text(), LEAKAGE_HELP] = ""
    linkage: Annotated[Linkage, Nested(Linkage), LINKAGE_HELP] = USUAL_LINKAGE

    def __post_init__(self) -> None:
        if not isinstance(self.terms, EdgeTerms):
            raise AgreementError("disclosure", "is missing")
        check_fields(self)
        if self.receiver.agency == self.sender.agency:
            raise AgreementError("sender.agency", "is the receiver itself; an edge joins two agencies")
        for index, agency in enumerate(self.terms.report_to):
            if agency in self.agencies:
                raise AgreementError(
                    f"report_to[{index}]", f"{agency} is the receiver or the sender of this edge"
                )

    @property
    def disclosure(self) -> Disclosure:
        """What the receiver learns."""
        return self.terms.disclosure

    @property
    def sides(self) -> Mapping[str, Side]:
        return {"receiver": self.receiver, "sender": self.sender}

    def receiver_learns(self) -> str:
        """What the receiver learns, in a few sentences."""
        return self.terms.receiver_learns(self.receiver, self.sender)

    def sender_learns(self) -> str:
        """What the sender learns, in a few sentences."""
        return self.terms.sender_learns(self.receiver, self.sender)
