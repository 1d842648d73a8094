"""The messages of an edge that discloses hits: blinded and evaluated chunks, and the tag table."""

from blindmatch.node.transport.codec import ChunkShape, shape
from blindmatch.proto.v1 import match_pb2
from blindmatch.protocol.hits.messages import TagChunk
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk

blinded_chunk = ChunkShape(
    match_pb2.BlindedChunk, "the blinded chunk", BlindedChunk.parse, {"points": "points"}
)
"""One chunk of blinded elements; the points are not decoded yet."""

evaluated_chunk = ChunkShape(
    match_pb2.EvaluatedChunk,
    "the evaluated chunk",
    EvaluatedChunk.parse,
    {"points": "points", "proof": "proof"},
)
"""One chunk of evaluated elements; neither points nor proof are checked yet."""

tags_request = shape(match_pb2.TagsRequest, "the request for tags")
"""Ask for the tag table from chunk `header.sequence` on."""

tag_chunk = ChunkShape(match_pb2.TagChunk, "the tag chunk", TagChunk.parse, {"rows": "rows"})
"""One chunk of the tag table; it is read with the width of the edge's rows."""
