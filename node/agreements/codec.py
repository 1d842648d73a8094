"""Agreements: payload bytes, envelopes and the messages of the Agreements service."""

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError

from blindmatch.node.transport import strict_reading
from blindmatch.proto.v1 import agreement_pb2 as pb
from blindmatch.protocol.agreement import (
    FORMAT,
    MEMBERS,
    TERM_FIELDS,
    Agreement,
    Edge,
    Envelope,
    Linkage,
    Party,
    Side,
    SignedWithdrawal,
    Standing,
    Threshold,
    edge_terms,
    validation,
)
from blindmatch.protocol.errors import AgreementError, PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES, LIMITS, PROTOCOL_VERSION

Copy = tuple[Envelope, tuple[SignedWithdrawal, ...]]
"""What one party holds of an agreement: its bytes with the signatures, and who declined or withdrew."""


def encode_agreement(agreement: Agreement) -> bytes:
    """The payload of a new agreement. Once made, these bytes are what everybody keeps, signs and sends."""
    message = pb.Agreement(
        format=agreement.format,
        title=agreement.title,
        purpose=agreement.purpose,
        parties=[_party_out(party) for party in agreement.parties],
        suite=agreement.suite,
        schema=agreement.schema,
        schema_digest=agreement.schema_digest,
        edges=[_edge_out(edge) for edge in agreement.edges],
        marking=agreement.marking,
        handling_codes=agreement.handling_codes,
        not_before=agreement.not_before,
        expires=agreement.expires,
        rounds_budget=agreement.rounds_budget,
        calendar=agreement.calendar,
        retention_days=agreement.retention_days,
        collector=agreement.collector,
        nonce=agreement.nonce,
        thresholds=[_threshold_out(threshold) for threshold in agreement.thresholds],
        standing=None if agreement.standing is None else pb.Standing(**vars(agreement.standing)),
    )
    payload = message.SerializeToString(deterministic=True)
    if len(payload) > LIMITS.agreement_bytes:
        raise AgreementError(
            "agreement",
            f"has {len(payload)} bytes; at most {LIMITS.agreement_bytes} are allowed",
            hint="Shorten the texts, or make two agreements.",
        )
    return payload


def parse_agreement(payload: bytes) -> Agreement:
    """Read an agreement's payload.

    Raises:
        PeerError: OVERSIZE; WRONG_VERSION for another format; BAD_MESSAGE for bytes that are no agreement, or
            that hold anything a reader of the parsed agreement would not see (unknown or repeated fields).
        AgreementError: a field's value is wrong; says which.
    """
    if len(payload) > LIMITS.agreement_bytes:
        raise PeerError(PeerCode.OVERSIZE, f"the agreement has more than {LIMITS.agreement_bytes} bytes")
    message = pb.Agreement()
    try:
        message.ParseFromString(payload)
    except DecodeError:
        raise PeerError(PeerCode.BAD_MESSAGE, "the agreement is not readable: truncated or damaged") from None
    if message.format != FORMAT:
        raise PeerError(
            PeerCode.WRONG_VERSION,
            f"the agreement has format {message.format}; this version of blindmatch reads format {FORMAT}",
        )
    message.DiscardUnknownFields()
    if message.ByteSize() != len(payload):
        raise PeerError(
            PeerCode.BAD_MESSAGE, "the agreement holds fields that this version of blindmatch does not show"
        )
    return _agreement_in(message)


def describe_request() -> pb.DescribeRequest:
    """Ask a node for its own party entry."""
    return pb.DescribeRequest(version=PROTOCOL_VERSION)


def read_describe_request(message: pb.DescribeRequest) -> None:
    """Check a request for our own entry.

    Raises:
        PeerError: WRONG_VERSION or BAD_MESSAGE.
    """
    strict_reading.version(message.version, "the request")
    strict_reading.known(message, "the request")


def describe_reply(party: Party) -> pb.DescribeReply:
    """A node's own party entry."""
    return pb.DescribeReply(party=_party_out(party))


def read_describe_reply(message: pb.DescribeReply) -> Party:
    """A peer's party entry.

    Raises:
        PeerError: BAD_MESSAGE, naming the field.
    """
    strict_reading.known(message, "the description")
    strict_reading.present(message, "party", "the description")
    try:
        with validation.at("party"):
            return _party_in(message.party)
    except AgreementError as error:
        raise PeerError(PeerCode.BAD_MESSAGE, error.message, hint=error.hint) from None


def propose_request(envelope: Envelope, left: Iterable[SignedWithdrawal] = ()) -> pb.ProposeRequest:
    """Give a peer an agreement with the signatures and withdrawals that we hold."""
    return pb.ProposeRequest(
        version=PROTOCOL_VERSION, envelope=_envelope_out(envelope), withdrawals=map(_withdrawal_out, left)
    )


def read_propose_request(message: pb.ProposeRequest) -> Copy:
    """What a peer proposes; signatures and withdrawals are not verified yet.

    Raises:
        PeerError: WRONG_VERSION, OVERSIZE or BAD_MESSAGE.
    """
    strict_reading.version(message.version, "the proposal")
    return _copy_of(message, "the proposal")


def propose_reply(envelope: Envelope, left: Iterable[SignedWithdrawal] = ()) -> pb.ProposeReply:
    """All that we hold of the proposed agreement."""
    return pb.ProposeReply(envelope=_envelope_out(envelope), withdrawals=map(_withdrawal_out, left))


def read_propose_reply(message: pb.ProposeReply) -> Copy:
    """What the peer holds of the agreement; not verified yet.

    Raises:
        PeerError: OVERSIZE or BAD_MESSAGE.
    """
    return _copy_of(message, "the answer to the proposal")


def fetch_request(agreement: bytes) -> pb.FetchRequest:
    """Ask for an agreement by its id, 32 bytes."""
    return pb.FetchRequest(version=PROTOCOL_VERSION, agreement=agreement)


def read_fetch_request(message: pb.FetchRequest) -> bytes:
    """The id asked for, 32 bytes.

    Raises:
        PeerError: WRONG_VERSION or BAD_MESSAGE.
    """
    strict_reading.version(message.version, "the request")
    strict_reading.known(message, "the request")
    return strict_reading.sized(message.agreement, DIGEST_BYTES, "agreement")


def fetch_reply(envelope: Envelope, left: Iterable[SignedWithdrawal] = ()) -> pb.FetchReply:
    """The agreement with all signatures and withdrawals that we hold."""
    return pb.FetchReply(envelope=_envelope_out(envelope), withdrawals=map(_withdrawal_out, left))


def read_fetch_reply(message: pb.FetchReply) -> Copy:
    """The peer's copy; not verified yet.

    Raises:
        PeerError: OVERSIZE or BAD_MESSAGE.
    """
    return _copy_of(message, "the fetched agreement")


def withdraw_request(signed: SignedWithdrawal) -> pb.WithdrawRequest:
    """Tell a party that we decline or withdraw."""
    return pb.WithdrawRequest(version=PROTOCOL_VERSION, withdrawal=_withdrawal_out(signed))


def read_withdraw_request(message: pb.WithdrawRequest) -> SignedWithdrawal:
    """A peer's withdrawal; not verified yet.

    Raises:
        PeerError: WRONG_VERSION, OVERSIZE or BAD_MESSAGE.
    """
    strict_reading.version(message.version, "the withdrawal")
    strict_reading.known(message, "the withdrawal")
    strict_reading.present(message, "withdrawal", "the withdrawal")
    return _withdrawal_in(message.withdrawal)


def withdraw_reply() -> pb.WithdrawReply:
    """The withdrawal is noted."""
    return pb.WithdrawReply()


def read_withdraw_reply(message: pb.WithdrawReply) -> None:
    """Check that the answer holds nothing that we do not know.

    Raises:
        PeerError: BAD_MESSAGE.
    """
    strict_reading.known(message, "the answer")


def _envelope_out(envelope: Envelope) -> pb.Envelope:
    return pb.Envelope(
        payload_type=envelope.payload_type,
        payload=envelope.payload,
        signatures=[
            pb.Signature(agency=agency, signature=signature)
            for agency, signature in sorted(envelope.signatures.items())
        ],
    )


def _withdrawal_out(signed: SignedWithdrawal) -> pb.SignedWithdrawal:
    return pb.SignedWithdrawal(
        agreement=signed.agreement,
        agency=signed.agency,
        payload=signed.payload,
        signature=signed.signature,
    )


def _withdrawal_in(message: pb.SignedWithdrawal) -> SignedWithdrawal:
    return SignedWithdrawal(message.agreement, message.agency, message.payload, message.signature)


def _copy_of(message: pb.ProposeRequest | pb.ProposeReply | pb.FetchReply, what: str) -> Copy:
    envelope = _envelope_of(message, what)
    if len(message.withdrawals) > LIMITS.parties:
        raise PeerError(PeerCode.OVERSIZE, f"{what} has more than {LIMITS.parties} withdrawals")
    left = tuple(map(_withdrawal_in, message.withdrawals))
    if len({word.agency for word in left}) != len(left):
        raise PeerError(PeerCode.BAD_MESSAGE, f"{what} has two withdrawals of one agency")
    if any(word.agreement != envelope.id for word in left):
        raise PeerError(PeerCode.BAD_MESSAGE, f"{what} has a withdrawal from another agreement")
    return envelope, left


def _envelope_of(message: pb.ProposeRequest | pb.ProposeReply | pb.FetchReply, what: str) -> Envelope:
    strict_reading.known(message, what)
    strict_reading.present(message, "envelope", what)
    envelope = message.envelope
    if len(envelope.signatures) > LIMITS.parties:
        raise PeerError(PeerCode.OVERSIZE, f"{what} has more than {LIMITS.parties} signatures")
    signatures = {entry.agency: entry.signature for entry in envelope.signatures}
    if len(signatures) != len(envelope.signatures):
        raise PeerError(PeerCode.BAD_MESSAGE, f"{what} has two signatures of one agency")
    return Envelope(envelope.payload_type, envelope.payload, signatures)


def _agreement_in(message: pb.Agreement) -> Agreement:
    # Bounds on repeated fields before any of their entries is looked at.
    for name, entries, most in (
        ("parties", message.parties, LIMITS.parties),
        ("edges", message.edges, LIMITS.edges),
        ("thresholds", message.thresholds, LIMITS.thresholds),
    ):
        if len(entries) > most:
            raise AgreementError(name, f"has {len(entries)} entries; at most {most} are allowed")
    parties = []
    for index, party in enumerate(message.parties):
        with validation.at(f"parties[{index}]"):
            parties.append(_party_in(party))
    edges = []
    for index, edge in enumerate(message.edges):
        with validation.at(f"edges[{index}]"):
            edges.append(_edge_in(edge))
    thresholds = []
    for index, threshold in enumerate(message.thresholds):
        with validation.at(f"thresholds[{index}]"):
            thresholds.append(_threshold_in(threshold))
    standing = None
    if message.HasField("standing"):
        with validation.at("standing"):
            standing = Standing(message.standing.epoch_days, message.standing.checks_per_day)
    return Agreement(
        format=message.format,
        title=message.title,
        purpose=message.purpose,
        parties=tuple(parties),
        suite=message.suite,
        schema=message.schema,
        schema_digest=message.schema_digest,
        edges=tuple(edges),
        marking=message.marking,
        handling_codes=tuple(message.handling_codes),
        not_before=message.not_before,
        expires=message.expires,
        rounds_budget=message.rounds_budget,
        calendar=message.calendar,
        retention_days=message.retention_days,
        collector=message.collector,
        nonce=message.nonce,
        thresholds=tuple(thresholds),
        standing=standing,
    )


def _party_out(party: Party) -> pb.Party:
    return pb.Party(
        agency=party.agency,
        name=party.name,
        role=party.role,
        identity_key=party.identity_key,
        certificate_key=party.certificate_key,
        legal_basis=party.legal_basis,
        contact=party.contact,
    )


def _party_in(message: pb.Party) -> Party:
    return Party(
        agency=message.agency,
        name=message.name,
        role=message.role,
        identity_key=message.identity_key,
        certificate_key=message.certificate_key,
        legal_basis=message.legal_basis,
        contact=message.contact,
    )


def _side_out(side: Side) -> pb.Side:
    return pb.Side(
        agency=side.agency,
        collection_kind=side.collection_kind,
        max_records=side.max_records,
        tokens_per_record=side.tokens_per_record,
    )


def _side_in(message: pb.Side) -> Side:
    return Side(
        agency=message.agency,
        collection_kind=message.collection_kind,
        max_records=message.max_records,
        tokens_per_record=message.tokens_per_record,
    )


def _edge_out(edge: Edge) -> pb.Edge:
    return pb.Edge(
        id=edge.id,
        receiver=_side_out(edge.receiver),
        sender=_side_out(edge.sender),
        disclosure=edge.disclosure.value,
        **vars(edge.terms),
        leakage=edge.leakage,
        linkage=_linkage_out(edge.linkage),
    )


def _edge_in(message: pb.Edge) -> Edge:
    with validation.at("receiver"):
        receiver = _side_in(message.receiver)
    with validation.at("sender"):
        sender = _side_in(message.sender)
    return Edge(
        id=message.id,
        receiver=receiver,
        sender=sender,
        terms=edge_terms(message.disclosure, _term_values(message)),
        leakage=message.leakage,
        linkage=_linkage_in(message),
    )


def _term_values(message: pb.Edge) -> dict[str, Any]:
    values = {name: getattr(message, name) for name in TERM_FIELDS}
    return {
        name: tuple(value) if isinstance(TERM_FIELDS[name], tuple) else value
        for name, value in values.items()
    }


def _threshold_out(threshold: Threshold) -> pb.Threshold:
    return pb.Threshold(
        id=threshold.id,
        members=[_side_out(side) for side in threshold.members],
        at_least=threshold.at_least,
        minimum_count=threshold.minimum_count,
        band=threshold.band,
        leakage=threshold.leakage,
        linkage=_linkage_out(threshold.linkage),
    )


def _threshold_in(message: pb.Threshold) -> Threshold:
    if len(message.members) > MEMBERS:
        raise AgreementError("members", f"has {len(message.members)} entries; at most {MEMBERS} are allowed")
    members = []
    for index, side in enumerate(message.members):
        with validation.at(f"members[{index}]"):
            members.append(_side_in(side))
    return Threshold(
        id=message.id,
        members=tuple(members),
        at_least=message.at_least,
        minimum_count=message.minimum_count,
        band=message.band,
        leakage=message.leakage,
        linkage=_linkage_in(message),
    )


def _linkage_out(linkage: Linkage) -> pb.Linkage:
    return pb.Linkage(
        overlap=validation.millionths(linkage.overlap),
        false_leads=validation.millionths(linkage.false_leads),
        budget=linkage.budget,
        missing=linkage.missing,
    )


def _linkage_in(message: pb.Edge | pb.Threshold) -> Linkage:
    if not message.HasField("linkage"):
        raise AgreementError("linkage", "is missing")
    with validation.at("linkage"):
        return Linkage(
            overlap=message.linkage.overlap / 1_000_000,
            false_leads=message.linkage.false_leads / 1_000_000,
            budget=message.linkage.budget,
            missing=message.linkage.missing,
        )
