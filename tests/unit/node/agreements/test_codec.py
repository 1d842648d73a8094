"""Protobuf to dataclasses and back: what is right survives, what is not gets its code."""

from dataclasses import replace

import grpc
import numpy as np
import pytest
from tests.support.agencies import Agency, agreement_between, edge_between, signed

from blindmatch.node.agreements import codec as convert
from blindmatch.node.agreements.payload import encode_agreement, parse_agreement
from blindmatch.node.rounds import edge_codec
from blindmatch.node.rounds.hits import codec as hits_codec
from blindmatch.node.transport import error_status
from blindmatch.proto.v1 import agreement_pb2 as pb
from blindmatch.proto.v1 import common_pb2, match_pb2
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import KINDS, Disclosure, Withdrawal, WithdrawalKind
from blindmatch.protocol.errors import AgreementError, KeysError, PeerCode, PeerError
from blindmatch.protocol.hits.messages import TagChunk
from blindmatch.protocol.limits import LIMITS, PROTOCOL_VERSION, TAG_BYTES
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, Header
from blindmatch.protocol.transcript import Signed

UNKNOWN = b"\x9a\x06\x01x"  # field 99, one byte long
FORCE, EAST = Agency("west-force", "police"), Agency("east-council")
EDGE = edge_between("west-force", "east-council", disclosure=Disclosure.HITS_FACTS, facts=["contract_value"])
AGREEMENT = agreement_between([FORCE.party(), EAST.party()], [EDGE], start=1_800_000_000)
ENVELOPE = signed(AGREEMENT, [FORCE, EAST])
WITHDRAWAL = terms.sign_withdrawal(Withdrawal(ENVELOPE.id, "east-council", 5, "over"), EAST.signer)
DECLINE = terms.sign_withdrawal(
    Withdrawal(ENVELOPE.id, "west-force", 6, "no", WithdrawalKind.DECLINED), FORCE.signer
)
LEFT = (WITHDRAWAL, DECLINE)

HEADER = Header(b"r" * 16, "west-force-from-east-council", 3)
STATEMENT = Signed(b"payload", b"s" * 64)
POINTS = np.arange(64, dtype=np.uint8).reshape(2, 32)
ROUND_TRIPS = {
    "describe request": (convert.describe_request(), convert.describe_request.read),
    "describe reply": (convert.describe_reply(EAST.party()), convert.describe_reply.read),
    "propose request": (convert.propose_request(ENVELOPE, LEFT), convert.propose_request.read),
    "propose reply": (convert.propose_reply(ENVELOPE, LEFT), convert.propose_reply.read),
    "fetch request": (convert.fetch_request(ENVELOPE.id), convert.fetch_request.read),
    "fetch reply": (convert.fetch_reply(ENVELOPE, LEFT), convert.fetch_reply.read),
    "withdraw request": (convert.withdraw_request(WITHDRAWAL), convert.withdraw_request.read),
    "withdraw reply": (convert.withdraw_reply(), convert.withdraw_reply.read),
    "prepare request": (
        edge_codec.prepare_request(HEADER, ENVELOPE.id, STATEMENT),
        edge_codec.prepare_request.read,
    ),
    "prepare reply": (edge_codec.prepare_reply(HEADER, STATEMENT), edge_codec.prepare_reply.read),
    "open request": (edge_codec.open_request(HEADER, ENVELOPE.id, STATEMENT), edge_codec.open_request.read),
    "open progress": (edge_codec.open_reply(HEADER, edge_codec.Progress(1, 2)), edge_codec.open_reply.read),
    "open commitment": (edge_codec.open_reply(HEADER, STATEMENT), edge_codec.open_reply.read),
    "blinded chunk": (hits_codec.blinded_chunk(BlindedChunk(HEADER, POINTS)), hits_codec.blinded_chunk.read),
    "evaluated chunk": (
        hits_codec.evaluated_chunk(EvaluatedChunk(HEADER, POINTS, b"p" * 64)),
        hits_codec.evaluated_chunk.read,
    ),
    "tags request": (hits_codec.tags_request(HEADER), hits_codec.tags_request.read),
    "tag chunk": (
        hits_codec.tag_chunk(TagChunk(HEADER, POINTS.reshape(4, 16))),
        lambda message: hits_codec.tag_chunk.read(message, TAG_BYTES),
    ),
    "close request": (edge_codec.close_request(HEADER, STATEMENT), edge_codec.close_request.read),
    "close reply": (edge_codec.close_reply(HEADER, b"s" * 64), edge_codec.close_reply.read),
}
WITHOUT_VERSION = {"describe reply", "propose reply", "fetch reply", "withdraw reply"}
"""Answers to a request whose version was checked."""


def parts(message) -> list[str]:
    return [field.name for field, _ in message.ListFields() if field.message_type is not None]


def needed(message) -> list[str]:
    """Parts that stand there once; of the others there may be none."""
    return [part for part in parts(message) if hasattr(getattr(message, part), "MergeFromString")]


BY_NAME = pytest.mark.parametrize(("message", "read"), ROUND_TRIPS.values(), ids=ROUND_TRIPS.keys())


def fresh(message):
    return type(message).FromString(message.SerializeToString())


def code_of(read, message) -> PeerCode:
    with pytest.raises(PeerError) as caught:
        read(message)
    return caught.value.code


def test_every_message_of_both_services_is_tried():
    services = [pb.DESCRIPTOR.services_by_name["Agreements"], match_pb2.DESCRIPTOR.services_by_name["Match"]]
    methods = [method for service in services for method in service.methods]
    wire = {kind.name for method in methods for kind in (method.input_type, method.output_type)}
    assert wire == {type(message).__name__ for message, _ in ROUND_TRIPS.values()}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("describe reply", EAST.party()),
        ("propose request", (ENVELOPE, LEFT)),
        ("propose reply", (ENVELOPE, LEFT)),
        ("fetch request", ENVELOPE.id),
        ("fetch reply", (ENVELOPE, LEFT)),
        ("withdraw request", WITHDRAWAL),
        ("prepare request", (HEADER, ENVELOPE.id, STATEMENT)),
        ("prepare reply", (HEADER, STATEMENT)),
        ("open request", (HEADER, ENVELOPE.id, STATEMENT)),
        ("open progress", (HEADER, (1, 2))),
        ("open commitment", (HEADER, STATEMENT)),
        ("tags request", (HEADER,)),
        ("close request", (HEADER, STATEMENT)),
        ("close reply", (HEADER, b"s" * 64)),
    ],
)
def test_round_trip(name, value):
    message, read = ROUND_TRIPS[name]
    assert read(fresh(message)) == value


def test_chunks_survive():
    blinded = hits_codec.blinded_chunk.read(fresh(ROUND_TRIPS["blinded chunk"][0]))
    assert blinded.header == HEADER
    assert np.array_equal(blinded.points, POINTS)
    evaluated = hits_codec.evaluated_chunk.read(fresh(ROUND_TRIPS["evaluated chunk"][0]))
    assert (evaluated.header, evaluated.proof) == (HEADER, b"p" * 64)
    assert np.array_equal(evaluated.points, POINTS)
    tags = hits_codec.tag_chunk.read(fresh(ROUND_TRIPS["tag chunk"][0]), TAG_BYTES)
    assert np.array_equal(tags.rows, POINTS.reshape(4, 16))


@BY_NAME
def test_an_unknown_field_is_refused(message, read):
    wider = type(message).FromString(message.SerializeToString() + UNKNOWN)
    assert code_of(read, wider) is PeerCode.BAD_MESSAGE


@pytest.mark.parametrize("name", [name for name, (message, _) in ROUND_TRIPS.items() if parts(message)])
def test_an_unknown_field_deep_inside_is_refused(name):
    message, read = ROUND_TRIPS[name]
    for part in parts(message):
        altered = fresh(message)
        inner = getattr(altered, part)
        (inner if part in needed(message) else inner[0]).MergeFromString(UNKNOWN)
        assert code_of(read, altered) is PeerCode.BAD_MESSAGE


@pytest.mark.parametrize("name", sorted(set(ROUND_TRIPS) - WITHOUT_VERSION))
def test_another_version_is_refused_whatever_else_it_brings(name):
    message, read = ROUND_TRIPS[name]
    altered = fresh(message)
    holder = altered if hasattr(altered, "version") else altered.header
    holder.version = PROTOCOL_VERSION + 1
    wider = type(altered).FromString(altered.SerializeToString() + UNKNOWN)
    assert code_of(read, wider) is PeerCode.WRONG_VERSION


@pytest.mark.parametrize("name", [name for name, (message, _) in ROUND_TRIPS.items() if parts(message)])
def test_a_missing_part_is_refused(name):
    message, read = ROUND_TRIPS[name]
    for part in needed(message):
        altered = fresh(message)
        altered.ClearField(part)
        assert code_of(read, altered) is PeerCode.BAD_MESSAGE


@pytest.mark.parametrize(
    ("name", "code", "change"),
    [
        ("fetch request", PeerCode.BAD_MESSAGE, {"agreement": b"short"}),
        ("open request", PeerCode.BAD_MESSAGE, {"agreement": b""}),
        ("blinded chunk", PeerCode.BAD_MESSAGE, {"points": b""}),
        ("blinded chunk", PeerCode.BAD_MESSAGE, {"points": b"x" * 33}),
        ("blinded chunk", PeerCode.OVERSIZE, {"points": bytes(32 * (LIMITS.chunk_elements + 1))}),
        ("blinded chunk", PeerCode.OVERSIZE, {"points": bytes(LIMITS.message_bytes)}),
        ("evaluated chunk", PeerCode.BAD_MESSAGE, {"proof": b"x" * 63}),
        ("evaluated chunk", PeerCode.BAD_MESSAGE, {"points": b"x" * 31}),
        ("tag chunk", PeerCode.BAD_MESSAGE, {"rows": b"x" * 17}),
        ("tag chunk", PeerCode.OVERSIZE, {"rows": bytes(LIMITS.chunk_tag_bytes + 16)}),
        ("close reply", PeerCode.BAD_SIGNATURE, {"signature": b"x" * 63}),
    ],
)
def test_wrong_sizes(name, code, change):
    message, read = ROUND_TRIPS[name]
    altered = fresh(message)
    for field, value in change.items():
        setattr(altered, field, value)
    assert code_of(read, altered) is code


@pytest.mark.parametrize(
    ("code", "header"),
    [
        (PeerCode.BAD_MESSAGE, {"round": b"r" * 15}),
        (PeerCode.BAD_MESSAGE, {"edge": ""}),
        (PeerCode.BAD_MESSAGE, {"edge": "e" * 65}),
        (PeerCode.BAD_MESSAGE, {"sequence": 1 << 63}),
    ],
)
def test_wrong_headers(code, header):
    altered = fresh(ROUND_TRIPS["tags request"][0])
    for field, value in header.items():
        setattr(altered.header, field, value)
    assert code_of(hits_codec.tags_request.read, altered) is code


def test_wrong_statements():
    altered = fresh(ROUND_TRIPS["close request"][0])
    altered.receipt.signature = b""
    assert code_of(edge_codec.close_request.read, altered) is PeerCode.BAD_SIGNATURE
    altered.receipt.CopyFrom(common_pb2.SignedStatement(payload=bytes(1 << 15), signature=bytes(64)))
    assert code_of(edge_codec.close_request.read, altered) is PeerCode.OVERSIZE


@pytest.mark.parametrize(("done", "total"), [(3, 2), (1, LIMITS.elements + 1)])
def test_impossible_progress(done, total):
    message = edge_codec.open_reply(HEADER, edge_codec.Progress(done, total))
    assert code_of(edge_codec.open_reply.read, message) is PeerCode.BAD_MESSAGE


def test_a_wrong_party_entry_names_its_field():
    altered = fresh(ROUND_TRIPS["describe reply"][0])
    altered.party.identity_key = b"short"
    with pytest.raises(PeerError, match=r"party\.identity_key") as caught:
        convert.describe_reply.read(altered)
    assert caught.value.code is PeerCode.BAD_MESSAGE


def test_wrong_envelopes():
    twice = fresh(ROUND_TRIPS["propose request"][0])
    twice.envelope.signatures.append(twice.envelope.signatures[0])
    assert code_of(convert.propose_request.read, twice) is PeerCode.BAD_MESSAGE
    many = fresh(ROUND_TRIPS["propose request"][0])
    many.envelope.signatures.extend(pb.Signature(agency=f"a{n}", signature=bytes(64)) for n in range(64))
    assert code_of(convert.propose_request.read, many) is PeerCode.OVERSIZE
    large = fresh(ROUND_TRIPS["propose request"][0])
    large.envelope.payload = bytes(LIMITS.agreement_bytes + 1)
    assert code_of(convert.propose_request.read, large) is PeerCode.OVERSIZE


def test_wrong_withdrawals_beside_an_envelope():
    twice = fresh(ROUND_TRIPS["fetch reply"][0])
    twice.withdrawals.append(twice.withdrawals[0])
    assert code_of(convert.fetch_reply.read, twice) is PeerCode.BAD_MESSAGE
    many = fresh(ROUND_TRIPS["fetch reply"][0])
    many.withdrawals.extend([many.withdrawals[0]] * LIMITS.parties)
    assert code_of(convert.fetch_reply.read, many) is PeerCode.OVERSIZE
    other = fresh(ROUND_TRIPS["fetch reply"][0])
    other.withdrawals[0].agreement = bytes(32)
    assert code_of(convert.fetch_reply.read, other) is PeerCode.BAD_MESSAGE


def test_an_agreement_survives():
    assert parse_agreement(encode_agreement(AGREEMENT)) == AGREEMENT


def test_the_bytes_of_an_agreement_are_always_the_same():
    assert encode_agreement(AGREEMENT) == encode_agreement(replace(AGREEMENT))


@pytest.mark.parametrize(
    ("code", "payload"),
    [
        (PeerCode.BAD_MESSAGE, ENVELOPE.payload[:-1]),
        (PeerCode.BAD_MESSAGE, ENVELOPE.payload + UNKNOWN),
        (PeerCode.BAD_MESSAGE, ENVELOPE.payload + b"\x12\x01T"),  # a second title: readers could show either
        (PeerCode.BAD_MESSAGE, ENVELOPE.payload.replace(b"\x08\x01", b"\x08\x81\x00", 1)),  # a long-winded 1
        (PeerCode.BAD_MESSAGE, b"\xff\xff\xff"),
        (PeerCode.OVERSIZE, bytes(LIMITS.agreement_bytes + 1)),
        (PeerCode.WRONG_VERSION, pb.Agreement(format=2).SerializeToString()),
        (PeerCode.WRONG_VERSION, b""),
    ],
)
def test_what_is_no_agreement(code, payload):
    assert code_of(parse_agreement, payload) is code


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("parties[1].legal_basis", lambda m: m.parties[1].ClearField("legal_basis")),
        ("edges[0].sender.max_records", lambda m: m.edges[0].sender.ClearField("max_records")),
        ("edges[0].receiver", lambda m: m.edges[0].ClearField("receiver")),
        ("edges[0].disclosure", lambda m: setattr(m.edges[0], "disclosure", "all")),
        ("edges[0].leakage", lambda m: m.edges[0].ClearField("leakage")),
        ("parties", lambda m: m.parties.extend([m.parties[0]] * LIMITS.parties)),
        ("edges", lambda m: m.edges.extend([pb.Edge()] * LIMITS.edges)),
        ("purpose", lambda m: m.ClearField("purpose")),
        ("nonce", lambda m: m.ClearField("nonce")),
    ],
)
def test_a_wrong_field_of_a_payload_is_named(field, change):
    message = pb.Agreement.FromString(ENVELOPE.payload)
    change(message)
    with pytest.raises(AgreementError) as caught:
        parse_agreement(message.SerializeToString())
    assert caught.value.field == field


def test_an_agreement_of_too_many_words_is_not_made():
    wordy = [
        replace(Agency(f"council-{n}").party(), legal_basis="x" * LIMITS.text_characters)
        for n in range(LIMITS.parties - 1)
    ]
    edges = []
    for party in wordy:
        for kinds in ((ours, theirs) for ours in KINDS for theirs in KINDS):
            edge = edge_between("west-force", party.agency)
            sides = [
                replace(side, collection_kind=kind)
                for side, kind in zip((edge.receiver, edge.sender), kinds, strict=True)
            ]
            edges.append(
                replace(
                    edge,
                    id=f"{len(edges)}",
                    receiver=sides[0],
                    sender=sides[1],
                    leakage="x" * LIMITS.text_characters,
                )
            )
    agreement = agreement_between([FORCE.party(), *wordy], edges, start=1)
    with pytest.raises(AgreementError, match="bytes"):
        encode_agreement(agreement)


def test_every_code_has_a_status_and_comes_back():
    assert set(error_status.STATUS) == set(PeerCode)
    for code in PeerCode:
        number, details, trailing = error_status.abort_arguments(PeerError(code, "the reason"))
        assert number is error_status.STATUS[code]
        assert number is not grpc.StatusCode.OK
        back = error_status.error_from_status("east-council", number, details, dict(trailing))
        assert "the reason" in back.message
        assert "east-council" in back.message
        if code is PeerCode.UNAVAILABLE:
            assert back.code is PeerCode.UNAVAILABLE
        else:
            assert isinstance(back, error_status.RefusalError)
            assert (back.code, back.reason) == (PeerCode.REFUSED, code)


def test_our_own_faults_are_not_told():
    for error in (KeysError("/home/officer/keys.json is damaged"), ValueError("secret")):
        number, details, trailing = error_status.abort_arguments(error)
        assert number is grpc.StatusCode.INTERNAL
        assert trailing == ()
        assert "keys" not in details
        assert "secret" not in details


def test_a_wrong_field_is_told():
    number, details, trailing = error_status.abort_arguments(AgreementError("edges[0].id", "is missing"))
    assert number is grpc.StatusCode.INVALID_ARGUMENT
    assert "edges[0].id: is missing" in details
    assert dict(trailing) == {error_status.CODE_KEY: "bad-message"}


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (grpc.StatusCode.UNAVAILABLE, PeerCode.UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, PeerCode.UNAVAILABLE),
        (grpc.StatusCode.INTERNAL, PeerCode.UNAVAILABLE),
        (grpc.StatusCode.UNAUTHENTICATED, PeerCode.WRONG_CERTIFICATE),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, PeerCode.OVERSIZE),
        (grpc.StatusCode.UNIMPLEMENTED, PeerCode.WRONG_VERSION),
        (grpc.StatusCode.DATA_LOSS, PeerCode.REFUSED),
    ],
)
def test_a_status_without_a_code(number, code):
    error = error_status.error_from_status("east-council", number, None, {})
    assert error.code is code
    assert "east-council" in error.message


def test_a_code_that_we_do_not_know():
    error = error_status.error_from_status(
        "east-council", grpc.StatusCode.ABORTED, "x", {error_status.CODE_KEY: "new"}
    )
    assert isinstance(error, error_status.RefusalError)
    assert error.reason is PeerCode.REFUSED


def test_a_peers_words_cannot_steer_a_terminal():
    evil = "\x1b[2J\u202e" + "x" * 10_000
    error = error_status.error_from_status(
        "east-council", grpc.StatusCode.ABORTED, evil, {error_status.CODE_KEY: b"bad-tags"}
    )
    assert error.message.isprintable()
    assert len(error.message) < 500
