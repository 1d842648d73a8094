"""The messages of delta rounds and single checks, to and from protobuf."""

from typing import NamedTuple, Self

from blindmatch.node.transport.codec import (
    AGREEMENT,
    field,
    header_out,
    read_header,
    shape,
    signed,
    sized,
)
from blindmatch.proto.v1 import standing_pb2
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.hits.messages import TagChunk
from blindmatch.protocol.limits import LIMITS, PROOF_BYTES, TAG_BYTES
from blindmatch.protocol.session.messages import ROUND_BYTES, EdgeContext, Header
from blindmatch.protocol.standing.single_check import CHECK_BYTES, CheckHeader
from blindmatch.protocol.transcript import Signed


class DeltaOpening(NamedTuple):
    """The receiver starts, or resumes, an edge of a delta round."""

    header: Header
    agreement: bytes
    """32 bytes."""
    epoch: bytes
    """16 bytes."""
    number: int
    commitment: Signed


class CheckRequest(NamedTuple):
    """One record, submitted or queried."""

    name: CheckHeader
    agreement: bytes
    """32 bytes."""
    content: bytes
    """Rows of a submission or points of a query, not parsed."""

    @classmethod
    def of(cls, header: Header, agreement: bytes, check: bytes, content: bytes) -> Self:
        """From the fields of its message."""
        return cls(CheckHeader(header, check), agreement, content)

    @property
    def fields(self) -> tuple[Header, bytes, bytes, bytes]:
        """The fields of its message."""
        return self.name.header, self.agreement, self.name.check, self.content


delta_open_request = shape(
    standing_pb2.DeltaOpenRequest,
    "the opening",
    AGREEMENT,
    sized("epoch", ROUND_BYTES),
    field("number"),
    signed("commitment", "commitment"),
)
"""The fields of a `DeltaOpening`."""


def changes_chunk(chunk: TagChunk, *, removed: bool) -> standing_pb2.ChangesChunk:
    """One chunk of removed or of added rows."""
    rows = chunk.rows.tobytes()
    return standing_pb2.ChangesChunk(
        header=header_out(chunk.header), **({"removed": rows} if removed else {"added": rows})
    )


def read_changes_chunk(message: standing_pb2.ChangesChunk, context: EdgeContext) -> TagChunk:
    """Read one chunk of changes; the session checks whether removed or added rows are due."""
    header = read_header(message, "the chunk of changes")
    if bool(message.removed) == bool(message.added):
        raise PeerError(PeerCode.BAD_MESSAGE, "a chunk of changes has either removed or added rows")
    if message.added:
        return TagChunk.parse(header, message.added, context.row_bytes)
    return TagChunk.parse(header, message.removed, TAG_BYTES)


def _bounded(content: bytes) -> bytes:
    """The content of a check, within the largest number and width of rows that a record can have."""
    most = LIMITS.tokens_per_record * (TAG_BYTES + LIMITS.fact_bytes + TAG_BYTES)
    if not 0 < len(content) <= most:
        raise PeerError(
            PeerCode.OVERSIZE if content else PeerCode.BAD_MESSAGE,
            "the content of a check is empty or too large",
        )
    return content


def _read_proof(proof: bytes) -> bytes:
    if len(proof) not in {0, PROOF_BYTES}:
        raise PeerError(PeerCode.BAD_MESSAGE, "a proof has 64 bytes")
    return proof


_CHECK = sized("check", CHECK_BYTES)
_POINTS = field("points", read=_bounded)

submit_request = shape(
    standing_pb2.SubmitRequest, "the submission", AGREEMENT, _CHECK, field("rows", read=_bounded)
)
"""A submission: the fields of a `CheckRequest` with one record's rows, whose number is not checked yet."""

submit_reply = shape(standing_pb2.SubmitReply, "the answer", _CHECK)
"""The acknowledgement of a submission: the fields of a `CheckName`."""

ask_request = shape(standing_pb2.AskRequest, "the query", AGREEMENT, _CHECK, _POINTS)
"""A query: the fields of a `CheckRequest` with one record's blinded elements, which are not decoded yet."""

ask_reply = shape(standing_pb2.AskReply, "the answer", _CHECK, _POINTS, field("proof", read=_read_proof))
"""The answer to a query: the check, the evaluated elements, and the proof where evaluation is verified; neither is checked yet."""
