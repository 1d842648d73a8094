"""An edge's context and its messages. A message object exists only if its form is valid.

Constructors raise `PeerError`; the session checks whether a message fits its round and its state.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

import numpy as np

from blindmatch.protocol.agreement import EDGE_TERMS, Disclosure
from blindmatch.protocol.errors import LocalError, PeerCode, PeerError
from blindmatch.protocol.limits import (
    AEAD_OVERHEAD_BYTES,
    DIGEST_BYTES,
    LIMITS,
    POINT_BYTES,
    PROOF_BYTES,
    PROTOCOL_VERSION,
    SIGNATURE_BYTES,
    TAG_BYTES,
)
from blindmatch.protocol.session.chunks import Bytes2D
from blindmatch.protocol.session.wire_fields import SPEAKS, Known, Preamble, about, size
from blindmatch.protocol.transcript import digest, encode

ROUND_BYTES = 16
RoundId = Annotated[bytes, size(ROUND_BYTES)]
EDGE_CHARACTERS = 64


@dataclass(frozen=True)
class EdgeContext:
    """What both sides know about one edge of one round before a byte is exchanged.

    Args:
        agreement: the agreement's id, 32 bytes.
        round_id: 16 random bytes chosen by the receiver.
        edge: the edge's id in the agreement.
        receiver: agency id of the side that learns the hits.
        sender: agency id of the other side.
        disclosure: the agreed disclosure to the receiver.
        verified: whether each evaluated chunk has a DLEQ proof (VOPRF).
        keys_digest: digest of the compiled match keys, 32 bytes.
        receiver_elements: the largest number of elements that the receiver may have; None: the product's limit.
        sender_elements: the same for the sender.
        fact_bytes: bytes of the padded facts of one hit; 0 exactly when no facts travel.

    Raises:
        LocalError: a value that no checked agreement can hold.
    """

    agreement: bytes
    round_id: bytes
    edge: str
    receiver: str
    sender: str
    disclosure: Disclosure
    verified: bool
    keys_digest: bytes
    receiver_elements: int | None = None
    sender_elements: int | None = None
    fact_bytes: int = 0

    def __post_init__(self) -> None:
        checks = {
            "agreement": len(self.agreement) == DIGEST_BYTES,
            "round_id": len(self.round_id) == ROUND_BYTES,
            "edge": 0 < len(self.edge) <= EDGE_CHARACTERS,
            "receiver": bool(self.receiver),
            "sender": bool(self.sender) and self.sender != self.receiver,
            "disclosure": self.disclosure in EDGE_TERMS,
            "keys_digest": len(self.keys_digest) == DIGEST_BYTES,
            "receiver_elements": self.receiver_elements is None or self.receiver_elements > 0,
            "sender_elements": self.sender_elements is None or self.sender_elements > 0,
            "fact_bytes": (0 < self.fact_bytes <= LIMITS.fact_bytes) == self.with_facts
            and self.fact_bytes >= 0,
        }
        for name, good in checks.items():
            if not good:
                raise LocalError(f"the edge cannot run: {name} is wrong", hint="Check the agreement's edge.")

    @property
    def with_facts(self) -> bool:
        """Whether a sealed payload travels with each tag."""
        terms = EDGE_TERMS.get(self.disclosure)
        return terms is not None and terms.sends_facts

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of the tag table: the tag, and the sealed facts where they travel."""
        return TAG_BYTES + (self.fact_bytes + AEAD_OVERHEAD_BYTES if self.with_facts else 0)

    def header(self, sequence: int) -> "Header":
        """The header of a message of this edge."""
        return Header(self.round_id, self.edge, sequence)

    @property
    def preamble(self) -> Preamble:
        """What every statement of the edge begins with."""
        return (
            SPEAKS,
            Known(self.agreement, about(PeerCode.UNKNOWN_AGREEMENT, "agreement")),
            Known(self.round_id, about(PeerCode.UNKNOWN_ROUND, "round")),
            Known(self.edge, about(PeerCode.UNKNOWN_ROUND, "edge")),
            Known(self.receiver, about(PeerCode.WRONG_AGENCY, "receiver")),
            Known(self.sender, about(PeerCode.WRONG_AGENCY, "sender")),
            Known(self.disclosure.value, about(PeerCode.BAD_COMMITMENT, "disclosure")),
            Known(int(self.verified), about(PeerCode.BAD_COMMITMENT, "verification")),
            Known(self.fact_bytes, about(PeerCode.BAD_COMMITMENT, "size of facts")),
        )

    @property
    def digest(self) -> bytes:
        """32 bytes over every field: a checkpoint restores into the same edge only."""
        return digest(
            encode(
                "blindmatch/edge/v1",
                self.agreement,
                self.round_id,
                self.edge,
                self.receiver,
                self.sender,
                self.disclosure.value,
                int(self.verified),
                self.keys_digest,
                self.receiver_elements or 0,
                self.sender_elements or 0,
                self.fact_bytes,
            )
        )


def _require(good: bool, code: PeerCode, message: str) -> None:
    if not good:
        raise PeerError(code, message)


@dataclass(frozen=True)
class Header:
    """Part of every message: the round, the edge, the chunk's number and the version of the protocol. PeerError: WRONG_VERSION, BAD_MESSAGE."""

    round_id: bytes
    edge: str
    sequence: int
    version: int = PROTOCOL_VERSION

    def __post_init__(self) -> None:
        _require(
            self.version == PROTOCOL_VERSION,
            PeerCode.WRONG_VERSION,
            f"protocol version {self.version}; this node speaks {PROTOCOL_VERSION}",
        )
        _require(len(self.round_id) == ROUND_BYTES, PeerCode.BAD_MESSAGE, "a round's id has 16 bytes")
        # Printable: the id is searched in databases, and PostgreSQL refuses a NUL.
        _require(
            0 < len(self.edge) <= EDGE_CHARACTERS and self.edge.isprintable(),
            PeerCode.BAD_MESSAGE,
            "an edge's id has 1 to 64 printable characters",
        )
        _require(0 <= self.sequence < 1 << 63, PeerCode.BAD_MESSAGE, "a sequence number is out of range")


def _parse(data: bytes, width: int, what: str) -> Bytes2D:
    """Bytes from the wire as rows (n, width)."""
    _require(
        len(data) % width == 0,
        PeerCode.BAD_MESSAGE,
        f"{len(data)} bytes of {what}, not a multiple of {width}",
    )
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, width)


def _checked(rows: Bytes2D, width: int, most: int, what: str) -> Bytes2D:
    """A read-only view of rows (n, width), 1 <= n <= most."""
    formed = rows.dtype == np.uint8 and rows.ndim == 2 and rows.shape[1] == width and len(rows) > 0
    _require(formed, PeerCode.BAD_MESSAGE, f"{what} are not rows of {width} bytes")
    _require(len(rows) <= most, PeerCode.OVERSIZE, f"{len(rows)} {what} in one chunk; the limit is {most}")
    view = np.ascontiguousarray(rows).view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, eq=False)
class BlindedChunk:
    """R -> S: blinded elements (n, 32), in the receiver's secret order."""

    header: Header
    points: Bytes2D

    @classmethod
    def parse(cls, header: Header, points: bytes) -> "BlindedChunk":
        """From the wire's bytes. PeerError: BAD_MESSAGE, OVERSIZE."""
        return cls(header, _parse(points, POINT_BYTES, "blinded points"))

    def __post_init__(self) -> None:
        rows = _checked(self.points, POINT_BYTES, LIMITS.chunk_elements, "blinded points")
        object.__setattr__(self, "points", rows)


@dataclass(frozen=True, eq=False)
class EvaluatedChunk:
    """S -> R: the same elements evaluated (n, 32), same order; the DLEQ proof (64 bytes) when verified, else b""."""

    header: Header
    points: Bytes2D
    proof: bytes = b""

    @classmethod
    def parse(cls, header: Header, points: bytes, proof: bytes) -> "EvaluatedChunk":
        """From the wire's bytes. PeerError: BAD_MESSAGE, OVERSIZE."""
        return cls(header, _parse(points, POINT_BYTES, "evaluated points"), proof)

    def __post_init__(self) -> None:
        rows = _checked(self.points, POINT_BYTES, LIMITS.chunk_elements, "evaluated points")
        object.__setattr__(self, "points", rows)
        _require(len(self.proof) in (0, PROOF_BYTES), PeerCode.BAD_MESSAGE, "a proof has 64 bytes")


@dataclass(frozen=True, eq=False)
class RowsChunk:
    """A chunk of rows of bytes (n, width), n > 0. A disclosure's own kind of chunk declares its limits."""

    header: Header
    rows: Bytes2D

    least_width: ClassVar[int] = 1
    """Bytes of the narrowest row."""
    most_rows: ClassVar[int] = LIMITS.chunk_tag_bytes
    most_bytes: ClassVar[int] = LIMITS.chunk_tag_bytes

    @classmethod
    def parse(cls, header: Header, rows: bytes, width: int) -> Self:
        """From the wire's bytes; the context gives the width of a row. PeerError: BAD_MESSAGE, OVERSIZE."""
        return cls(header, _parse(rows, width, "rows"))

    def __post_init__(self) -> None:
        width = self.rows.shape[-1]
        most = min(self.most_rows, self.most_bytes // max(1, width))
        rows = _checked(self.rows, max(width, self.least_width), most, "rows")
        object.__setattr__(self, "rows", rows)


@dataclass(frozen=True)
class Receipt:
    """The doubly signed record of one edge of one round: exact bytes and both sides' signatures."""

    payload: bytes
    receiver_signature: bytes
    sender_signature: bytes

    def __post_init__(self) -> None:
        for signature in (self.receiver_signature, self.sender_signature):
            _require(len(signature) == SIGNATURE_BYTES, PeerCode.BAD_SIGNATURE, "a signature has 64 bytes")
