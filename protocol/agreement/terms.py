"""The terms of an agreement: its parties, comparisons, limits and duration.

The classes mirror `proto/v1/agreement.proto` field by field and are valid once they exist: their constructors
raise `AgreementError` with the path of the wrong field.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from blindmatch.protocol.agreement import validation
from blindmatch.protocol.agreement.disclosures.threshold import Threshold
from blindmatch.protocol.agreement.edges import Edge
from blindmatch.protocol.agreement.field_types import (
    Identifier,
    Moment,
    Nested,
    Octets,
    OneOf,
    Several,
    Text,
    Whole,
    check_fields,
)
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
    """Whether a collection with `marking` may enter where `highest` is the highest allowed. An unknown marking may not."""
    return marking in MARKINGS and MARKINGS.index(marking) <= MARKINGS.index(highest)


def _compared(edge: Edge) -> tuple[object, ...]:
    """What no two edges of an agreement have in common."""
    sides = ((side.agency, side.collection_kind) for side in edge.sides.values())
    return (*sides, edge.disclosure, edge.terms.subject)


@dataclass(frozen=True)
class Party:
    """One agency's own entry: its names, its keys, and the legal ground on which it takes part."""

    agency: Annotated[str, Identifier(), "The agency's id, as in its certificate."]
    name: Annotated[str, Text(200), "The agency's name, as people write it."]
    role: Annotated[
        str, Identifier(), "What the agency is: police, council, hmrc, environment-agency, national."
    ]
    identity_key: Annotated[
        bytes,
        Octets(IDENTITY_KEY_BYTES),
        "The Ed25519 public key that signs agreements, commitments and receipts.",
    ]
    certificate_key: Annotated[
        bytes,
        Octets(DIGEST_BYTES),
        "SHA-256 of the TLS certificate's public key (SubjectPublicKeyInfo). The agency's node must present a "
        "certificate with this key.",
    ]
    legal_basis: Annotated[str, Text(), "This party's own lawful basis."]
    contact: Annotated[str, Text(400, optional=True), "Who answers for the agreement."] = ""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Standing:
    """The parties compare again and again: a key serves one epoch, and only what changed travels."""

    epoch_days: Annotated[
        int, Whole(1, LIMITS.epoch_days), "How many days the key of an epoch serves at most."
    ]
    checks_per_day: Annotated[
        int,
        Whole(0, LIMITS.checks_per_day),
        "Single records that one party may compare per edge and day; 0: none.",
    ] = 0

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Everything that the parties agree on. Times are seconds since 1970, UTC."""

    format: Annotated[int, Whole(FORMAT, FORMAT), "The format of the agreement's bytes."] = FORMAT
    title: Annotated[str, Text(200), "The agreement's name."]
    purpose: Annotated[
        str,
        Text(),
        "Why these agencies compare their files, in words that every party signs. State what a lead will be used for, "
        "and that a lead is not an identification: a trained person checks it before anything follows.",
    ]
    parties: Annotated[
        tuple[Party, ...],
        Several(Nested(Party), 2, LIMITS.parties, key="agency"),
        "The agencies that sign. Agencies on an edge are parties without being listed here. List one that only "
        "approves, or one whose entry you write out. No two parties share an identity key or a certificate key.",
    ]
    suite: Annotated[str, OneOf((SUITE,)), "The suite of the OPRF."] = SUITE
    schema: Annotated[
        str,
        Identifier(),
        "The linkage schema, which defines the match keys. Its digest is signed too: all parties compare by the same "
        "keys, or the round stops. `blindmatch linkage explain` and `blindmatch agreement show` list its keys.",
    ]
    schema_digest: Annotated[bytes, Octets(DIGEST_BYTES), "The digest of the schema's fixed part."]
    edges: Annotated[
        tuple[Edge, ...],
        Several(Nested(Edge), 0, LIMITS.edges, key="id"),
        'The edges. Each is one direction: this receiver learns this disclosure from that sender. "Both learn" is two edges. Where '
        "`agency` is a list, the table stands for many edges: every receiver learns from every sender but itself. "
        "Such a table has no `id` and no `leakage`. None are needed where there are thresholds.",
    ]
    marking: Annotated[str, OneOf(MARKINGS), "The highest marking of any collection that may enter."]
    handling_codes: Annotated[
        tuple[str, ...],
        Several(OneOf(HANDLING_CODES), 1, len(HANDLING_CODES)),
        "Graded records with another handling code stay out. P: may be shared; C: may be shared with conditions.",
    ] = HANDLING_CODES[:1]
    not_before: Annotated[int, Moment(), "The moment from which rounds may start."]
    expires: Annotated[int, Moment(), "The moment from which no round may start. It is after `not_before`."]
    rounds_budget: Annotated[
        int,
        Whole(1, LIMITS.rounds),
        "How many rounds may be run over each edge. A round that failed before its first chunk of data is not counted. "
        "1 when `calendar` is once.",
    ]
    calendar: Annotated[str, OneOf(CALENDARS), "How often the parties intend to compare."]
    retention_days: Annotated[
        int, Whole(1, LIMITS.retention_days), "The receiver's node erases leads after this many days."
    ]
    collector: Annotated[
        str,
        Identifier(optional=True),
        "The agency that collects for a threshold; leave it out otherwise. Preferably it is not a "
        "member of the threshold.",
    ] = ""
    nonce: Annotated[bytes, Octets(NONCE_BYTES), "Random bytes: two agreements never share an id."]
    thresholds: Annotated[
        tuple[Threshold, ...],
        Several(Nested(Threshold), 0, LIMITS.thresholds, key="id"),
        "What at least so many of several agencies hold. Each member learns which of its own records are among it, "
        "not who else holds them; the collector learns how many there are. They need a `collector`.",
    ] = ()
    standing: Annotated[
        Standing | None,
        Nested(Standing, optional=True),
        "The parties compare again and again under keys that serve one epoch, and only what changed travels.",
    ] = None

    def __post_init__(self) -> None:
        check_fields(self)
        self._check_agencies()
        self._check_comparisons()
        self._check_terms()

    def _check_agencies(self) -> None:
        # With one key for two agencies, one could sign or answer for the other.
        for key in ("identity_key", "certificate_key"):
            validation.distinct("parties", (getattr(party, key) for party in self.parties), key)
        for path, agency in self._named_agencies():
            if agency not in self.agencies:
                hint = "Add it to the parties, or correct the name."
                raise AgreementError(path, f"{agency} is not one of the parties", hint=hint)

    def _named_agencies(self) -> Iterator[tuple[str, str]]:
        """The agencies that other fields than the parties' entries name, each with the field's path."""
        if self.collector:
            yield "collector", self.collector
        for section in (self.edges, self.thresholds):
            for index, comparison in enumerate(section):
                for side, terms in comparison.sides.items():
                    yield f"{comparison.section}[{index}].{side}.agency", terms.agency
        for index, edge in enumerate(self.edges):
            yield from ((f"edges[{index}].report_to", agency) for agency in edge.terms.report_to)

    def _check_comparisons(self) -> None:
        if not self.comparisons:
            raise AgreementError("edges", f"has 0 entries; between 1 and {LIMITS.edges} are allowed")
        # The same comparison twice would double the stated budget.
        validation.distinct("edges", map(_compared, self.edges))
        ids = {edge.id for edge in self.edges}
        for index, threshold in enumerate(self.thresholds):
            if threshold.id in ids:
                raise AgreementError(
                    f"thresholds[{index}].id", f"{threshold.id} is the id of another comparison"
                )
        if self.thresholds and not self.collector:
            raise AgreementError("collector", "is missing: a threshold needs an agency that collects")

    def _check_terms(self) -> None:
        if self.expires <= self.not_before:
            raise AgreementError("expires", "is not after not_before")
        if self.calendar == "once" and self.rounds_budget != 1:
            raise AgreementError("rounds_budget", "must be 1, since the calendar says once")
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
        """Every edge and every threshold: each has the agreement's whole budget of rounds."""
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

    def path(self, comparison: Edge | Threshold) -> str:
        """The path of an edge or a threshold, such as `edges[2]`."""
        return f"{comparison.section}[{getattr(self, comparison.section).index(comparison)}]"

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
