"""The messages of an edge that discloses a number, and of reports: the Number and Reports services."""

from typing import NamedTuple

from blindmatch.node.transport.codec import AGREEMENT, ChunkShape, PlainShape, shape, signed
from blindmatch.proto.v1 import number_pb2
from blindmatch.protocol.aggregate.messages import AggregateChunk
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


reports_request = PlainShape(number_pb2.ReportsRequest, "the request for reports", AGREEMENT)
"""Ask for the reports under an agreement, 32 bytes."""
