"""What an agreement says: who compares what with whom, what it reveals, and for how long.

The classes mirror `proto/v1/agreement.proto` field by field and are valid once they exist: their constructors
raise `AgreementError` with the path of the wrong field.
"""

from dataclasses import dataclass

from blindmatch.protocol.agreement import validation
from blindmatch.protocol.agreement.disclosures import Threshold
from blindmatch.protocol.agreement.edges import Edge
from blindmatch.protocol.errors import AgreementError
from blindmatch.protocol.limits import DIGEST_BYTES, LIMITS

FORMAT = 1
"""The format of agreements that this version reads and writes."""

SUITE = "ristretto255-SHA512"
"""RFC 9497 4.1: the only suite."""

MARKINGS = ("OFFICIAL", "OFFICIAL-SENSITIVE", "SECRET", "TOP SECRET")
"""Government security classifications, lowest first."""

CALENDARS = ("once", "on-demand", "weekly", "monthly")
HANDLING_CODES = ("P", "C")
"""3x5x2 grading: P may be shared, C may be shared with conditions."""

NONCE_BYTES = 16
IDENTITY_KEY_BYTES = 32


def within_marking(marking: str, highest: str) -> bool:
    """Whether a collection with `marking` may enter where `highest` is the cap. An unknown marking may not."""
    return marking in MARKINGS and MARKINGS.index(marking) <= MARKINGS.index(highest)


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
        validation.identifier("agency", self.agency)
        validation.text("name", self.name, longest=200)
        validation.identifier("role", self.role)
        validation.octets("identity_key", self.identity_key, IDENTITY_KEY_BYTES)
        validation.octets("certificate_key", self.certificate_key, DIGEST_BYTES)
        validation.text("legal_basis", self.legal_basis)
        validation.text("contact", self.contact, longest=400, optional=True)


@dataclass(frozen=True)
class Standing:
    """The parties compare again and again: a key serves one epoch, and only what changed travels."""

    epoch_days: int
    """How long one epoch's key serves at most."""
    checks_per_day: int = 0
    """Single records that one party may compare per edge and day; 0: none."""

    def __post_init__(self) -> None:
        validation.whole("epoch_days", self.epoch_days, 1, LIMITS.epoch_days)
        validation.whole("checks_per_day", self.checks_per_day, 0, LIMITS.checks_per_day)


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
    thresholds: tuple[Threshold, ...] = ()
    standing: Standing | None = None
    suite: str = SUITE
    format: int = FORMAT

    def __post_init__(self) -> None:
        validation.whole("format", self.format, FORMAT, FORMAT)
        validation.text("title", self.title, longest=200)
        validation.text("purpose", self.purpose)
        self._check_parties()
        validation.one_of("suite", self.suite, (SUITE,))
        validation.identifier("schema", self.schema)
        validation.octets("schema_digest", self.schema_digest, DIGEST_BYTES)
        self._check_edges()
        self._check_thresholds()
        self._check_terms()

    def _check_parties(self) -> None:
        validation.several("parties", self.parties, 2, LIMITS.parties)
        validation.distinct("parties", (party.agency for party in self.parties), "agency")
        # One key for two agencies would let one sign, or answer, for the other.
        validation.distinct("parties", (party.identity_key for party in self.parties), "identity_key")
        validation.distinct("parties", (party.certificate_key for party in self.parties), "certificate_key")
        if self.collector != "":
            validation.identifier("collector", self.collector)  # before it stands in a message
        if self.collector and self.collector not in self.agencies:
            raise AgreementError("collector", f"{self.collector} is not one of the parties")

    def _check_edges(self) -> None:
        validation.several("edges", self.edges, 0 if self.thresholds else 1, LIMITS.edges)
        validation.distinct("edges", (edge.id for edge in self.edges), "id")
        for index, edge in enumerate(self.edges):
            for name, side in (("receiver", edge.receiver), ("sender", edge.sender)):
                if side.agency not in self.agencies:
                    raise AgreementError(
                        f"edges[{index}].{name}.agency",
                        f"{side.agency} is not one of the parties",
                        hint="Add it to the parties, or correct the edge.",
                    )
            for name in edge.terms.report_to:
                if name not in self.agencies:
                    raise AgreementError(f"edges[{index}].report_to", f"{name} is not one of the parties")
        # The same comparison twice would double the budget that people read.
        pairs = (
            (
                e.receiver.agency,
                e.receiver.collection_kind,
                e.sender.agency,
                e.sender.collection_kind,
                e.disclosure.value,
                e.terms.subject,
            )
            for e in self.edges
        )
        validation.distinct("edges", pairs)

    def _check_thresholds(self) -> None:
        validation.several("thresholds", self.thresholds, 0, LIMITS.thresholds)
        ids = [edge.id for edge in self.edges]
        for index, threshold in enumerate(self.thresholds):
            path = f"thresholds[{index}]"
            if threshold.id in ids:
                raise AgreementError(f"{path}.id", f"{threshold.id} is the id of another comparison")
            ids.append(threshold.id)
            for place, side in enumerate(threshold.members):
                if side.agency not in self.agencies:
                    raise AgreementError(
                        f"{path}.members[{place}].agency", f"{side.agency} is not one of the parties"
                    )
        if self.thresholds and not self.collector:
            raise AgreementError("collector", "is missing: a threshold needs an agency that collects")

    def _check_terms(self) -> None:
        validation.one_of("marking", self.marking, MARKINGS)
        validation.several("handling_codes", self.handling_codes, 1, len(HANDLING_CODES))
        for index, code in enumerate(self.handling_codes):
            validation.one_of(f"handling_codes[{index}]", code, HANDLING_CODES)
        validation.distinct("handling_codes", self.handling_codes)
        validation.whole("not_before", self.not_before, 0, validation.LAST_SECOND)
        validation.whole("expires", self.expires, 0, validation.LAST_SECOND)
        if self.expires <= self.not_before:
            raise AgreementError("expires", "is not after not_before")
        validation.whole("rounds_budget", self.rounds_budget, 1, LIMITS.rounds)
        validation.one_of("calendar", self.calendar, CALENDARS)
        if self.calendar == "once" and self.rounds_budget != 1:
            raise AgreementError("rounds_budget", "must be 1, since the calendar says once")
        validation.whole("retention_days", self.retention_days, 1, LIMITS.retention_days)
        validation.octets("nonce", self.nonce, NONCE_BYTES)
        if self.standing is not None and not any(edge.terms.lists_hits for edge in self.edges):
            raise AgreementError("standing", "is for edges that disclose hits; there is none")

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

    @property
    def comparisons(self) -> tuple[Edge | Threshold, ...]:
        """Every edge and every threshold: each has the agreement's budget of rounds to itself."""
        return (*self.edges, *self.thresholds)

    def comparison(self, name: str) -> Edge | Threshold:
        """One edge or threshold by its id.

        Raises:
            AgreementError: neither.
        """
        for each in self.comparisons:
            if each.id == name:
                return each
        return self.edge(name)

    def threshold(self, threshold_id: str) -> Threshold:
        """One threshold by its id.

        Raises:
            AgreementError: no such threshold.
        """
        for threshold in self.thresholds:
            if threshold.id == threshold_id:
                return threshold
        raise AgreementError("thresholds", f"there is no threshold {threshold_id}")

    def edges_received_by(self, agency: str) -> tuple[Edge, ...]:
        """The edges on which `agency` learns something."""
        return tuple(edge for edge in self.edges if edge.receiver.agency == agency)
