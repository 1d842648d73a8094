"""What edges and thresholds share: the sides that they compare, and what their match keys are compiled for.

Values are valid once they exist: constructors raise `AgreementError` with the path of the wrong field.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from blindmatch.protocol.agreement.field_types import Flag, Identifier, OneOf, Share, Whole, check_fields
from blindmatch.protocol.errors import AgreementError
from blindmatch.protocol.limits import LIMITS

KINDS = ("subjects", "suppliers", "bidders")

EDGE_CHARACTERS = 64
"""The longest id of an edge or a threshold."""

LEAKAGE_HELP = (
    "What each side learns, in words that are signed. When it is left out, the words are generated from the other fields. "
    "`agreement show` always prints the generated words, and these beside them when they differ."
)
LINKAGE_HELP = "What the match keys of a round are compiled for, besides both lists' sizes and rates."


@dataclass(frozen=True)
class Side:
    """Whose collection takes part, of which kind, and at most how large."""

    agency: Annotated[
        str,
        Identifier(),
        "The agency's id, as in its certificate. In an edge it may be a list: every receiver learns from every "
        "sender but itself.",
    ]
    collection_kind: Annotated[str, OneOf(KINDS), "The kind of the collection."]
    max_records: Annotated[
        int,
        Whole(1, LIMITS.records),
        f"The most records that may enter. Records times tokens may be {LIMITS.elements:,} at most.",
    ]
    tokens_per_record: Annotated[
        int,
        Whole(1, LIMITS.tokens_per_record),
        "The most tokens per record; twice the budget leaves room for two names or dates under every key. Every record "
        "is padded to one number of tokens, so that sizes show the number of records only.",
    ]

    def __post_init__(self) -> None:
        check_fields(self)
        if self.max_elements > LIMITS.elements:
            raise AgreementError(
                "max_records",
                f"times {self.tokens_per_record} tokens is {self.max_elements} elements; {LIMITS.elements} are allowed",
            )

    @property
    def max_elements(self) -> int:
        """The most elements that this side may contribute."""
        return self.max_records * self.tokens_per_record


@dataclass(frozen=True)
class Linkage:
    """What a round's match keys are compiled for, besides both lists' sizes and rates."""

    overlap: Annotated[
        float,
        Share(),
        "The expected number of common records, as a share of the shorter list; 0.05 or less unless it is known. "
        "If it is overstated, the keys become too loose.",
    ] = 0.05
    false_leads: Annotated[
        float,
        Share(),
        "The expected number of false leads, as a share of all leads; less specific keys are not used. "
        "0.05 is for clean lists, 0.01 for others.",
    ] = 0.01
    budget: Annotated[
        int,
        Whole(1, LIMITS.keys),
        "The most match keys; those that add most to the recall are used. Fewer keys make a round faster and find less.",
    ] = 80
    missing: Annotated[
        bool,
        Flag(),
        "Whether keys may be used that fit records with a missing field. A side could pretend that a field is missing "
        "to get looser keys.",
    ] = True

    def __post_init__(self) -> None:
        check_fields(self)


USUAL_LINKAGE = Linkage()
"""The default of every edge and threshold."""


class Comparison(ABC):
    """An edge or a threshold: a comparison of the collections of several agencies."""

    section: ClassVar[str]
    """The list of an agreement in which it is."""
    not_a_side: ClassVar[str]
    """What an agency is that takes no part, in words."""

    id: str
    linkage: Linkage

    @property
    @abstractmethod
    def sides(self) -> Mapping[str, Side]:
        """What each agency contributes, by the side's path in the comparison."""

    @property
    def agencies(self) -> tuple[str, ...]:
        """The ids of the agencies whose collections are compared."""
        return tuple(side.agency for side in self.sides.values())

    def side(self, agency: str) -> Side:
        """What `agency` contributes.

        Raises:
            AgreementError: the agency takes no part.
        """
        for side in self.sides.values():
            if side.agency == agency:
                return side
        raise AgreementError(self.section, f"{agency} {self.not_a_side} {self.id}")
