"""Hostile or broken chunks, one lie at a time: each gets its own code, and the session is over."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.hits_sessions import Edge

from blindmatch.protocol import oprf
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.hits import tags
from blindmatch.protocol.hits.messages import TagChunk
from blindmatch.protocol.hits.transitions import HitsState
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, Header
from blindmatch.protocol.transcript import Signed

OURS = [11, 12, 13, 14, 15, 16, 17, 18, 19]
THEIRS = [13, 18, 12, 90, 91, 92, 93]
EDGE = Edge.of(OURS, THEIRS)
VERIFIED = Edge.of(OURS, THEIRS, verified=True)
FACTS = Edge.of(OURS, THEIRS, facts=THEIRS)


def refused(code, session, call):
    """The call is refused with this code, and nothing works on the session any more."""
    with pytest.raises(PeerError) as caught:
        call()
    assert caught.value.code is code, caught.value
    assert session.state is HitsState.FAILED
    assert session.failure is caught.value
    with pytest.raises(PeerError) as later:
        session.receive_commitment(Signed(b"", bytes(64)))
    assert later.value.code is PeerCode.WRONG_STATE


# Headers and sizes: refused before a session sees them.


def unformed(code, call):
    with pytest.raises(PeerError) as caught:
        call()
    assert caught.value.code is code


HEADER = Header(EDGE.context.round_id, EDGE.context.edge, 0)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"version": 0}, PeerCode.WRONG_VERSION),
        ({"version": 2}, PeerCode.WRONG_VERSION),
        ({"round_id": b""}, PeerCode.BAD_MESSAGE),
        ({"round_id": bytes(17)}, PeerCode.BAD_MESSAGE),
        ({"edge": ""}, PeerCode.BAD_MESSAGE),
        ({"edge": "x" * 65}, PeerCode.BAD_MESSAGE),
        ({"sequence": -1}, PeerCode.BAD_MESSAGE),
        ({"sequence": 2**63}, PeerCode.BAD_MESSAGE),
    ],
)
def test_header_out_of_form(change, code):
    unformed(code, lambda: replace(HEADER, **change))


@pytest.mark.parametrize(
    ("size", "code"),
    [
        (0, PeerCode.BAD_MESSAGE),
        (31, PeerCode.BAD_MESSAGE),
        (33, PeerCode.BAD_MESSAGE),
        (32 * 16_385, PeerCode.OVERSIZE),
    ],
)
def test_points_truncated_or_oversize(size, code):
    unformed(code, lambda: BlindedChunk.parse(HEADER, bytes(size)))
    unformed(code, lambda: EvaluatedChunk.parse(HEADER, bytes(size), b""))


@pytest.mark.parametrize("size", [1, 63, 65])
def test_proof_of_another_size(size):
    unformed(PeerCode.BAD_MESSAGE, lambda: EvaluatedChunk.parse(HEADER, bytes(32), bytes(size)))


@pytest.mark.parametrize(
    ("size", "code"),
    [(0, PeerCode.BAD_MESSAGE), (15, PeerCode.BAD_MESSAGE), ((1 << 20) + 16, PeerCode.OVERSIZE)],
)
def test_tag_rows_truncated_or_oversize(size, code):
    unformed(code, lambda: TagChunk.parse(HEADER, bytes(size), EDGE.context.row_bytes))


@pytest.mark.parametrize(
    "rows", [np.zeros((2, 8), np.uint8), np.zeros(16, np.uint8), np.zeros((2, 16), np.int64)]
)
def test_tag_rows_of_another_form(rows):
    unformed(PeerCode.BAD_MESSAGE, lambda: TagChunk(HEADER, rows))


# Blinded chunks, as the sender sees them.


def points(count):
    """Points that are good in themselves."""
    return oprf.hash_to_group(np.arange(count * 16, dtype=np.uint8).reshape(count, 16), oprf.Mode.OPRF)


def bad(kind, good):
    """One bad point among good ones."""
    rows = good.copy()
    rows[1] = 0  # the identity
    if kind == "not canonical":
        rows[1] = np.frombuffer((2**255 - 19).to_bytes(32, "little"), dtype=np.uint8)
    elif kind == "negative":
        rows[1, 0] = 1
    elif kind == "not on the group":
        rows[1] = np.frombuffer(
            bytes.fromhex("26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371"), dtype=np.uint8
        )
    elif kind == "top bit":
        rows[1] = good[1]
        rows[1, 31] |= 0x80
    return rows


BAD_POINTS = ["identity", "not canonical", "negative", "not on the group", "top bit"]


@pytest.mark.parametrize("kind", BAD_POINTS)
def test_blinded_point_is_none(kind):
    receiver, sender = EDGE.exchanging()
    chunk = receiver.blinded_chunk(0)
    lie = replace(chunk, points=bad(kind, chunk.points))
    refused(PeerCode.BAD_POINT, sender, lambda: sender.evaluate(lie))


@pytest.mark.parametrize("change", [{"round_id": b"another-round-id"}, {"edge": "another-edge"}])
def test_blinded_chunk_of_another_round_or_edge(change):
    receiver, sender = EDGE.exchanging()
    chunk = receiver.blinded_chunk(0)
    lie = replace(chunk, header=replace(chunk.header, **change))
    refused(PeerCode.UNKNOWN_ROUND, sender, lambda: sender.evaluate(lie))


@pytest.mark.parametrize("index", [1, 2, 3, 2**62])
def test_blinded_chunks_out_of_order(index):
    receiver, sender = EDGE.exchanging()
    lie = replace(receiver.blinded_chunk(0), header=replace(HEADER, sequence=index))
    refused(PeerCode.BAD_SEQUENCE, sender, lambda: sender.evaluate(lie))


@pytest.mark.parametrize(("index", "count"), [(0, 3), (0, 5), (2, 2), (2, 4)])
def test_blinded_chunk_of_another_count(index, count):
    receiver, sender = EDGE.exchanging()
    for earlier in range(index):
        sender.evaluate(receiver.blinded_chunk(earlier))
    lie = BlindedChunk(replace(HEADER, sequence=index), points(count))
    refused(PeerCode.BAD_COUNT, sender, lambda: sender.evaluate(lie))


def test_blinded_chunk_replayed_with_other_bytes():
    receiver, sender = VERIFIED.exchanging()
    chunk = receiver.blinded_chunk(0)
    first = sender.evaluate(chunk)
    again = sender.evaluate(chunk)
    assert again.points.tobytes() == first.points.tobytes()
    assert again.proof == first.proof
    refused(PeerCode.ALTERED_CHUNK, sender, lambda: sender.evaluate(replace(chunk, points=points(4))))


def test_blinded_chunks_that_were_not_committed_to():
    """Found at the last chunk: no tag has left by then."""
    receiver, sender = EDGE.exchanging()
    sender.evaluate(BlindedChunk(HEADER, points(4)))
    sender.evaluate(receiver.blinded_chunk(1))
    refused(PeerCode.BAD_COMMITMENT, sender, lambda: sender.evaluate(receiver.blinded_chunk(2)))


@pytest.mark.parametrize("sent", [0, 1, 2])
def test_tags_asked_for_too_early(sent):
    receiver, sender = EDGE.exchanging()
    for index in range(sent):
        sender.evaluate(receiver.blinded_chunk(index))
    refused(PeerCode.WRONG_STATE, sender, lambda: sender.tag_chunk(0))


@pytest.mark.parametrize("index", [-1, 2])
def test_tags_asked_for_beyond_the_table(index):
    _, sender = EDGE.collecting()
    refused(PeerCode.BAD_SEQUENCE, sender, lambda: sender.tag_chunk(index))


# Evaluated chunks, as the receiver sees them.


@pytest.mark.parametrize("edge", [EDGE, VERIFIED], ids=["hits", "verified"])
@pytest.mark.parametrize("kind", BAD_POINTS)
def test_evaluated_point_is_none(edge, kind):
    receiver, sender = edge.exchanging()
    chunk = sender.evaluate(receiver.blinded_chunk(0))
    receiver.receive_evaluated(replace(chunk, points=bad(kind, chunk.points)))
    refused(PeerCode.BAD_POINT, receiver, lambda: receiver.unblind_chunk(0))


@pytest.mark.parametrize("change", [{"round_id": b"another-round-id"}, {"edge": "another-edge"}])
def test_evaluated_chunk_of_another_round_or_edge(change):
    receiver, sender = EDGE.exchanging()
    chunk = sender.evaluate(receiver.blinded_chunk(0))
    lie = replace(chunk, header=replace(chunk.header, **change))
    refused(PeerCode.UNKNOWN_ROUND, receiver, lambda: receiver.receive_evaluated(lie))


@pytest.mark.parametrize("index", [1, 2, 3])
def test_evaluated_chunks_out_of_order(index):
    receiver, _ = EDGE.exchanging()
    lie = EvaluatedChunk(replace(HEADER, sequence=index), points(4))
    refused(PeerCode.BAD_SEQUENCE, receiver, lambda: receiver.receive_evaluated(lie))


@pytest.mark.parametrize("count", [3, 5])
def test_evaluated_chunk_of_another_count(count):
    receiver, _ = EDGE.exchanging()
    lie = EvaluatedChunk(HEADER, points(count))
    refused(PeerCode.BAD_COUNT, receiver, lambda: receiver.receive_evaluated(lie))


def test_evaluated_chunk_replayed_with_other_bytes():
    receiver, sender = EDGE.exchanging()
    chunk = sender.evaluate(receiver.blinded_chunk(0))
    receiver.receive_evaluated(chunk)
    receiver.receive_evaluated(chunk)
    lie = replace(chunk, points=points(4))
    refused(PeerCode.ALTERED_CHUNK, receiver, lambda: receiver.receive_evaluated(lie))


def test_evaluated_chunk_replayed_with_another_proof():
    receiver, sender = VERIFIED.exchanging()
    chunk = sender.evaluate(receiver.blinded_chunk(0))
    receiver.receive_evaluated(chunk)
    lie = replace(chunk, proof=bytes(64))
    refused(PeerCode.ALTERED_CHUNK, receiver, lambda: receiver.receive_evaluated(lie))


@pytest.mark.parametrize(("edge", "proof"), [(VERIFIED, b""), (EDGE, bytes(64))])
def test_proof_missing_or_unasked(edge, proof):
    receiver, sender = edge.exchanging()
    lie = replace(sender.evaluate(receiver.blinded_chunk(0)), proof=proof)
    refused(PeerCode.BAD_PROOF, receiver, lambda: receiver.receive_evaluated(lie))


@pytest.mark.parametrize("place", [0, 40])
def test_proof_tampered_with(place):
    receiver, sender = VERIFIED.exchanging()
    chunk = sender.evaluate(receiver.blinded_chunk(0))
    proof = bytearray(chunk.proof)
    proof[place] ^= 1
    receiver.receive_evaluated(replace(chunk, proof=bytes(proof)))
    refused(PeerCode.BAD_PROOF, receiver, lambda: receiver.unblind_chunk(0))


def test_another_key_for_some_of_the_elements():
    """Evaluating one element under another key, to learn whether it was a hit, is what the proof is for."""
    receiver, sender = VERIFIED.exchanging()
    chunk = sender.evaluate(receiver.blinded_chunk(0))
    other = oprf.derive_key_pair(b"o" * 32, b"", oprf.Mode.VOPRF)
    mixed = chunk.points.copy()
    mixed[2:3] = oprf.evaluate(other.secret, receiver.blinded_chunk(0).points[2:3].copy())
    receiver.receive_evaluated(replace(chunk, points=mixed))
    refused(PeerCode.BAD_PROOF, receiver, lambda: receiver.unblind_chunk(0))


def test_answers_swapped():
    receiver, sender = VERIFIED.exchanging()
    chunk = sender.evaluate(receiver.blinded_chunk(0))
    receiver.receive_evaluated(replace(chunk, points=chunk.points[::-1].copy()))
    refused(PeerCode.BAD_PROOF, receiver, lambda: receiver.unblind_chunk(0))


# The tag table, as the receiver sees it.


def _rows(chunk):
    return replace(chunk, rows=chunk.rows.copy()), chunk.rows.copy()


def test_tags_unsorted():
    receiver, sender = EDGE.collecting()
    chunk, rows = _rows(sender.tag_chunk(0))
    rows[[1, 2]] = rows[[2, 1]]
    refused(PeerCode.BAD_TAGS, receiver, lambda: receiver.receive_tags(replace(chunk, rows=rows)))


def test_tags_twice():
    receiver, sender = EDGE.collecting()
    chunk, rows = _rows(sender.tag_chunk(0))
    rows[1] = rows[0]
    refused(PeerCode.BAD_TAGS, receiver, lambda: receiver.receive_tags(replace(chunk, rows=rows)))


@pytest.mark.parametrize("twice", [True, False])
def test_tags_unsorted_between_chunks(twice):
    receiver, sender = EDGE.collecting()
    first, second = sender.tag_chunk(0), sender.tag_chunk(1)
    rows = second.rows.copy()
    rows[0] = first.rows[3] if twice else first.rows[0]
    receiver.receive_tags(first)
    refused(PeerCode.BAD_TAGS, receiver, lambda: receiver.receive_tags(replace(second, rows=rows)))


@pytest.mark.parametrize("place", [15, 20, 55])
def test_tag_table_altered(place):
    """A tag, a sealed payload or its authentication changed by one bit, in order still."""
    receiver, sender = FACTS.collecting()
    chunk, rows = _rows(sender.tag_chunk(0))
    rows[0, place] ^= 1
    receiver.receive_tags(replace(chunk, rows=rows))
    refused(PeerCode.BAD_COMMITMENT, receiver, lambda: receiver.receive_tags(sender.tag_chunk(1)))


def test_tag_chunks_reordered():
    receiver, sender = EDGE.collecting()
    refused(PeerCode.BAD_SEQUENCE, receiver, lambda: receiver.receive_tags(sender.tag_chunk(1)))


def test_tag_chunk_beyond_the_table():
    receiver, sender = EDGE.collecting()
    receiver.receive_tags(sender.tag_chunk(0))
    last = sender.tag_chunk(1)
    receiver.receive_tags(last)
    more = replace(last, header=replace(last.header, sequence=2))
    refused(PeerCode.BAD_SEQUENCE, receiver, lambda: receiver.receive_tags(more))


@pytest.mark.parametrize("count", [3, 5])
def test_tag_chunk_of_another_count(count):
    receiver, _ = EDGE.collecting()
    rows = np.arange(count * 16, dtype=np.uint8).reshape(count, 16)
    refused(PeerCode.BAD_COUNT, receiver, lambda: receiver.receive_tags(TagChunk(HEADER, rows)))


def test_tag_rows_of_another_width():
    receiver, _ = EDGE.collecting()
    rows = np.arange(4 * 17, dtype=np.uint8).reshape(4, 17)
    refused(PeerCode.BAD_MESSAGE, receiver, lambda: receiver.receive_tags(TagChunk(HEADER, rows)))


@pytest.mark.parametrize("change", [{"round_id": b"another-round-id"}, {"edge": "another-edge"}])
def test_tag_chunk_of_another_round_or_edge(change):
    receiver, sender = EDGE.collecting()
    chunk = sender.tag_chunk(0)
    lie = replace(chunk, header=replace(chunk.header, **change))
    refused(PeerCode.UNKNOWN_ROUND, receiver, lambda: receiver.receive_tags(lie))


def test_tag_chunk_replayed_with_other_bytes():
    receiver, sender = EDGE.collecting()
    chunk, rows = _rows(sender.tag_chunk(0))
    receiver.receive_tags(chunk)
    rows[0, 15] ^= 1
    refused(PeerCode.ALTERED_CHUNK, receiver, lambda: receiver.receive_tags(replace(chunk, rows=rows)))


def test_sealed_facts_that_do_not_open_fail_nothing(monkeypatch):
    """A sender that spoils payloads, to see from a round that breaks off who holds an element, sees nothing."""
    honest = tags.seal_facts
    with monkeypatch.context() as patched:
        patched.setattr(
            tags, "seal_facts", lambda outputs, facts, context: honest(outputs, facts, context) ^ 1
        )
        receiver, sender = FACTS.collecting()
    for index in range(sender.tag_chunks):
        receiver.receive_tags(sender.tag_chunk(index))
    hits = receiver.find_hits()
    assert len(hits) > 0
    assert hits.unopened.all()
    assert not hits.facts.any()
    assert receiver.state is HitsState.MATCHED
