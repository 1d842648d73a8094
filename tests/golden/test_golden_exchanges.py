"""Whole exchanges of one edge in memory keep every message, every checkpoint, every stored array and the result.

For `hits`, `hits+facts`, `count` and `sum`, out of fixed seeds, keys, lists and times.
"""

import pytest
from tests.support.aggregate_sessions import AggregateEdge
from tests.support.hits_sessions import Edge

from blindmatch.node.rounds import edge_codec
from blindmatch.node.rounds.aggregate import codec as number_convert
from blindmatch.node.rounds.hits import codec as convert
from blindmatch.protocol.aggregate.count import CountReceiver, CountSender
from blindmatch.protocol.aggregate.messages import AggregateChunk
from blindmatch.protocol.aggregate.sum import SumReceiver, SumSender
from blindmatch.protocol.hits.messages import TagChunk
from blindmatch.protocol.hits.receiver import Receiver
from blindmatch.protocol.hits.sender import Sender
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, Header

BY_KIND = {
    "open": lambda header, body, agreement: edge_codec.open_request(header, agreement, body),
    "commitment": lambda header, body, _: edge_codec.open_reply(header, body),
    "close": lambda header, body, _: edge_codec.close_request(header, body),
    "signature": lambda header, body, _: edge_codec.close_reply(header, body),
    "tags": lambda header, *_: convert.tags_request(header),
    "points taken": lambda header, *_: number_convert.taken(header),
    "masked taken": lambda header, *_: number_convert.taken(header),
    "fetch": lambda header, *_: number_convert.rows_request(header),
    "ask": lambda header, *_: number_convert.outcome_request(header),
    "outcome": lambda header, body, _: number_convert.outcome_reply(header, body),
}
BY_BODY = {
    BlindedChunk: convert.blinded_chunk,
    EvaluatedChunk: convert.evaluated_chunk,
    TagChunk: convert.tag_chunk,
    AggregateChunk: number_convert.rows,
}


def encoded(message, context):
    """A message on the line as the protobuf message that a node sends."""
    if type(message.body) in BY_BODY:
        return BY_BODY[type(message.body)](message.body)
    header = Header(context.round_id, context.edge, message.index)
    return BY_KIND[message.kind](header, message.body, context.agreement)


def messages(network, context):
    """Every message by its number, its sender and its protobuf type."""
    out = {}
    for place, message in enumerate(network.sent):
        wire = encoded(message, context)
        label = f"{place:03} {message.sender} {type(wire).__name__}"
        out[label] = wire.SerializeToString(deterministic=True)
    return out


def receipts(network):
    """The receipt with both signatures, as each side holds it."""
    return [
        [receipt.payload, receipt.receiver_signature, receipt.sender_signature]
        for receipt in network.receipts
    ]


OURS, THEIRS = range(1, 12), (30, 2, 31, 5, 32, 11, 33, 34, 7)
FACTS = [100 + place for place in range(len(THEIRS))]
HITS = {
    "hits": Edge.of(OURS, THEIRS),
    "hits, verified": Edge.of(OURS, THEIRS, verified=True),
    "hits and facts": Edge.of(OURS, THEIRS, facts=FACTS),
    "hits and facts, verified": Edge.of(OURS, THEIRS, facts=FACTS, verified=True, chunk_elements=5),
    "hits, none": Edge.of([1, 2, 3], [4, 5]),
}


@pytest.mark.parametrize("name", HITS)
def test_an_edge_that_lists_hits(golden, checkpoints, workspaces, name):
    taken = checkpoints(Receiver, Sender)
    edge = HITS[name]
    network = edge.connect()
    hits = network.run()
    golden(name, messages(network, edge.context))
    golden(f"{name}: result", {
        "elements": hits.elements,
        "facts": hits.facts,
        "unopened": hits.unopened,
        "receipts": receipts(network),
    })  # fmt: skip
    golden(f"{name}: checkpoints", taken())
    golden(f"{name}: stored", workspaces())


RECORDS = ([1, 2, 3], [4], [2, 5], [9, 10, 11], [12, 13], [2])
ENTRIES = ([1, 40], [2, 3], [2], [50], [5, 2], [6, 60])
NUMBERS = {
    "count": AggregateEdge.count(RECORDS, (2, 4, 70, 12, 71), minimum=3, band=1),
    "count in bands": AggregateEdge.count(RECORDS, (2, 4, 70, 12, 71), minimum=3, band=4),
    "count withheld": AggregateEdge.count(RECORDS, (9, 70, 71), minimum=3),
    "sum": AggregateEdge.sum((1, 2, 5, 80, 81), ENTRIES, (7, 11, 13, 17, 19, 23), minimum=3),
    "sum withheld": AggregateEdge.sum((6, 80, 81), ENTRIES, (7, 11, 13, 17, 19, 23), minimum=3),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_an_edge_that_discloses_a_number(golden, checkpoints, workspaces, name):
    taken = checkpoints(CountReceiver, CountSender, SumReceiver, SumSender)
    edge = NUMBERS[name]
    network = edge.connect()
    result = network.run()
    golden(name, messages(network, edge.context))
    golden(f"{name}: result", {
        "result": None if result is None else [*vars(result).values()],
        "receipts": receipts(network),
    })  # fmt: skip
    golden(f"{name}: checkpoints", taken())
    golden(f"{name}: stored", workspaces())
