"""What is compared with whom: the directed edges between two agencies, and the thresholds over many.

Values are valid once they exist: constructors raise `AgreementError` with the path of the wrong field.
"""

from dataclasses import dataclass
from enum import StrEnum

from blindmatch.protocol.agreement import validation
from blindmatch.protocol.errors import AgreementError
from blindmatch.protocol.limits import LIMITS

KINDS = ("subjects", "suppliers", "bidders")

EDGE_CHARACTERS = 64

LEAST_MINIMUM = 3
"""The smallest minimum of a count, a sum or a threshold: a result about one or two records is a result about them."""

MEMBERS = 10
"""Agencies in one threshold: the collector tries every choice of `at_least` among them."""


class Disclosure(StrEnum):
    """What a comparison reveals."""

    HITS = "hits"
    HITS_FACTS = "hits+facts"
    COUNT = "count"
    SUM = "sum"
    THRESHOLD = "threshold"  # across several parties; no edge discloses it


LISTING = (Disclosure.HITS, Disclosure.HITS_FACTS)
"""Disclosures that tell the receiver which of its records match."""

NUMBERS = (Disclosure.COUNT, Disclosure.SUM)
"""Disclosures that tell the receiver one number."""


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


@dataclass(frozen=True)
class Edge:
    """One directed comparison: this receiver learns this disclosure from that sender."""

    id: str
    receiver: Side
    sender: Side
    disclosure: Disclosure
    verified: bool = False
    """VOPRF: the sender proves with every chunk that it used one key throughout. For hits."""
    facts: tuple[str, ...] = ()
    fact_bytes: int = 0
    """Bytes of the padded fact payload that travels with one hit; 0 but for `hits+facts`."""
    minimum_count: int = 0
    """`count`, `sum`: fewer matching records than this give no result; 0 for hits."""
    band: int = 0
    """`count`: results are told in steps of this; `sum`: every value is rounded to a multiple of it. 1: exactly. 0 for hits."""
    value: str = ""
    """`sum`: the name of the sender's fact that is added up."""
    decimals: int = 0
    """`sum`: how many digits after the point of a value count."""
    report_to: tuple[str, ...] = ()
    """`count`, `sum`: agencies to which the receiver passes the result on."""
    leakage: str = ""
    """What each side learns, in the words that the parties sign."""
    linkage: Linkage = Linkage()

    def __post_init__(self) -> None:
        validation.identifier("id", self.id, longest=EDGE_CHARACTERS)
        if self.receiver.agency == self.sender.agency:
            raise AgreementError("sender.agency", "is the receiver itself; an edge joins two agencies")
        validation.one_of("disclosure", self.disclosure, tuple(Disclosure))
        object.__setattr__(self, "disclosure", Disclosure(self.disclosure))
        if self.disclosure is Disclosure.THRESHOLD:
            raise AgreementError(
                "disclosure", "is not one of an edge", hint="A threshold stands under [[thresholds]]."
            )
        validation.flag("verified", self.verified)
        self._check_facts()
        self._check_number()
        validation.text("leakage", self.leakage)
        if not isinstance(self.linkage, Linkage):
            raise AgreementError("linkage", "is missing")

    @property
    def listing(self) -> bool:
        """Whether the receiver learns which of its records match."""
        return self.disclosure in LISTING

    def _check_facts(self) -> None:
        if self.disclosure is not Disclosure.HITS_FACTS:
            if self.facts != ():
                raise AgreementError(
                    "facts", f"must be empty: this edge discloses {self.disclosure.value} only"
                )
            validation.whole("fact_bytes", self.fact_bytes, 0, 0)
            return
        validation.several("facts", self.facts, 1, 64)
        for index, name in enumerate(self.facts):
            validation.fact_name(f"facts[{index}]", name)
        validation.distinct("facts", self.facts)
        validation.whole("fact_bytes", self.fact_bytes, 1, LIMITS.fact_bytes)

    def _check_number(self) -> None:
        validation.several("report_to", self.report_to, 0, LIMITS.parties)
        if self.listing:
            for name in ("minimum_count", "band", "decimals"):
                _only(name, getattr(self, name), 0, "for counts and sums")
            _only("value", self.value, "", "for sums")
            _only("report_to", self.report_to, (), "for counts and sums")
            return
        if self.verified:
            raise AgreementError(
                "verified", f"must be false: {self.disclosure.value} has no proof of evaluation"
            )
        validation.whole("minimum_count", self.minimum_count, LEAST_MINIMUM, LIMITS.records)
        validation.whole("band", self.band, 1, LIMITS.sum_total)
        if self.disclosure is Disclosure.SUM:
            validation.fact_name("value", self.value)
            validation.whole("decimals", self.decimals, 0, 4)
        else:
            _only("value", self.value, "", "for sums")
            _only("decimals", self.decimals, 0, "for sums")
        for index, agency in enumerate(self.report_to):
            validation.identifier(f"report_to[{index}]", agency)
            if agency in (self.receiver.agency, self.sender.agency):
                raise AgreementError(f"report_to[{index}]", f"{agency} stands on the edge itself")
        validation.distinct("report_to", self.report_to)

    def side(self, agency: str) -> Side:
        """The side that `agency` brings.

        Raises:
            AgreementError: the agency stands on neither side.
        """
        for side in (self.receiver, self.sender):
            if side.agency == agency:
                return side
        raise AgreementError("edges", f"{agency} is on neither side of {self.id}")


@dataclass(frozen=True)
class Threshold:
    """A comparison of many: what at least `at_least` of its members hold, found with the agreement's collector."""

    id: str
    members: tuple[Side, ...]
    at_least: int
    minimum_count: int = LEAST_MINIMUM
    """Fewer such elements than this, and nobody is told anything."""
    band: int = 1
    """The collector's number of elements is told in steps of this."""
    leakage: str = ""
    linkage: Linkage = Linkage()

    def __post_init__(self) -> None:
        validation.identifier("id", self.id, longest=EDGE_CHARACTERS)
        validation.several("members", self.members, 2, MEMBERS)
        validation.distinct("members", (side.agency for side in self.members), "agency")
        validation.whole("at_least", self.at_least, 2, len(self.members))
        validation.whole("minimum_count", self.minimum_count, 1, LIMITS.records)
        validation.whole("band", self.band, 1, LIMITS.records)
        validation.text("leakage", self.leakage)
        if not isinstance(self.linkage, Linkage):
            raise AgreementError("linkage", "is missing")

    @property
    def agencies(self) -> tuple[str, ...]:
        """The members' ids."""
        return tuple(side.agency for side in self.members)

    def side(self, agency: str) -> Side:
        """The side that `agency` brings.

        Raises:
            AgreementError: the agency is no member.
        """
        for side in self.members:
            if side.agency == agency:
                return side
        raise AgreementError("thresholds", f"{agency} is not a member of {self.id}")


def _only(field: str, value: object, allowed: object, what: str) -> None:
    if value != allowed or isinstance(value, bool):
        raise AgreementError(field, f"must be left out: it is {what}")
