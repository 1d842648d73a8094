"""What one side contributes to a comparison, and what a comparison's match keys are compiled for.

Values are valid once they exist: constructors raise `AgreementError` with the path of the wrong field.
"""

from dataclasses import dataclass

from blindmatch.protocol.agreement import validation
from blindmatch.protocol.errors import AgreementError
from blindmatch.protocol.limits import LIMITS

KINDS = ("subjects", "suppliers", "bidders")

EDGE_CHARACTERS = 64
"""The longest id of an edge or a threshold."""


@dataclass(frozen=True)
class Side:
    """What one side of an edge brings: whose collection, of which kind, at most how large."""

    agency: str
    collection_kind: str
    max_records: int
    tokens_per_record: int
    """The most per record. Every record is padded to one number, so that sizes show the number of records only."""

    def __post_init__(self) -> None:
        validation.identifier("agency", self.agency)
        validation.one_of("collection_kind", self.collection_kind, KINDS)
        validation.whole("max_records", self.max_records, 1, LIMITS.records)
        validation.whole("tokens_per_record", self.tokens_per_record, 1, LIMITS.tokens_per_record)
        if self.max_elements > LIMITS.elements:
            raise AgreementError(
                "max_records",
                f"times {self.tokens_per_record} tokens is {self.max_elements} elements; {LIMITS.elements} are allowed",
            )

    @property
    def max_elements(self) -> int:
        """The most elements that this side may bring."""
        return self.max_records * self.tokens_per_record


@dataclass(frozen=True)
class Linkage:
    """What a round's match keys are compiled for, besides both lists' sizes and rates.

    Shares are whole millionths: what is signed must be the same number for everybody.
    """

    overlap: float = 0.05
    """Expected common records as a share of the shorter list; 5% or less unless it is known."""
    false_leads: float = 0.01
    """Expected false leads as a share of all leads: keys that are less specific are not used."""
    budget: int = 80
    """The most keys; those that add most to the recall are used."""
    missing: bool = True
    """Whether keys may be used that fit records with a missing field."""

    def __post_init__(self) -> None:
        validation.share("overlap", self.overlap)
        validation.share("false_leads", self.false_leads)
        validation.whole("budget", self.budget, 1, LIMITS.keys)
        validation.flag("missing", self.missing)


USUAL_LINKAGE = Linkage()
"""What an agreement compiles its match keys for unless it says otherwise."""
