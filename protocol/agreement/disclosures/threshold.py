"""Threshold: what at least so many of several members hold, computed with the agreement's collector."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from blindmatch.protocol.agreement.disclosures.aggregate import LEAST_MINIMUM
from blindmatch.protocol.agreement.disclosures.interface import Disclosure
from blindmatch.protocol.agreement.field_types import Identifier, Nested, Several, Text, Whole, check_fields
from blindmatch.protocol.agreement.sides import (
    EDGE_CHARACTERS,
    LEAKAGE_HELP,
    LINKAGE_HELP,
    USUAL_LINKAGE,
    Comparison,
    Linkage,
    Side,
)
from blindmatch.protocol.limits import LIMITS

MEMBERS = 10
"""The most agencies in one threshold: the collector tries every choice of `at_least` among them."""


@dataclass(frozen=True)
class Threshold(Comparison):
    """A comparison among several members: the match keys that at least `at_least` of them hold.

    Raises:
        AgreementError: names the wrong field.
    """

    section: ClassVar[str] = "thresholds"
    not_a_side: ClassVar[str] = "is not a member of"
    disclosure: ClassVar[Disclosure] = Disclosure.THRESHOLD

    id: Annotated[
        str, Identifier(EDGE_CHARACTERS), "The threshold's name in `round` and in `sign --collection`."
    ]
    members: Annotated[
        tuple[Side, ...],
        Several(Nested(Side), 2, MEMBERS, key="agency"),
        "The agencies whose collections are compared; each as a side of an edge.",
    ]
    at_least: Annotated[
        int,
        Whole(2, MEMBERS),
        "How many of the members must hold a match key. At most the number of members.",
    ]
    minimum_count: Annotated[
        int,
        Whole(1, LIMITS.records),
        "With fewer shared match keys than this, no party learns any.",
    ] = LEAST_MINIMUM
    band: Annotated[
        int,
        Whole(1, LIMITS.records),
        "The collector's number of shared match keys is disclosed in steps of this.",
    ] = 1
    leakage: Annotated[str, Text(), LEAKAGE_HELP] = ""
    linkage: Annotated[
        Linkage,
        Nested(Linkage),
        f"{LINKAGE_HELP} Keys for records with a missing field are not used.",
    ] = USUAL_LINKAGE

    def __post_init__(self) -> None:
        check_fields(self)
        Whole(2, len(self.members)).check("at_least", self.at_least)

    @property
    def sides(self) -> Mapping[str, Side]:
        return {f"members[{place}]": side for place, side in enumerate(self.members)}

    def member_learns(self) -> str:
        """What each member of a threshold learns."""
        others = len(self.members) - 1
        holders = (
            "all the others"
            if self.at_least > others
            else f"at least {self.at_least - 1} of the others, but not of which others"
        )
        return (
            f"Each of {', '.join(self.agencies)} learns which of its own records share a match key with records of "
            f"{holders}. If fewer than {self.minimum_count:,} match keys are shared so widely, no member learns any. Each "
            "member also learns how many records each of the others compared, their rates, and when. A match key can be "
            "tried only as the key of a record that a member contributes. The records are fixed before the member learns "
            "anything, and a key can be tried only while all the other members take part."
        )

    def collector_learns(self, collector: str) -> str:
        """What the collector learns."""
        steps = "" if self.band == 1 else f", rounded down to a multiple of {self.band:,}"
        words = (
            f"{collector} collects. For every match key that at least {self.at_least} of the members hold, its node "
            "learns which members hold it, but not whose key it is. Its officers learn how many such match keys there "
            f"are{steps}, or that there are fewer than {self.minimum_count:,}. Of a match key that fewer members hold, "
            "its node learns neither the key nor who holds it. It can estimate how many different match keys the members "
            "that share such a key hold together."
        )
        if collector in self.agencies:
            return (
                f"{words} Being a member, its node could also work out which of the other members hold a match key of its "
                "own records, however few they are."
            )
        return (
            f"{words} This holds as long as no member helps it: together with a member, it could work out which of the "
            "other members hold a match key of that member's records, however few they are."
        )
