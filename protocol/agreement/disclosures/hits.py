"""Hits: the receiver learns which of its own records match, with or without facts of the sender's records."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from blindmatch.protocol.agreement.disclosures.interface import (
    Disclosure,
    EdgeTerms,
    matching,
    receiver_sees,
    sender_sees,
)
from blindmatch.protocol.agreement.field_types import FactName, Flag, Several, Whole
from blindmatch.protocol.agreement.sides import Side
from blindmatch.protocol.limits import LIMITS


@dataclass(frozen=True, kw_only=True)
class Hits(EdgeTerms):
    """Which records match."""

    disclosure: ClassVar[Disclosure] = Disclosure.HITS
    lists_hits: ClassVar[bool] = True
    summary: ClassVar[str] = "which of the receiver's own records match, and by which keys"

    verified: Annotated[
        bool,
        Flag(),
        "Whether the sender proves with every chunk that it used one key throughout (VOPRF). It costs more time.",
    ] = False

    def receiver_learns(self, receiver: Side, sender: Side) -> str:
        """See `EdgeTerms`."""
        return f"{self._learns(receiver, sender)}. {receiver_sees(sender)}"

    def sender_learns(self, receiver: Side, sender: Side) -> str:
        """See `EdgeTerms`."""
        return (
            f"{sender_sees(receiver, sender)} It does not learn who they are, which of its own records matched, "
            "or whether any did."
        )

    def _learns(self, receiver: Side, sender: Side) -> str:
        return (
            f"{receiver.agency} learns which of its own {matching(receiver, sender)}, "
            "and which of the match keys agreed"
        )


@dataclass(frozen=True, kw_only=True)
class HitsFacts(Hits):
    """Which records match, and facts of the sender's matching records."""

    disclosure: ClassVar[Disclosure] = Disclosure.HITS_FACTS
    sends_facts: ClassVar[bool] = True
    summary: ClassVar[str] = "also facts of the sender's matching records"

    facts: Annotated[
        tuple[str, ...],
        Several(FactName(), 1, 64),
        "The sender's facts that the receiver gets with each match.",
    ] = ()
    fact_bytes: Annotated[
        int,
        Whole(1, LIMITS.fact_bytes),
        "The size in bytes to which the facts of one match are padded.",
    ] = 256

    def _learns(self, receiver: Side, sender: Side) -> str:
        return (
            f"{super()._learns(receiver, sender)}. For each match it also receives these facts: "
            f"{', '.join(self.facts)}"
        )
