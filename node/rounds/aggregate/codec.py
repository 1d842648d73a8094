"""The messages of an edge that discloses a number, and of reports: the Number and Reports services."""

from typing import NamedTuple

from blindmatch.node.transport import strict_reading
from blindmatch.node.transport.codec import ChunkShape, shape, signed
from blindmatch.proto.v1 import number_pb2
from blindmatch.protocol.aggregate import AggregateChunk
from blindmatch.protocol.limits import DIGEST_BYTES, PROTOCOL_VERSION
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.transcript import Signed


class Report(NamedTuple):
    """The result of one closed edge, as its receiver passes it on."""

    header: Header
    outcome: Signed
    report: Signed


rows = ChunkShape(number_pb2.Rows, "the chunk", AggregateChunk.parse, {"rows": "rows"})
"""One chunk of a transfer; it is read with the width of its rows, whose content is not checked."""

taken = shape(number_pb2.Taken, "the acknowledgement")
"""Chunk `header.sequence` is stored."""

rows_request = shape(number_pb2.RowsRequest, "the request for points")
"""Ask for chunks from `header.sequence` on."""

outcome_request = shape(number_pb2.OutcomeRequest, "the request for the outcome")
"""Ask for the outcome."""

outcome_reply = shape(number_pb2.OutcomeReply, "the outcome", signed("outcome", "outcome"))
"""The sender's outcome."""

report = shape(number_pb2.Report, "the report", signed("outcome", "outcome"), signed("report", "report"))
"""The fields of a `Report`."""


def reports_request(agreement: bytes) -> number_pb2.ReportsRequest:
    """Ask for the reports under an agreement, 32 bytes."""
    return number_pb2.ReportsRequest(version=PROTOCOL_VERSION, agreement=agreement)


def read_reports_request(message: number_pb2.ReportsRequest) -> bytes:
    """Read a request for reports: the agreement's id, 32 bytes."""
    strict_reading.version(message.version, "the request for reports")
    strict_reading.known(message, "the request for reports")
    return strict_reading.sized(message.agreement, DIGEST_BYTES, "agreement")
