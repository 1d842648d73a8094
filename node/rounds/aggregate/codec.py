"""The messages of an edge that discloses a number, and of reports: the Number and Reports services."""

from typing import NamedTuple

from blindmatch.node.transport import strict_reading
from blindmatch.node.transport.codec import header_out, read_header, read_signed, signed_out
from blindmatch.proto.v1 import number_pb2
from blindmatch.protocol.aggregate import RowsChunk
from blindmatch.protocol.limits import DIGEST_BYTES, PROTOCOL_VERSION
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.transcript import Signed


class Report(NamedTuple):
    """The result of one closed edge, as its receiver passes it on."""

    header: Header
    outcome: Signed
    report: Signed


def rows(chunk: RowsChunk) -> number_pb2.Rows:
    """One chunk of a transfer."""
    return number_pb2.Rows(header=header_out(chunk.header), rows=chunk.rows.tobytes())


def read_header_of_rows(message: number_pb2.Rows) -> Header:
    """The header of a chunk, before it is known how wide its rows are.

    Raises:
        PeerError: WRONG_VERSION, OVERSIZE or BAD_MESSAGE, as from every `read_` function here.
    """
    return read_header(message, "the chunk")


def read_rows(message: number_pb2.Rows, width: int) -> RowsChunk:
    """Read one chunk of a transfer; what its rows hold is not looked at."""
    return RowsChunk.parse(read_header(message, "the chunk"), message.rows, width)


def taken(header: Header) -> number_pb2.Taken:
    """Chunk `header.sequence` is kept."""
    return number_pb2.Taken(header=header_out(header))


def read_taken(message: number_pb2.Taken) -> Header:
    """Read which chunk is kept."""
    return read_header(message, "the acknowledgement")


def rows_request(header: Header) -> number_pb2.RowsRequest:
    """Ask for chunks from `header.sequence` on."""
    return number_pb2.RowsRequest(header=header_out(header))


def read_rows_request(message: number_pb2.RowsRequest) -> Header:
    """Read a request for chunks; `sequence` is the first one wanted."""
    return read_header(message, "the request for points")


def outcome_request(header: Header) -> number_pb2.OutcomeRequest:
    """Ask for the outcome."""
    return number_pb2.OutcomeRequest(header=header_out(header))


def read_outcome_request(message: number_pb2.OutcomeRequest) -> Header:
    """Read a request for the outcome."""
    return read_header(message, "the request for the outcome")


def outcome_reply(header: Header, outcome: Signed) -> number_pb2.OutcomeReply:
    """The sender's outcome."""
    return number_pb2.OutcomeReply(header=header_out(header), outcome=signed_out(outcome))


def read_outcome_reply(message: number_pb2.OutcomeReply) -> tuple[Header, Signed]:
    """Read the sender's outcome; its signature is not verified yet."""
    header = read_header(message, "the outcome")
    strict_reading.present(message, "outcome", "the outcome")
    return header, read_signed(message.outcome, "outcome")


def reports_request(agreement: bytes) -> number_pb2.ReportsRequest:
    """Ask for the reports under an agreement, 32 bytes."""
    return number_pb2.ReportsRequest(version=PROTOCOL_VERSION, agreement=agreement)


def read_reports_request(message: number_pb2.ReportsRequest) -> bytes:
    """Read a request for reports: the agreement's id, 32 bytes."""
    strict_reading.version(message.version, "the request for reports")
    strict_reading.known(message, "the request for reports")
    return strict_reading.sized(message.agreement, DIGEST_BYTES, "agreement")


def report(said: Report) -> number_pb2.Report:
    """One report."""
    return number_pb2.Report(
        header=header_out(said.header), outcome=signed_out(said.outcome), report=signed_out(said.report)
    )


def read_report(message: number_pb2.Report) -> Report:
    """Read one report; neither signature is verified yet."""
    header = read_header(message, "the report")
    for part in ("outcome", "report"):
        strict_reading.present(message, part, "the report")
    return Report(header, read_signed(message.outcome, "outcome"), read_signed(message.report, "report"))
