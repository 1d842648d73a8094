"""Threshold: what at least so many of several members hold, computed with the agreement's collector."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from blindmatch.protocol.agreement import validation
from blindmatch.protocol.agreement.disclosures.aggregate import LEAST_MINIMUM
from blindmatch.protocol.agreement.disclosures.base import Disclosure
from blindmatch.protocol.agreement.field_types import Identifier, Nested, Several, Text, Whole, check_fields
from blindmatch.protocol.agreement.sides import (
    EDGE_CHARACTERS,
    LEAKAGE_HELP,
    LINKAGE_HELP,
    USUAL_LINKAGE,
    Linkage,
    Side,
)
from blindmatch.protocol.errors import AgreementError
from blindmatch.protocol.limits import LIMITS

MEMBERS = 10
"""The most agencies in one threshold: the collector tries every choice of `at_least` among them."""


@dataclass(frozen=True)
class Threshold:
    """A comparison among several members: the match keys that at least `at_least` of them hold.

    Raises:
        AgreementError: names the wrong field.
    """

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
        validation.whole("at_least", self.at_least, 2, len(self.members))

    @property
    def agencies(self) -> tuple[str, ...]:
        """The members' ids."""
        return tuple(side.agency for side in self.members)

    def side(self, agency: str) -> Side:
        """What `agency` contributes.

        Raises:
            AgreementError: the agency is not a member.
        """
        for side in self.members:
            if side.agency == agency:
                return side
        raise AgreementError("thresholds", f"{agency} is not a member of {self.id}")

    def member_learns(self) -> str:
        """What each member of a threshold gets to know."""
        others = len(self.members) - 1
        who = (
            "with records of all the others"
            if self.at_least > others
            else f"with records of at least {self.at_least - 1} of the others, not of which"
        )
        return (
            f"Each of {', '.join(self.agencies)} learns which of its own records share a match key {who}; when fewer "
            f"than {self.minimum_count:,} keys are shared so widely, nobody learns any. It sees how many records each "
            "of the others compared, their rates, and when. A key can be tried only as that of a record that a member "
            "brings, fixed before it learns anything, and only while all the others take part."
        )

    def collector_learns(self, collector: str) -> str:
        """What the collector gets to know."""
        told = (
            f"{collector} collects: its node learns, for every match key that at least {self.at_least} of them hold, "
            "which of them hold it, and not whose it is; its officers are told how many there are"
            + ("" if self.band == 1 else f", to the nearest {self.band:,} below")
            + f", or that there are fewer than {self.minimum_count:,}. Of a match key that fewer of them hold it learns "
            "neither the key nor who holds it; it can estimate how many different keys those who share one hold together."
        )
        if collector in self.agencies:
            return (
                f"{told} Being one of them, its node could also work out which of the others hold a match key of its own "
                "records, however few they are."
            )
        return (
            f"{told} This holds as long as none of them helps it: together with one of them it could work out which of the "
            "others hold a match key of that one's records, however few they are."
        )
