"""A party's signed withdrawal: a decline before the party has signed, a withdrawal afterwards.

Either ends the agreement for every party: no round runs under it. The two differ in the type that is signed, so that
neither can be passed off as the other.
"""

from dataclasses import dataclass
from enum import StrEnum

from blindmatch.protocol import transcript
from blindmatch.protocol.agreement.envelope import check_agency_id, check_size
from blindmatch.protocol.agreement.field_types import LAST_SECOND, Text
from blindmatch.protocol.agreement.terms import Agreement
from blindmatch.protocol.errors import AgreementError, PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES, LIMITS, SIGNATURE_BYTES
from blindmatch.protocol.transcript import Signer

_PAYLOAD_BYTES = 4 * LIMITS.reason_characters + 1_024
"""A reason in UTF-8, and the short fields around it."""


class WithdrawalKind(StrEnum):
    """Whether a party declined or withdrew; the value is shown to people."""

    DECLINED = "declined"
    WITHDRAWN = "withdrawn"

    @property
    def payload_type(self) -> str:
        """What is signed together with the payload."""
        return _TYPES[self]


_TYPES = {
    WithdrawalKind.DECLINED: "application/vnd.blindmatch.decline.v1",
    WithdrawalKind.WITHDRAWN: "application/vnd.blindmatch.withdrawal.v1",
}


@dataclass(frozen=True)
class SignedWithdrawal:
    """One party's signed decline or withdrawal. Exact bytes, verified by `read_withdrawal`.

    Raises:
        PeerError: OVERSIZE or BAD_MESSAGE.
    """

    agreement: bytes
    agency: str
    payload: bytes
    signature: bytes

    def __post_init__(self) -> None:
        check_size(self.agreement, DIGEST_BYTES, "withdrawal.agreement")
        check_agency_id(self.agency, "withdrawal")
        if len(self.payload) > _PAYLOAD_BYTES:
            raise PeerError(PeerCode.OVERSIZE, f"the withdrawal has more than {_PAYLOAD_BYTES} bytes")
        check_size(self.signature, SIGNATURE_BYTES, "withdrawal.signature")


@dataclass(frozen=True)
class Withdrawal:
    """The content: the agreement, the agency, the time (seconds since 1970, UTC), the reason, and the kind."""

    agreement: bytes
    agency: str
    at: int
    reason: str
    kind: WithdrawalKind = WithdrawalKind.WITHDRAWN


def sign_withdrawal(withdrawal: Withdrawal, signer: Signer) -> SignedWithdrawal:
    """Sign a withdrawal.

    Raises:
        AgreementError: the reason is too long, holds invisible characters, or is missing from a decline.
    """
    _check_reason(withdrawal)
    kind = withdrawal.kind.payload_type
    payload = transcript.encode(
        kind, withdrawal.agreement, withdrawal.agency, withdrawal.at, withdrawal.reason
    )
    signed = transcript.sign(signer, kind, payload)
    return SignedWithdrawal(withdrawal.agreement, withdrawal.agency, payload, signed.signature)


def read_withdrawal(signed: SignedWithdrawal, agreement: Agreement) -> Withdrawal:
    """Verify, then parse what a party of `agreement` signed.

    Raises:
        PeerError: WRONG_AGENCY when the agency is not a party; BAD_SIGNATURE; BAD_MESSAGE when the signed bytes do not
            agree with the message around them.
    """
    if signed.agency not in agreement.agencies:
        raise PeerError(PeerCode.WRONG_AGENCY, f"{signed.agency} is not a party of the agreement")
    kind = _verified(signed, agreement.party(signed.agency).identity_key)
    fields = transcript.decode(kind.payload_type, signed.payload)
    read = Withdrawal(fields.data(DIGEST_BYTES), fields.text(), fields.integer(), fields.text(), kind)
    fields.end()
    if (read.agreement, read.agency) != (signed.agreement, signed.agency) or read.at > LAST_SECOND:
        raise PeerError(PeerCode.BAD_MESSAGE, "the withdrawal is for another agreement or agency")
    try:
        _check_reason(read)
    except AgreementError as error:
        raise PeerError(PeerCode.BAD_MESSAGE, f"withdrawal.{error.message}") from None
    return read


def _verified(signed: SignedWithdrawal, key: bytes) -> WithdrawalKind:
    """The kind whose type the party signed. Nothing is parsed before this check."""
    for kind in WithdrawalKind:
        try:
            transcript.verify(key, kind.payload_type, signed.payload, signed.signature)
        except PeerError:
            continue
        return kind
    raise PeerError(
        PeerCode.BAD_SIGNATURE, f"{signed.agency}'s signature over its withdrawal does not verify"
    )


def _check_reason(withdrawal: Withdrawal) -> None:
    optional = withdrawal.kind is WithdrawalKind.WITHDRAWN
    Text(LIMITS.reason_characters, optional).check("reason", withdrawal.reason)
