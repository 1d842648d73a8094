"""The agreement's exact bytes, the signatures over them, and the check that a round may start.

In the manner of DSSE (github.com/secure-systems-lab/dsse): every party signs the payload's type and bytes. An
`Envelope` claims nothing about its signatures; `check_signatures` and `check_allowed` do.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType

from blindmatch.protocol import transcript
from blindmatch.protocol.agreement.field_types import Identifier
from blindmatch.protocol.agreement.terms import Agreement
from blindmatch.protocol.errors import AgreementError, PeerCode, PeerError
from blindmatch.protocol.limits import LIMITS, SIGNATURE_BYTES
from blindmatch.protocol.transcript import Signer

PAYLOAD_TYPE = "application/vnd.blindmatch.agreement.v1+protobuf"


@dataclass(frozen=True)
class Envelope:
    """Exact bytes and the signatures over them, by agency.

    Raises:
        PeerError: OVERSIZE or BAD_MESSAGE, when a size or a name cannot be right.
    """

    payload_type: str
    payload: bytes
    signatures: Mapping[str, bytes] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.payload_type != PAYLOAD_TYPE:
            raise PeerError(PeerCode.BAD_MESSAGE, "the envelope does not hold an agreement of a known type")
        if not self.payload:
            raise PeerError(PeerCode.BAD_MESSAGE, "the envelope is empty")
        if len(self.payload) > LIMITS.agreement_bytes:
            raise PeerError(PeerCode.OVERSIZE, f"the agreement has more than {LIMITS.agreement_bytes} bytes")
        if len(self.signatures) > LIMITS.parties:
            raise PeerError(PeerCode.OVERSIZE, f"the envelope has more than {LIMITS.parties} signatures")
        for index, (agency, signature) in enumerate(self.signatures.items()):
            check_agency_id(agency, f"signatures[{index}]")
            check_size(signature, SIGNATURE_BYTES, f"signatures[{index}]")
        object.__setattr__(self, "signatures", MappingProxyType(dict(self.signatures)))

    @property
    def id(self) -> bytes:
        """The agreement's id, 32 bytes."""
        return agreement_id(self.payload)

    def with_signatures(self, more: Mapping[str, bytes]) -> "Envelope":
        """The same bytes with more signatures; existing signatures are not replaced."""
        return Envelope(self.payload_type, self.payload, {**more, **self.signatures})


def agreement_id(payload: bytes) -> bytes:
    """The id of an agreement: the digest of its type and its exact bytes, 32 bytes."""
    return transcript.digest(PAYLOAD_TYPE.encode(), payload)


def sign(payload: bytes, signer: Signer) -> bytes:
    """One party's signature over an agreement's exact bytes, 64 bytes."""
    return transcript.sign(signer, PAYLOAD_TYPE, payload).signature


def verify_signature(agreement: Agreement, payload: bytes, agency: str, signature: bytes) -> None:
    """Check one party's signature over the bytes that `agreement` was parsed from.

    Raises:
        PeerError: ALTERED_AGREEMENT, when the agency is no party or its identity key did not sign these bytes.
    """
    if agency not in agreement.agencies:
        raise PeerError(
            PeerCode.ALTERED_AGREEMENT, f"{agency} signed the agreement but is not one of its parties"
        )
    try:
        transcript.verify(agreement.party(agency).identity_key, PAYLOAD_TYPE, payload, signature)
    except PeerError:
        raise PeerError(
            PeerCode.ALTERED_AGREEMENT,
            f"{agency}'s signature does not verify over this agreement",
            hint=f"The text was altered after {agency} signed it, or another key signed. Ask {agency} to send its copy.",
        ) from None


def check_signatures(agreement: Agreement, envelope: Envelope) -> None:
    """Check every signature in the envelope; a missing signature is no error here.

    Raises:
        PeerError: ALTERED_AGREEMENT.
    """
    for agency, signature in envelope.signatures.items():
        verify_signature(agreement, envelope.payload, agency, signature)


def missing_signatures(agreement: Agreement, envelope: Envelope) -> tuple[str, ...]:
    """The parties that have not signed yet, in the agreement's order."""
    return tuple(agency for agency in agreement.agencies if agency not in envelope.signatures)


def check_allowed(
    agreement: Agreement,
    envelope: Envelope,
    *,
    now: int,
    rounds_used: int,
    withdrawn: Collection[str],
    declined: Collection[str] = (),
) -> None:
    """Check that a round may start under this agreement now.

    Args:
        agreement: parsed from `envelope.payload`.
        envelope: the exact bytes with all signatures that this node holds, verified by `check_signatures`.
        now: seconds since 1970, UTC.
        rounds_used: rounds started so far over the edge in question.
        withdrawn: the agencies that have withdrawn.
        declined: the agencies that declined to sign.

    Raises:
        PeerError: UNSIGNED_AGREEMENT, EXPIRED_AGREEMENT (also withdrawn, declined, or too early), BUDGET_SPENT.
    """
    for action, agencies in (("withdrawn", withdrawn), ("declined", declined)):
        if agencies:  # checked before missing signatures, which are then no longer needed
            raise PeerError(
                PeerCode.EXPIRED_AGREEMENT,
                f"{action} by {', '.join(sorted(agencies))}",
                hint="No round can run under this agreement. Draft and sign a new one.",
            )
    if missing := missing_signatures(agreement, envelope):
        raise PeerError(
            PeerCode.UNSIGNED_AGREEMENT,
            f"not every party has signed: {', '.join(missing)} missing",
            hint="Each missing party runs `blindmatch agreement sign`; `agreement show` fetches new signatures.",
        )
    if now < agreement.not_before:
        raise PeerError(
            PeerCode.EXPIRED_AGREEMENT,
            f"the agreement is not valid before {format_time(agreement.not_before)}",
            hint="Wait for its first day, and check this machine's clock.",
        )
    if now >= agreement.expires:
        raise PeerError(
            PeerCode.EXPIRED_AGREEMENT,
            f"the agreement expired on {format_time(agreement.expires)}",
            hint="Draft and sign a new agreement.",
        )
    if rounds_used >= agreement.rounds_budget:
        raise PeerError(
            PeerCode.BUDGET_SPENT,
            f"all {agreement.rounds_budget} rounds of the agreement are used",
            hint="Finish a running round with `blindmatch round run`, or sign a new agreement.",
        )


def format_time(seconds: int) -> str:
    """A time in words: `2026-03-01 09:00 UTC`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def check_agency_id(value: str, where: str) -> None:
    """Check an agency's id in a message from outside.

    Raises:
        PeerError: BAD_MESSAGE.
    """
    try:
        Identifier().check("agency", value)
    except AgreementError as error:
        raise PeerError(PeerCode.BAD_MESSAGE, f"{where}.{error.message}") from None


def check_size(value: bytes, size: int, where: str) -> None:
    """Check the size, in bytes, of a field of a message from outside.

    Raises:
        PeerError: BAD_MESSAGE.
    """
    if len(value) != size:
        raise PeerError(PeerCode.BAD_MESSAGE, f"{where} has {len(value)} bytes instead of {size}")
