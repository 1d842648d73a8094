"""An edge: one directed comparison between two agencies."""

from dataclasses import dataclass

from blindmatch.protocol.agreement import validation
from blindmatch.protocol.agreement.disclosures import Disclosure, EdgeTerms
from blindmatch.protocol.agreement.sides import EDGE_CHARACTERS, USUAL_LINKAGE, Linkage, Side
from blindmatch.protocol.errors import AgreementError


@dataclass(frozen=True)
class Edge:
    """One directed comparison: this receiver learns this disclosure from that sender.

    Raises:
        AgreementError: names the wrong field.
    """

    id: str
    receiver: Side
    sender: Side
    terms: EdgeTerms
    """The disclosure, with the fields that belong to it."""
    leakage: str = ""
    """What each side learns, in the words that the parties sign."""
    linkage: Linkage = USUAL_LINKAGE

    def __post_init__(self) -> None:
        validation.identifier("id", self.id, longest=EDGE_CHARACTERS)
        if self.receiver.agency == self.sender.agency:
            raise AgreementError("sender.agency", "is the receiver itself; an edge joins two agencies")
        if not isinstance(self.terms, EdgeTerms):
            raise AgreementError("disclosure", "is missing")
        for index, agency in enumerate(self.terms.report_to):
            if agency in (self.receiver.agency, self.sender.agency):
                raise AgreementError(
                    f"report_to[{index}]", f"{agency} is the receiver or the sender of this edge"
                )
        validation.text("leakage", self.leakage)
        if not isinstance(self.linkage, Linkage):
            raise AgreementError("linkage", "is missing")

    @property
    def disclosure(self) -> Disclosure:
        """What the receiver learns."""
        return self.terms.disclosure

    @property
    def agencies(self) -> tuple[str, str]:
        """The ids of the receiver and the sender."""
        return self.receiver.agency, self.sender.agency

    def side(self, agency: str) -> Side:
        """What `agency` contributes.

        Raises:
            AgreementError: the agency is neither the receiver nor the sender.
        """
        for side in (self.receiver, self.sender):
            if side.agency == agency:
                return side
        raise AgreementError("edges", f"{agency} is on neither side of {self.id}")

    def receiver_learns(self) -> str:
        """What the receiver learns, in a few sentences."""
        return self.terms.receiver_learns(self.receiver, self.sender)

    def sender_learns(self) -> str:
        """What the sender learns, in a few sentences."""
        return self.terms.sender_learns(self.receiver, self.sender)
