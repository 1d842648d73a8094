"""A threshold's context, and its messages besides those in `session.messages`. A message object exists only if its form is valid."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from blindmatch.protocol.agreement import Threshold
from blindmatch.protocol.errors import LocalError, PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES, LIMITS, POINT_BYTES, Limits
from blindmatch.protocol.session.chunks import Layout, chunks_of
from blindmatch.protocol.session.messages import ROUND_BYTES, Header
from blindmatch.protocol.session.wire_fields import SPEAKS, Known, Preamble, about
from blindmatch.protocol.threshold.share_tables import CELL_BYTES, TABLES, TableShape
from blindmatch.protocol.transcript import Signed, digest, encode


@dataclass(frozen=True)
class ThresholdContext:
    """What all parties know of one threshold of one round before a byte is exchanged.

    Args:
        agreement: the agreement's id, 32 bytes.
        round_id: 16 random bytes chosen by the collector.
        threshold: its id in the agreement.
        members: agency ids in the agreement's order; the first has the point 1, the second 2, and so on.
        collector: agency id.
        at_least: t, the number of members that must hold an element.
        minimum_count: with fewer shared elements than this, no result is disclosed.
        keys_digest: over the compiled match keys and every statement of rates, 32 bytes.
        elements: each member's number of elements; empty before the rates are exchanged.

    Raises:
        LocalError: a value that no checked agreement can hold.
        PeerError: OVER_LIMIT, when the tables would be too large.
    """

    agreement: bytes
    round_id: bytes
    threshold: str
    members: tuple[str, ...]
    collector: str
    at_least: int
    minimum_count: int
    keys_digest: bytes = bytes(DIGEST_BYTES)
    elements: tuple[int, ...] = ()

    @classmethod
    def of(cls, agreement_id: bytes, terms: Threshold, collector: str, round_id: bytes) -> "ThresholdContext":
        """The context before the rates are exchanged: without keys and elements."""
        return cls(
            agreement_id, round_id, terms.id, terms.agencies, collector, terms.at_least, terms.minimum_count
        )

    def with_keys(self, keys_digest: bytes, elements: Sequence[int]) -> "ThresholdContext":
        """The context after the rates are exchanged."""
        return replace(self, keys_digest=keys_digest, elements=tuple(elements))

    def __post_init__(self) -> None:
        checks = {
            "agreement": len(self.agreement) == DIGEST_BYTES,
            "round_id": len(self.round_id) == ROUND_BYTES,
            "threshold": bool(self.threshold),
            "members": 2 <= len(self.members) <= 10 and len(set(self.members)) == len(self.members),
            "collector": bool(self.collector),
            "at_least": 2 <= self.at_least <= len(self.members),
            "minimum_count": self.minimum_count > 0,
            "keys_digest": len(self.keys_digest) == DIGEST_BYTES,
            "elements": len(self.elements) in (0, len(self.members))
            and all(count > 0 for count in self.elements),
        }
        for name, good in checks.items():
            if not good:
                raise LocalError(
                    f"the threshold cannot run: {name} is wrong", hint="Check the agreement's threshold."
                )
        if self.elements and self.shape.bins > LIMITS.threshold_bins:
            raise PeerError(
                PeerCode.OVER_LIMIT,
                f"the members' lists need {self.shape.bins} bins; {LIMITS.threshold_bins} are allowed",
                hint="Agree on fewer records or tokens per record.",
            )

    @cached_property
    def shape(self) -> TableShape:
        """The shape of all members' tables."""
        return TableShape.of(self.at_least, self.elements)

    @cached_property
    def digest(self) -> bytes:
        """32 bytes over every field: secrets and checkpoints are bound to it."""
        terms = (known.value for known in self.preamble if known is not SPEAKS)
        return digest(encode("blindmatch/threshold/v1", *terms, self.keys_digest, *self.elements))

    @property
    def preamble(self) -> Preamble:
        """What every statement of the threshold begins with."""
        members = [Known(member, about(PeerCode.WRONG_AGENCY, "member")) for member in self.members]
        return (
            SPEAKS,
            Known(self.agreement, about(PeerCode.UNKNOWN_AGREEMENT, "agreement")),
            Known(self.round_id, about(PeerCode.UNKNOWN_ROUND, "round")),
            Known(self.threshold, about(PeerCode.UNKNOWN_ROUND, "threshold")),
            Known(self.collector, about(PeerCode.WRONG_AGENCY, "collector")),
            Known(self.at_least, about(PeerCode.BAD_COMMITMENT, "threshold's number")),
            Known(self.minimum_count, about(PeerCode.BAD_COMMITMENT, "minimum")),
            Known(len(self.members), about(PeerCode.WRONG_AGENCY, "number of members")),
            *members,
        )

    def place(self, member: str) -> int:
        """A member's place among the members, from 0. PeerError: WRONG_AGENCY, when it is not a member."""
        if member not in self.members:
            raise PeerError(PeerCode.WRONG_AGENCY, f"{member} is not a member of this threshold")
        return self.members.index(member)

    def header(self, sequence: int) -> Header:
        """The header of a message of this threshold."""
        return Header(self.round_id, self.threshold, sequence)

    def blinded(self, member: str, limits: Limits) -> Layout:
        """A member's blinded elements, and each other member's evaluations of them."""
        return Layout(self.elements[self.place(member)], POINT_BYTES, limits.chunk_elements)

    def tables(self, limits: Limits) -> Layout:
        """The cells of one member's tables."""
        return Layout(self.shape.cells, CELL_BYTES, max(1, limits.chunk_tag_bytes // CELL_BYTES))

    def outcome(self, limits: Limits) -> Layout:
        """One member's outcome: a row of bits per table, the same size for every result."""
        return Layout(TABLES, self.outcome_bytes, max(1, limits.chunk_tag_bytes // self.outcome_bytes))

    @property
    def outcome_bytes(self) -> int:
        """Bytes that state for each bin of one table whether it is shared."""
        return chunks_of(self.shape.bins, 8)


@dataclass(frozen=True)
class CommittedChunks:
    """A member's signed commitment, and the digest of each of its blinded chunks (chunks x 32 bytes)."""

    statement: Signed
    digests: bytes

    def __post_init__(self) -> None:
        if not self.digests or len(self.digests) % DIGEST_BYTES:
            raise PeerError(PeerCode.BAD_MESSAGE, "chunk digests have 32 bytes each")
