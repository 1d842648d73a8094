"""The messages that every edge of a round shares: rates, commitments with progress, and the receipt."""

from typing import NamedTuple

from blindmatch.node.transport.codec import AGREEMENT, SIGNATURE, Part, either, field, shape, signed
from blindmatch.proto.v1 import match_pb2
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import LIMITS


class Progress(NamedTuple):
    """How far the other side is in preparing its own elements."""

    done: int
    total: int


def _progress_out(progress: Progress) -> match_pb2.Progress:
    return match_pb2.Progress(done=progress.done, total=progress.total)


def _read_progress(message: match_pb2.Progress) -> Progress:
    progress = Progress(message.done, message.total)
    if not progress.done <= progress.total <= LIMITS.elements:
        raise PeerError(PeerCode.BAD_MESSAGE, "the answer's progress is not possible")
    return progress


PROGRESS: Part[Progress] = field("progress", _progress_out, _read_progress)
"""Progress while the sender of the answer prepares."""

NEITHER = "the answer holds neither progress nor a commitment"

prepare_request = shape(
    match_pb2.PrepareRequest, "the preparation", AGREEMENT, signed("rates", "statement of rates")
)
"""The receiver starts an edge of a round with its rates."""

prepare_reply = shape(
    match_pb2.PrepareReply, "the answer to the preparation", signed("rates", "statement of rates")
)
"""The sender's rates."""

open_request = shape(match_pb2.OpenRequest, "the opening", AGREEMENT, signed("commitment", "commitment"))
"""The receiver opens, or opens again, an edge of a round with its commitment."""

open_reply = shape(
    match_pb2.OpenReply,
    "the answer",
    either(Progress, PROGRESS, signed("commitment", "commitment"), NEITHER),
)
"""The sender's progress, or finally its commitment."""

close_request = shape(match_pb2.CloseRequest, "the closing", signed("receipt", "receipt"))
"""The receiver's signed receipt."""

close_reply = shape(match_pb2.CloseReply, "the answer to the closing", SIGNATURE)
"""The sender's signature over the same receipt."""
