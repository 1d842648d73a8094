"""The messages of the Agreements service: envelopes, withdrawals, party entries."""

from collections.abc import Iterable

from blindmatch.node.agreements.fields import plain_data
from blindmatch.node.agreements.payload import from_message
from blindmatch.node.transport import strict_reading
from blindmatch.proto.v1 import agreement_pb2 as pb
from blindmatch.protocol.agreement import Envelope, Party, SignedWithdrawal, validation
from blindmatch.protocol.errors import AgreementError, PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES, LIMITS, PROTOCOL_VERSION

AgreementCopy = tuple[Envelope, tuple[SignedWithdrawal, ...]]
"""One party's copy of an agreement: its bytes with the signatures, and the declines and withdrawals."""


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
    return pb.DescribeReply(party=pb.Party(**plain_data(party)))


def read_describe_reply(message: pb.DescribeReply) -> Party:
    """A peer's party entry.

    Raises:
        PeerError: BAD_MESSAGE, naming the field.
    """
    strict_reading.known(message, "the description")
    strict_reading.present(message, "party", "the description")
    try:
        with validation.at("party"):
            return from_message(Party, message.party)
    except AgreementError as error:
        raise PeerError(PeerCode.BAD_MESSAGE, error.message, hint=error.hint) from None


def propose_request(envelope: Envelope, withdrawals: Iterable[SignedWithdrawal] = ()) -> pb.ProposeRequest:
    """Send a peer an agreement with the signatures and withdrawals that this node holds."""
    return pb.ProposeRequest(
        version=PROTOCOL_VERSION,
        envelope=_envelope_out(envelope),
        withdrawals=map(_withdrawal_out, withdrawals),
    )


def read_propose_request(message: pb.ProposeRequest) -> AgreementCopy:
    """A peer's proposal; signatures and withdrawals are not verified yet.

    Raises:
        PeerError: WRONG_VERSION, OVERSIZE or BAD_MESSAGE.
    """
    strict_reading.version(message.version, "the proposal")
    return _copy_of(message, "the proposal")


def propose_reply(envelope: Envelope, withdrawals: Iterable[SignedWithdrawal] = ()) -> pb.ProposeReply:
    """This node's copy of the proposed agreement."""
    return pb.ProposeReply(envelope=_envelope_out(envelope), withdrawals=map(_withdrawal_out, withdrawals))


def read_propose_reply(message: pb.ProposeReply) -> AgreementCopy:
    """The peer's copy of the agreement; not verified yet.

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


def fetch_reply(envelope: Envelope, withdrawals: Iterable[SignedWithdrawal] = ()) -> pb.FetchReply:
    """This node's copy of the agreement."""
    return pb.FetchReply(envelope=_envelope_out(envelope), withdrawals=map(_withdrawal_out, withdrawals))


def read_fetch_reply(message: pb.FetchReply) -> AgreementCopy:
    """The peer's copy; not verified yet.

    Raises:
        PeerError: OVERSIZE or BAD_MESSAGE.
    """
    return _copy_of(message, "the fetched agreement")


def withdraw_request(signed: SignedWithdrawal) -> pb.WithdrawRequest:
    """Send our decline or withdrawal to a party."""
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
    """The withdrawal is stored."""
    return pb.WithdrawReply()


def read_withdraw_reply(message: pb.WithdrawReply) -> None:
    """Check that the answer holds no unknown fields.

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


def _copy_of(message: pb.ProposeRequest | pb.ProposeReply | pb.FetchReply, what: str) -> AgreementCopy:
    envelope = _envelope_of(message, what)
    if len(message.withdrawals) > LIMITS.parties:
        raise PeerError(PeerCode.OVERSIZE, f"{what} has more than {LIMITS.parties} withdrawals")
    withdrawals = tuple(map(_withdrawal_in, message.withdrawals))
    if len({each.agency for each in withdrawals}) != len(withdrawals):
        raise PeerError(PeerCode.BAD_MESSAGE, f"{what} has two withdrawals of one agency")
    if any(each.agreement != envelope.id for each in withdrawals):
        raise PeerError(PeerCode.BAD_MESSAGE, f"{what} has a withdrawal from another agreement")
    return envelope, withdrawals


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
