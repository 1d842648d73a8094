"""Hits: the receiver learns which of its own records match, with or without facts of the sender's records."""

from dataclasses import dataclass
from typing import ClassVar

from blindmatch.protocol.agreement import validation
from blindmatch.protocol.agreement.disclosures.base import (
    Disclosure,
    EdgeTerms,
    matching,
    receiver_sees,
    sender_sees,
)
from blindmatch.protocol.agreement.sides import Side
from blindmatch.protocol.limits import LIMITS


@dataclass(frozen=True, kw_only=True)
class Hits(EdgeTerms):
    """Which records match."""

    disclosure: ClassVar[Disclosure] = Disclosure.HITS
    lists_hits: ClassVar[bool] = True

    verified: bool = False

    def __post_init__(self) -> None:
        validation.flag("verified", self.verified)

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

    facts: tuple[str, ...] = ()
    fact_bytes: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        validation.several("facts", self.facts, 1, 64)
        for index, name in enumerate(self.facts):
            validation.fact_name(f"facts[{index}]", name)
        validation.distinct("facts", self.facts)
        validation.whole("fact_bytes", self.fact_bytes, 1, LIMITS.fact_bytes)

    def _learns(self, receiver: Side, sender: Side) -> str:
        return (
            f"{super()._learns(receiver, sender)}; for each match it also receives these facts: "
            f"{', '.join(self.facts)}"
        )
