"""What an agreement says: who compares what with whom, what it reveals, and for how long.

The classes mirror `proto/v1/agreement.proto` field by field and are valid once they exist: their constructors
raise `AgreementError` with the path of the wrong field.
"""

from dataclasses import dataclass
from enum import StrEnum

from blindmatch.protocol.agreement import checks
from blindmatch.protocol.errors import AgreementError
from blindmatch.protocol.limits import DIGEST_BYTES, LIMITS

FORMAT = 1
"""The format of agreements that this version reads and writes."""

SUITE = "ristretto255-SHA512"
"""RFC 9497 4.1: the only suite."""

MARKINGS = ("OFFICIAL", "OFFICIAL-SENSITIVE", "SECRET", "TOP SECRET")
"""Government security classifications, lowest first."""

KINDS = ("subjects", "suppliers", "bidders")
CALENDARS = ("once", "on-demand", "weekly", "monthly")
HANDLING_CODES = ("P", "C")
"""3x5x2 grading: P may be shared, C may be shared with conditions."""

NONCE_BYTES = 16
IDENTITY_KEY_BYTES = 32
EDGE_CHARACTERS = 64


def within_marking(marking: str, highest: str) -> bool:
    """Whether a collection with `marking` may enter where `highest` is the cap. An unknown marking may not."""
    return marking in MARKINGS and MARKINGS.index(marking) <= MARKINGS.index(highest)


class Disclosure(StrEnum):
    """What an edge reveals to its receiver."""

    HITS = "hits"
    HITS_FACTS = "hits+facts"


@dataclass(frozen=True)
class Party:
    """One agency's own entry: who it is, by which keys it is known, and on what legal ground it takes part."""

    agency: str
    name: str
    role: str
    identity_key: bytes
    """Ed25519 public key, 32 bytes: signs agreements, commitments and receipts."""
    certificate_key: bytes
    """SHA-256 of the TLS certificate's SubjectPublicKeyInfo, 32 bytes."""
    legal_basis: str
    contact: str = ""

    def __post_init__(self) -> None:
        checks.identifier("agency", self.agency)
        checks.text("name", self.name, longest=200)
        checks.identifier("role", self.role)
        checks.octets("identity_key", self.identity_key, IDENTITY_KEY_BYTES)
        checks.octets("certificate_key", self.certificate_key, DIGEST_BYTES)
        checks.text("legal_basis", self.legal_basis)
        checks.text("contact", self.contact, longest=400, optional=True)


@dataclass(frozen=True)
class Side:
    """What one side of an edge brings: whose collection, of which kind, at most how large."""

    agency: str
    collection_kind: str
    max_records: int
    tokens_per_record: int
    """The most per record. Every record is padded to one number, so that sizes show the number of records only."""

    def __post_init__(self) -> None:
        checks.identifier("agency", self.agency)
        checks.one_of("collection_kind", self.collection_kind, KINDS)
        checks.whole("max_records", self.max_records, 1, LIMITS.records)
        checks.whole("tokens_per_record", self.tokens_per_record, 1, LIMITS.tokens_per_record)
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
        checks.share("overlap", self.overlap)
        checks.share("false_leads", self.false_leads)
        checks.whole("budget", self.budget, 1, LIMITS.keys)
        checks.flag("missing", self.missing)


@dataclass(frozen=True)
class Edge:
    """One directed comparison: this receiver learns this disclosure from that sender."""

    id: str
    receiver: Side
    sender: Side
    disclosure: Disclosure
    verified: bool = False
    """VOPRF: the sender proves with every chunk that it used one key throughout."""
    facts: tuple[str, ...] = ()
    fact_bytes: int = 0
    """Bytes of the padded fact payload that travels with one hit; 0 for `hits`."""
    minimum_count: int = 0
    leakage: str = ""
    """What each side learns, in the words that the parties sign."""
    linkage: Linkage = Linkage()

    def __post_init__(self) -> None:
        checks.identifier("id", self.id, longest=EDGE_CHARACTERS)
        if self.receiver.agency == self.sender.agency:
            raise AgreementError("sender.agency", "is the receiver itself; an edge joins two agencies")
        checks.one_of("disclosure", self.disclosure, tuple(Disclosure))
        object.__setattr__(self, "disclosure", Disclosure(self.disclosure))
        checks.flag("verified", self.verified)
        self._check_facts()
        if self.minimum_count != 0 or isinstance(self.minimum_count, bool):
            raise AgreementError("minimum_count", f"must be 0 for {self.disclosure.value}: it is for counts")
        checks.text("leakage", self.leakage)
        if not isinstance(self.linkage, Linkage):
            raise AgreementError("linkage", "is missing")

    def _check_facts(self) -> None:
        if self.disclosure is Disclosure.HITS:
            if self.facts != ():
                raise AgreementError("facts", "must be empty: this edge discloses hits only")
            checks.whole("fact_bytes", self.fact_bytes, 0, 0)
            return
        checks.several("facts", self.facts, 1, 64)
        for index, name in enumerate(self.facts):
            checks.fact_name(f"facts[{index}]", name)
        checks.distinct("facts", self.facts)
        checks.whole("fact_bytes", self.fact_bytes, 1, LIMITS.fact_bytes)

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
class Agreement:
    """Everything that the parties agree on. Times are seconds since 1970, UTC."""

    title: str
    purpose: str
    parties: tuple[Party, ...]
    schema: str
    schema_digest: bytes
    edges: tuple[Edge, ...]
    marking: str
    """The highest marking of any collection that may enter."""
    handling_codes: tuple[str, ...]
    """Graded records with another code stay out."""
    not_before: int
    expires: int
    rounds_budget: int
    """How many rounds may be run over each edge."""
    calendar: str
    retention_days: int
    nonce: bytes
    """16 random bytes: two agreements never share an id."""
    collector: str = ""
    suite: str = SUITE
    format: int = FORMAT

    def __post_init__(self) -> None:
        checks.whole("format", self.format, FORMAT, FORMAT)
        checks.text("title", self.title, longest=200)
        checks.text("purpose", self.purpose)
        self._check_parties()
        checks.one_of("suite", self.suite, (SUITE,))
        checks.identifier("schema", self.schema)
        checks.octets("schema_digest", self.schema_digest, DIGEST_BYTES)
        self._check_edges()
        self._check_terms()

    def _check_parties(self) -> None:
        checks.several("parties", self.parties, 2, LIMITS.parties)
        checks.distinct("parties", (party.agency for party in self.parties), "agency")
        # One key for two agencies would let one sign, or answer, for the other.
        checks.distinct("parties", (party.identity_key for party in self.parties), "identity_key")
        checks.distinct("parties", (party.certificate_key for party in self.parties), "certificate_key")
        if self.collector != "":
            checks.identifier("collector", self.collector)  # before it stands in a message
        if self.collector and self.collector not in self.agencies:
            raise AgreementError("collector", f"{self.collector} is not one of the parties")

    def _check_edges(self) -> None:
        checks.several("edges", self.edges, 1, LIMITS.edges)
        checks.distinct("edges", (edge.id for edge in self.edges), "id")
        for index, edge in enumerate(self.edges):
            for name, side in (("receiver", edge.receiver), ("sender", edge.sender)):
                if side.agency not in self.agencies:
                    raise AgreementError(
                        f"edges[{index}].{name}.agency",
                        f"{side.agency} is not one of the parties",
                        hint="Add it to the parties, or correct the edge.",
                    )
        # The same comparison twice would double the budget that people read.
        pairs = (
            (e.receiver.agency, e.receiver.collection_kind, e.sender.agency, e.sender.collection_kind)
            for e in self.edges
        )
        checks.distinct("edges", pairs)

    def _check_terms(self) -> None:
        checks.one_of("marking", self.marking, MARKINGS)
        checks.several("handling_codes", self.handling_codes, 1, len(HANDLING_CODES))
        for index, code in enumerate(self.handling_codes):
            checks.one_of(f"handling_codes[{index}]", code, HANDLING_CODES)
        checks.distinct("handling_codes", self.handling_codes)
        checks.whole("not_before", self.not_before, 0, checks.LAST_SECOND)
        checks.whole("expires", self.expires, 0, checks.LAST_SECOND)
        if self.expires <= self.not_before:
            raise AgreementError("expires", "is not after not_before")
        checks.whole("rounds_budget", self.rounds_budget, 1, LIMITS.rounds)
        checks.one_of("calendar", self.calendar, CALENDARS)
        if self.calendar == "once" and self.rounds_budget != 1:
            raise AgreementError("rounds_budget", "must be 1, since the calendar says once")
        checks.whole("retention_days", self.retention_days, 1, LIMITS.retention_days)
        checks.octets("nonce", self.nonce, NONCE_BYTES)

    @property
    def agencies(self) -> tuple[str, ...]:
        """The ids of all parties, in the agreement's order."""
        return tuple(party.agency for party in self.parties)

    def party(self, agency: str) -> Party:
        """The entry of one agency.

        Raises:
            AgreementError: it is not a party.
        """
        for party in self.parties:
            if party.agency == agency:
                return party
        raise AgreementError("parties", f"{agency} is not one of the parties")

    def edge(self, edge_id: str) -> Edge:
        """One edge by its id.

        Raises:
            AgreementError: no such edge.
        """
        for edge in self.edges:
            if edge.id == edge_id:
                return edge
        raise AgreementError(
            "edges", f"there is no edge {edge_id}", hint="Edges: " + ", ".join(edge.id for edge in self.edges)
        )

    def edges_received_by(self, agency: str) -> tuple[Edge, ...]:
        """The edges on which `agency` learns something."""
        return tuple(edge for edge in self.edges if edge.receiver.agency == agency)
