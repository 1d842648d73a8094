"""A standing agreement in memory keeps every message, checkpoint, stored array and result: opening, two delta rounds, two checks."""

import dataclasses
import hashlib

import numpy as np
import pytest
from tests.support.standing_sessions import PeopleList, Person, World

from blindmatch.node.rounds import edge_codec
from blindmatch.node.rounds.hits import codec as match_convert
from blindmatch.node.rounds.standing import codec as convert
from blindmatch.node.rounds.standing.stored_epoch import derive_local_secret
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.hits.messages import TagChunk
from blindmatch.protocol.hits.receiver import Receiver
from blindmatch.protocol.hits.sender import Sender
from blindmatch.protocol.linkage.compiled_keys import DUMMY
from blindmatch.protocol.session.base import bound_seed
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, Header
from blindmatch.protocol.standing.delta import DeltaReceiver, DeltaSender
from blindmatch.protocol.standing.epoch import opening_key_seed
from blindmatch.protocol.standing.single_check import (
    CheckHeader,
    Query,
    SingleRecord,
    Withholding,
    answer_query,
    query_hits,
    submission,
    submission_hits,
    submitted_facts,
)

OURS = (
    [Person(((0, 1), (1, 2)), 0, 0), Person(((0, 3), (1, 4), (2, 5))), Person(((1, 9),)), Person(())],
    [Person(((0, 1), (1, 2)), 0, 0), Person(((0, 7), (2, 5))), Person(((1, 9),)), Person(((0, 8),))],
    [Person(((0, 7), (2, 5))), Person(((1, 9),))],
)
THEIRS = (
    [Person(((0, 1), (1, 6)), 1, 11), Person(((0, 3),), 2, 12), Person(((0, 1), (2, 5)), 3, 13)],
    [Person(((0, 1), (1, 6)), 1, 11), Person(((0, 8), (1, 9)), 2, 14), Person(((0, 7),), 4, 15)],
    [Person(((0, 8), (1, 9)), 2, 14), Person(((0, 7),), 4, 15), Person(((2, 5),), 5, 16)],
)


BY_KIND = {
    "commitment": edge_codec.open_reply,
    "close": edge_codec.close_request,
    "signature": edge_codec.close_reply,
    "tags": lambda header, _: match_convert.tags_request(header),
}


def encoded(message, world, network, number):
    """A message on the line as the protobuf message that a node sends."""
    context, body = world.ours.context, message.body
    header = Header(world.rounds[number], context.edge, message.index)
    match body:
        case BlindedChunk():
            return match_convert.blinded_chunk(body)
        case EvaluatedChunk():
            return match_convert.evaluated_chunk(body)
        case TagChunk() if number:
            return convert.changes_chunk(
                body, removed=body.header.sequence < network.sender.session.removed_chunks
            )
        case TagChunk():
            return match_convert.tag_chunk(body)
    if message.kind == "open":
        return opening(header, context, number, body)
    return BY_KIND[message.kind](header, body)


def opening(header, context, number, commitment):
    if not number:
        return edge_codec.open_request(header, context.agreement, commitment)
    delta = convert.DeltaOpening(header, context.agreement, context.round_id, number, commitment)
    return convert.delta_open_request(*delta)


def messages(world, network, number):
    """Every message by its number, its sender and its protobuf type."""
    out = {}
    for place, message in enumerate(network.sent):
        wire = encoded(message, world, network, number)
        data = wire.SerializeToString(deterministic=True)
        out[f"{place:03} {message.sender} {type(wire).__name__}"] = data
    return out


def kept(world):
    """What both sides store between rounds, and what the receiver learns from it."""
    hits = world.hits()
    received, sent = world.received, world.sent
    return {
        "receiver": fields_of(received.own),
        "table": [received.table.rows, received.table.added_in],
        "sender": fields_of(sent.own),
        "fillers": sent.padding_tags,
        "state": world.base.state,
        "number": world.base.number,
        "hits": [hits.elements, hits.facts, hits.unopened],
    }


def fields_of(own):
    return [getattr(own, field.name) for field in dataclasses.fields(own)]


def receipts(network):
    return [
        [receipt.payload, receipt.receiver_signature, receipt.sender_signature]
        for receipt in network.receipts
    ]


WORLDS = {
    "hits": {"slots": (3, 2)},
    "hits, verified": {"verified": True},
    "facts": {"facts": True},
    "facts, verified": {"facts": True, "verified": True},
}


@pytest.mark.parametrize("name", WORLDS)
def test_an_epoch(golden, checkpoints, workspaces, name):
    taken = checkpoints(Receiver, Sender, DeltaReceiver, DeltaSender)
    world = World(OURS[0], THEIRS[0], **WORLDS[name])
    golden(f"{name}: 0", messages(world, world.networks[0], 0))
    golden(f"{name}: 0, kept", kept(world))
    for number in (1, 2):
        network = world.delta(OURS[number], THEIRS[number])
        golden(f"{name}: {number}", messages(world, network, number))
        golden(f"{name}: {number}, kept", {**kept(world), "receipts": receipts(network)})
    golden(f"{name}: checkpoints", taken())
    stored = workspaces()
    everything = hashlib.sha256(b"".join(array.tobytes() for array in stored.values()))
    golden(f"{name}: stored", {
        "arrays": {label: "x".join(map(str, array.shape)) for label, array in stored.items()},
        "content": everything.digest(),
    })  # fmt: skip
    golden(f"{name}: checks", checks(world))


def test_secrets_that_come_out_of_a_stored_seed(golden):
    """Files and rows of earlier rounds count on them."""
    seed, context = b"s" * 32, World(OURS[0], THEIRS[0]).ours.context
    expander = Expander(seed)
    golden("derived", {
        "local secret": derive_local_secret(seed),
        "opening secret": opening_key_seed(seed, context),
        "bound seed": bound_seed(seed, context),
        "stream": expander.stream("fillers", 3, 100),
        "scalars": expander.scalars("blinds", 2, 3),
        "permutation": expander.permutation("order", 20),
    })  # fmt: skip


def checks(world):
    """One record submitted by the sender, and one asked about by the receiver."""
    agreement = world.ours.context.agreement
    guarded = np.isin(np.arange(DUMMY + 1), [1])

    listed = PeopleList([Person(((0, 7), (2, 5)), 9, 21)], world.theirs, world.slots[1])
    inputs, keys = listed.inputs(np.arange(1))
    facts = listed.facts([np.arange(1)]) if world.with_facts else np.zeros((1, 0), dtype=np.uint8)
    name = CheckHeader.of(world.theirs, b"submitted-123456")
    record = SingleRecord(inputs, keys, facts)
    rows = submission(world.theirs, name, record, Withholding(world.sent.own, guarded), b"f" * 32)
    slots = submission_hits(world.received.own, rows)
    opened = submitted_facts(world.ours, name, world.received.own, slots, rows) if world.with_facts else ()

    inputs, keys = PeopleList([Person(((0, 7), (2, 5)))], world.ours, world.slots[0]).inputs(np.arange(1))
    question = CheckHeader.of(world.ours, b"asked-0123456789")
    single = SingleRecord(inputs, keys)
    query = Query(world.ours, question, single, world.base.public_key, b"a" * 32)
    points = query.blind()
    evaluated, proof = answer_query(world.theirs, question, points, b"s" * 32)
    outputs = query.receive_answer(evaluated, proof)
    hits = query_hits(world.ours, world.received, guarded, single, outputs, rounds=world.rounds)

    wire = {
        "submit request": convert.submit_request(
            *convert.CheckRequest(name, agreement, rows.tobytes()).fields
        ),
        "submit reply": convert.submit_reply(name.header, name.check),
        "ask request": convert.ask_request(
            *convert.CheckRequest(question, agreement, points.tobytes()).fields
        ),
        "ask reply": convert.ask_reply(question.header, question.check, evaluated.tobytes(), proof),
    }
    return {
        **{label: message.SerializeToString(deterministic=True) for label, message in wire.items()},
        "submitted: slots": slots,
        "submitted: facts": list(opened),
        "asked: outputs": outputs,
        "asked: hits": [hits.elements, hits.facts, hits.unopened],
    }
