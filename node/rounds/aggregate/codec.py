"""The messages of an edge that discloses a number, and of reports: the Number and Reports services."""

from typing import NamedTuple

from blindmatch.node.rounds.edge_codec import header_message, header_reader, signed_message, signed_reader
from blindmatch.node.transport import strict_reading
from blindmatch.node.transport.codec import header_out, read_header, read_signed, signed_out
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


def rows(chunk: AggregateChunk) -> number_pb2.Rows:
    """One chunk of a transfer."""
    return number_pb2.Rows(header=header_out(chunk.header), rows=chunk.rows.tobytes())


read_header_of_rows = header_reader("the chunk")
"""The header of a chunk, before the width of its rows is known."""


def read_rows(message: number_pb2.Rows, width: int) -> AggregateChunk:
    """Read one chunk of a transfer; what its rows hold is not looked at."""
    return AggregateChunk.parse(read_header(message, "the chunk"), message.rows, width)


taken = header_message(number_pb2.Taken)
"""Chunk `header.sequence` is stored."""

read_taken = header_reader("the acknowledgement")
"""Read which chunk is stored."""

rows_request = header_message(number_pb2.RowsRequest)
"""Ask for chunks from `header.sequence` on."""

read_rows_request = header_reader("the request for points")
"""Read a request for chunks; `sequence` is the first one wanted."""

outcome_request = header_message(number_pb2.OutcomeRequest)
"""Ask for the outcome."""

read_outcome_request = header_reader("the request for the outcome")
"""Read a request for the outcome."""

outcome_reply = signed_message(number_pb2.OutcomeReply, "outcome")
"""The sender's outcome."""

read_outcome_reply = signed_reader("outcome", "the outcome", "outcome")
"""Read the sender's outcome; its signature is not verified yet."""


def reports_request(agreement: bytes) -> number_pb2.ReportsRequest:
    """Ask for the reports under an agreement, 32 bytes."""
    return number_pb2.ReportsRequest(version=PROTOCOL_VERSION, agreement=agreement)


def read_reports_request(message: number_pb2.ReportsRequest) -> bytes:
    """Read a request for reports: the agreement's id, 32 bytes."""
    strict_reading.version(message.version, "the request for reports")
    strict_reading.known(message, "the request for reports")
    return strict_reading.sized(message.agreement, DIGEST_BYTES, "agreement")


def report(content: Report) -> number_pb2.Report:
    """One report."""
    return number_pb2.Report(
        header=header_out(content.header),
        outcome=signed_out(content.outcome),
        report=signed_out(content.report),
    )


def read_report(message: number_pb2.Report) -> Report:
    """Read one report; neither signature is verified yet."""
    header = read_header(message, "the report")
    for part in ("outcome", "report"):
        strict_reading.present(message, part, "the report")
    return Report(header, read_signed(message.outcome, "outcome"), read_signed(message.report, "report"))
