"""What every disclosure of an edge answers: the interface that the rest of the program asks instead of comparing names."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Self

from blindmatch.protocol.agreement.field_types import check_fields
from blindmatch.protocol.agreement.sides import Side
from blindmatch.protocol.errors import LocalError

if TYPE_CHECKING:
    from blindmatch.protocol.agreement.edges import Edge


class Disclosure(StrEnum):
    """What a comparison reveals."""

    HITS = "hits"
    HITS_FACTS = "hits+facts"
    COUNT = "count"
    SUM = "sum"
    THRESHOLD = "threshold"  # across several parties; no edge discloses it


@dataclass(frozen=True, kw_only=True)
class EdgeTerms(ABC):
    """The terms of an edge that belong to its disclosure. A subclass declares its fields and checks them.

    Raises:
        AgreementError: names the wrong field.
    """

    disclosure: ClassVar[Disclosure]
    summary: ClassVar[str]
    """What the receiver learns, in half a sentence for the officer who drafts."""
    lists_hits: ClassVar[bool] = False
    """Whether the receiver learns which of its records match."""
    sends_facts: ClassVar[bool] = False
    """Whether facts of the sender's records travel with each hit."""
    discloses_number: ClassVar[bool] = False
    """Whether the receiver learns one number."""
    groups_sender: ClassVar[bool] = False
    """Whether the sender's elements come in groups, and the receiver's are distinct. Otherwise it is the reverse."""
    reads_values: ClassVar[bool] = False
    """Whether the sender's records must hold a fact with a number in it."""

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def verified(self) -> bool:
        """Whether the sender proves with every chunk that it used one key throughout (VOPRF)."""
        return False

    @property
    def facts(self) -> tuple[str, ...]:
        """The sender's facts that travel with each hit."""
        return ()

    @property
    def fact_bytes(self) -> int:
        """Bytes of the padded facts of one hit; 0 when no facts travel."""
        return 0

    @property
    def report_to(self) -> tuple[str, ...]:
        """Agencies to which the receiver passes the result on."""
        return ()

    @property
    def subject(self) -> str:
        """What distinguishes two edges of this disclosure between the same sides."""
        return ""

    @abstractmethod
    def receiver_learns(self, receiver: Side, sender: Side) -> str:
        """What the receiver learns, in a few sentences."""

    @abstractmethod
    def sender_learns(self, receiver: Side, sender: Side) -> str:
        """What the sender learns, in a few sentences."""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of the fields that an agreement gives for this disclosure."""
        return tuple(each.name for each in fields(cls))

    @classmethod
    def of(cls, edge: "Edge") -> Self:
        """An edge's terms, for code that serves this class of terms only.

        Raises:
            LocalError: the edge discloses something else.
        """
        if not isinstance(edge.terms, cls):
            raise LocalError(
                f"the edge {edge.id} discloses {edge.disclosure.value}; {cls.__name__} was expected"
            )
        return edge.terms


def matching(receiver: Side, sender: Side) -> str:
    """The receiver's records that match, in words."""
    return f"{receiver.collection_kind} match a record among the {sender.collection_kind} of {sender.agency}"


def receiver_sees(sender: Side, padding: str = "") -> str:
    """What the receiver sees of the sender's list, in words."""
    return (
        f"It also learns how many {_compared(sender)}{padding} and the rates of that list. It learns nothing else about "
        f"{sender.collection_kind} that do not match."
    )


def sender_sees(receiver: Side, sender: Side, repetition: str = "") -> str:
    """What the sender sees of the receiver's list, in words."""
    return (
        f"{sender.agency} learns how many {_compared(receiver)}, {repetition}the rates of that list, and when they were "
        "compared."
    )


def _compared(side: Side) -> str:
    return f"{side.collection_kind} {side.agency} compared (at most {side.max_records:,})"
