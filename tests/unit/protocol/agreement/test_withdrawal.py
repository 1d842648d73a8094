"""Signed withdrawals and refusals of an agreement: valid only from the party itself and for the agreement they name."""

from dataclasses import replace

import pytest
from tests.support.agencies import Agency
from tests.support.sample_agreement import EAST, SOUTH, START, sample_agreement

from blindmatch.protocol import agreement as terms
from blindmatch.protocol import transcript
from blindmatch.protocol.agreement import (
    SignedWithdrawal,
    Withdrawal,
    WithdrawalKind,
)
from blindmatch.protocol.errors import AgreementError, PeerCode, PeerError
from blindmatch.protocol.limits import LIMITS


def test_a_withdrawal_is_read_back():
    word = Withdrawal(b"\x07" * 32, "east-council", START, "The pilot has ended.")
    assert terms.read_withdrawal(terms.sign_withdrawal(word, EAST.signer), sample_agreement()) == word


@pytest.mark.parametrize("kind", WithdrawalKind)
@pytest.mark.parametrize("reason", ["x" * (LIMITS.reason_characters + 1), "a\x00b"])
def test_a_reason_is_a_text(reason, kind):
    with pytest.raises(AgreementError):
        terms.sign_withdrawal(Withdrawal(b"\x07" * 32, "east-council", START, reason, kind), EAST.signer)


def test_a_decline_is_read_back_and_has_a_reason():
    word = Withdrawal(b"\x07" * 32, "east-council", START, "Too wide.", WithdrawalKind.DECLINED)
    assert terms.read_withdrawal(terms.sign_withdrawal(word, EAST.signer), sample_agreement()) == word
    with pytest.raises(AgreementError, match="reason"):
        terms.sign_withdrawal(replace(word, reason=""), EAST.signer)


def test_a_decline_cannot_pass_for_a_withdrawal():
    """The kind stands in the signed type: with the other kind's bytes the signature does not verify."""
    words = [
        Withdrawal(b"\x07" * 32, "east-council", START, "Too wide.", kind)
        for kind in (WithdrawalKind.DECLINED, WithdrawalKind.WITHDRAWN)
    ]
    declined, withdrawn = (terms.sign_withdrawal(word, EAST.signer) for word in words)
    for payload, signature in (
        (withdrawn.payload, declined.signature),
        (declined.payload, withdrawn.signature),
    ):
        with pytest.raises(PeerError) as caught:
            terms.read_withdrawal(replace(declined, payload=payload, signature=signature), sample_agreement())
        assert caught.value.code is PeerCode.BAD_SIGNATURE
    # Signed under one type and written as the other: verified, then found to say something else.
    mixed = transcript.sign(EAST.signer, WithdrawalKind.DECLINED.payload_type, withdrawn.payload)
    with pytest.raises(PeerError) as caught:
        terms.read_withdrawal(
            replace(declined, payload=mixed.payload, signature=mixed.signature), sample_agreement()
        )
    assert caught.value.code is PeerCode.BAD_MESSAGE


def test_what_64_parties_say_fits_beside_the_largest_agreement():
    word = Withdrawal(b"\x07" * 32, "east-council", START, "\U0001f600" * LIMITS.reason_characters)
    largest = terms.sign_withdrawal(word, EAST.signer)
    each = len(largest.payload) + 300  # agency, signature, id and framing
    assert LIMITS.agreement_bytes + LIMITS.parties * each < LIMITS.message_bytes


def test_a_withdrawal_for_another_party_is_refused():
    word = Withdrawal(b"\x07" * 32, "east-council", START, "")
    forged = terms.sign_withdrawal(word, SOUTH.signer)
    with pytest.raises(PeerError) as caught:
        terms.read_withdrawal(forged, sample_agreement())
    assert caught.value.code is PeerCode.BAD_SIGNATURE
    stranger = terms.sign_withdrawal(replace(word, agency="north-council"), Agency("north-council").signer)
    with pytest.raises(PeerError) as caught:
        terms.read_withdrawal(stranger, sample_agreement())
    assert caught.value.code is PeerCode.WRONG_AGENCY


@pytest.mark.parametrize("changes", [{"agreement": b"\x08" * 32}, {"agency": "south-council"}])
def test_a_withdrawal_in_another_wrapper_is_refused(changes):
    word = Withdrawal(b"\x07" * 32, "east-council", START, "")
    inside = terms.sign_withdrawal(word, SOUTH.signer if "agency" in changes else EAST.signer)
    wrapped = SignedWithdrawal(
        **{"agreement": inside.agreement, "agency": inside.agency, **changes},
        payload=inside.payload,
        signature=inside.signature,
    )
    with pytest.raises(PeerError) as caught:
        terms.read_withdrawal(wrapped, sample_agreement())
    assert caught.value.code is PeerCode.BAD_MESSAGE


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (PeerCode.BAD_MESSAGE, {"agreement": b"\x07"}),
        (PeerCode.BAD_MESSAGE, {"agency": "A"}),
        (PeerCode.OVERSIZE, {"payload": bytes(1 << 20)}),
        (PeerCode.BAD_MESSAGE, {"signature": b""}),
    ],
)
def test_signed_withdrawal(code, changes):
    good_one = SignedWithdrawal(b"\x07" * 32, "east-council", b"x", bytes(64))
    with pytest.raises(PeerError) as caught:
        replace(good_one, **changes)
    assert caught.value.code is code
