"""The messages of the Agreements service: envelopes, withdrawals, party entries. Nothing in them is verified here."""

from collections.abc import Iterable
from typing import Any

from blindmatch.node.agreements.fields import plain_data
from blindmatch.node.agreements.payload import from_message
from blindmatch.node.transport import strict_reading
from blindmatch.node.transport.codec import AGREEMENT, NOTHING, Part, PlainShape, field
from blindmatch.proto.v1 import agreement_pb2 as pb
from blindmatch.protocol.agreement import Envelope, Party, SignedWithdrawal, validation
from blindmatch.protocol.errors import AgreementError, PeerCode, PeerError
from blindmatch.protocol.limits import LIMITS

AgreementCopy = tuple[Envelope, tuple[SignedWithdrawal, ...]]
"""One party's copy of an agreement: its bytes with the signatures, and the declines and withdrawals."""


def _party_out(party: Party) -> pb.Party:
    return pb.Party(**plain_data(party))


def _party_in(message: pb.Party) -> Party:
    try:
        with validation.at("party"):
            return from_message(Party, message)
    except AgreementError as error:
        raise PeerError(PeerCode.BAD_MESSAGE, error.message, hint=error.hint) from None


def _withdrawal_out(signed: SignedWithdrawal) -> pb.SignedWithdrawal:
    return pb.SignedWithdrawal(**vars(signed))


def _withdrawal_in(message: pb.SignedWithdrawal) -> SignedWithdrawal:
    return SignedWithdrawal(message.agreement, message.agency, message.payload, message.signature)


def _copy_out(envelope: Envelope, withdrawals: Iterable[SignedWithdrawal] = ()) -> dict[str, Any]:
    signatures = [
        pb.Signature(agency=agency, signature=signature)
        for agency, signature in sorted(envelope.signatures.items())
    ]
    message = pb.Envelope(payload_type=envelope.payload_type, payload=envelope.payload, signatures=signatures)
    return {"envelope": message, "withdrawals": map(_withdrawal_out, withdrawals)}


def _copy_in(message: Any, what: str) -> AgreementCopy:
    envelope = _envelope_in(message, what)
    if len(message.withdrawals) > LIMITS.parties:
        raise PeerError(PeerCode.OVERSIZE, f"{what} has more than {LIMITS.parties} withdrawals")
    withdrawals = tuple(map(_withdrawal_in, message.withdrawals))
    if len({each.agency for each in withdrawals}) != len(withdrawals):
        raise PeerError(PeerCode.BAD_MESSAGE, f"{what} has two withdrawals of one agency")
    if any(each.agreement != envelope.id for each in withdrawals):
        raise PeerError(PeerCode.BAD_MESSAGE, f"{what} has a withdrawal from another agreement")
    return envelope, withdrawals


def _envelope_in(message: Any, what: str) -> Envelope:
    strict_reading.present(message, "envelope", what)
    envelope = message.envelope
    if len(envelope.signatures) > LIMITS.parties:
        raise PeerError(PeerCode.OVERSIZE, f"{what} has more than {LIMITS.parties} signatures")
    signatures = {entry.agency: entry.signature for entry in envelope.signatures}
    if len(signatures) != len(envelope.signatures):
        raise PeerError(PeerCode.BAD_MESSAGE, f"{what} has two signatures of one agency")
    return Envelope(envelope.payload_type, envelope.payload, signatures)


_COPY = Part("envelope", _copy_out, _copy_in)
"""An `AgreementCopy`. OVERSIZE, BAD_MESSAGE."""

describe_request = PlainShape(pb.DescribeRequest, "the request", NOTHING)
"""Ask a node for its own party entry."""

describe_reply = PlainShape(
    pb.DescribeReply, "the description", field("party", _party_out, _party_in, required=True)
)
"""A node's own party entry. BAD_MESSAGE names the field that is wrong."""

propose_request = PlainShape(pb.ProposeRequest, "the proposal", _COPY)
"""Send a peer an agreement with the signatures and withdrawals that this node holds."""

propose_reply = PlainShape(pb.ProposeReply, "the answer to the proposal", _COPY)
"""The other node's copy of the proposed agreement."""

fetch_request = PlainShape(pb.FetchRequest, "the request", AGREEMENT)
"""Ask for an agreement by its id, 32 bytes."""

fetch_reply = PlainShape(pb.FetchReply, "the fetched agreement", _COPY)
"""The other node's copy of the agreement."""

withdraw_request = PlainShape(
    pb.WithdrawRequest, "the withdrawal", field("withdrawal", _withdrawal_out, _withdrawal_in, required=True)
)
"""Send our decline or withdrawal to a party."""

withdraw_reply = PlainShape(pb.WithdrawReply, "the answer", NOTHING)
"""The withdrawal is stored."""
