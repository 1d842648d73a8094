"""The agreement that the parties sign.

`terms` holds what it says, `envelope` the exact bytes with their signatures, `words` what an edge reveals, `checks`
what makes a field wrong. What is signed is never a re-encoding of the terms but the payload's exact bytes, in the
manner of DSSE: verify, then parse. Parsing the bytes is `node/convert`.
"""

from blindmatch.protocol.agreement.envelope import (
    PAYLOAD_TYPE,
    WITHDRAWAL_TYPE,
    Envelope,
    SignedWithdrawal,
    Withdrawal,
    agreement_id,
    check_signatures,
    check_usable,
    missing_signatures,
    read_withdrawal,
    sign,
    sign_withdrawal,
    verify_signature,
    when,
)
from blindmatch.protocol.agreement.terms import (
    CALENDARS,
    EDGE_CHARACTERS,
    FORMAT,
    HANDLING_CODES,
    KINDS,
    MARKINGS,
    NONCE_BYTES,
    SUITE,
    Agreement,
    Disclosure,
    Edge,
    Linkage,
    Party,
    Side,
    within_marking,
)
from blindmatch.protocol.agreement.words import (
    both_learn,
    default_leakage,
    describe,
    receiver_learns,
    sender_learns,
)

__all__ = [
    "CALENDARS",
    "EDGE_CHARACTERS",
    "FORMAT",
    "HANDLING_CODES",
    "KINDS",
    "MARKINGS",
    "NONCE_BYTES",
    "PAYLOAD_TYPE",
    "SUITE",
    "WITHDRAWAL_TYPE",
    "Agreement",
    "Disclosure",
    "Edge",
    "Envelope",
    "Linkage",
    "Party",
    "Side",
    "SignedWithdrawal",
    "Withdrawal",
    "agreement_id",
    "both_learn",
    "check_signatures",
    "check_usable",
    "default_leakage",
    "describe",
    "missing_signatures",
    "read_withdrawal",
    "receiver_learns",
    "sender_learns",
    "sign",
    "sign_withdrawal",
    "verify_signature",
    "when",
    "within_marking",
]
