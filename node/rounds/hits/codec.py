"""The messages of an edge that discloses hits: blinded and evaluated chunks, and the tag table."""

from blindmatch.node.rounds.edge_codec import header_message, header_reader
from blindmatch.node.transport.codec import header_out, read_header
from blindmatch.proto.v1 import match_pb2
from blindmatch.protocol.hits.messages import TagChunk
from blindmatch.protocol.session.messages import BlindedChunk, EdgeContext, EvaluatedChunk


def blinded_chunk(chunk: BlindedChunk) -> match_pb2.BlindedChunk:
    """One chunk of blinded elements."""
    return match_pb2.BlindedChunk(header=header_out(chunk.header), points=chunk.points.tobytes())


read_header_of_chunk = header_reader("the blinded chunk")
"""The header of a chunk of blinded elements; the points are not read."""


def read_blinded_chunk(message: match_pb2.BlindedChunk) -> BlindedChunk:
    """Read one chunk of blinded elements; the points are not decoded yet."""
    header = read_header(message, "the blinded chunk")
    return BlindedChunk.parse(header, message.points)


def evaluated_chunk(chunk: EvaluatedChunk) -> match_pb2.EvaluatedChunk:
    """One chunk of evaluated elements."""
    return match_pb2.EvaluatedChunk(
        header=header_out(chunk.header), points=chunk.points.tobytes(), proof=chunk.proof
    )


def read_evaluated_chunk(message: match_pb2.EvaluatedChunk) -> EvaluatedChunk:
    """Read one chunk of evaluated elements; neither points nor proof are checked yet."""
    header = read_header(message, "the evaluated chunk")
    return EvaluatedChunk.parse(header, message.points, message.proof)


tags_request = header_message(match_pb2.TagsRequest)
"""Ask for the tag table from chunk `header.sequence` on."""

read_tags_request = header_reader("the request for tags")
"""Read a request for the tag table; `sequence` is the first chunk wanted."""


def tag_chunk(chunk: TagChunk) -> match_pb2.TagChunk:
    """One chunk of the tag table."""
    return match_pb2.TagChunk(header=header_out(chunk.header), rows=chunk.rows.tobytes())


def read_tag_chunk(message: match_pb2.TagChunk, context: EdgeContext) -> TagChunk:
    """Read one chunk of the tag table; the edge says how wide its rows are."""
    header = read_header(message, "the tag chunk")
    return TagChunk.parse(header, message.rows, context.row_bytes)
