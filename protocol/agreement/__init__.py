"""The agreement that the parties sign.

`terms` holds its fields, `edges` one comparison of two agencies, `disclosures` one class per disclosure with its fields and
words, `sides` what one side contributes, `field_types` how a field is declared, `envelope` the exact bytes with their
signatures, `withdrawal` declines and withdrawals, `words` what the parties learn, `validation` the checks. The signed bytes
are never a re-encoding of the terms but the payload's exact bytes, in the manner of DSSE: verify, then parse. Parsing is
`node/agreements/payload`.
"""

from blindmatch.protocol.agreement.disclosures import EDGE_TERMS, TERM_FIELDS, edge_terms
from blindmatch.protocol.agreement.disclosures.aggregate import LEAST_MINIMUM, Aggregate
from blindmatch.protocol.agreement.disclosures.count import Count
from blindmatch.protocol.agreement.disclosures.hits import Hits, HitsFacts
from blindmatch.protocol.agreement.disclosures.interface import Disclosure, EdgeTerms
from blindmatch.protocol.agreement.disclosures.sum import Sum
from blindmatch.protocol.agreement.disclosures.threshold import MEMBERS, Threshold
from blindmatch.protocol.agreement.edges import Edge
from blindmatch.protocol.agreement.envelope import (
    PAYLOAD_TYPE,
    Envelope,
    agreement_id,
    check_allowed,
    check_signatures,
    format_time,
    missing_signatures,
    sign,
    verify_signature,
)
from blindmatch.protocol.agreement.sides import EDGE_CHARACTERS, KINDS, Comparison, Linkage, Side
from blindmatch.protocol.agreement.terms import (
    FORMAT,
    HANDLING_CODES,
    MARKINGS,
    NONCE_BYTES,
    Agreement,
    Party,
    Standing,
    within_marking,
)
from blindmatch.protocol.agreement.withdrawal import (
    SignedWithdrawal,
    Withdrawal,
    WithdrawalKind,
    read_withdrawal,
    sign_withdrawal,
)
from blindmatch.protocol.agreement.words import (
    both_learn,
    default_leakage,
    describe,
    standing_learn,
)

__all__ = [
    "EDGE_CHARACTERS",
    "EDGE_TERMS",
    "FORMAT",
    "HANDLING_CODES",
    "KINDS",
    "LEAST_MINIMUM",
    "MARKINGS",
    "MEMBERS",
    "NONCE_BYTES",
    "PAYLOAD_TYPE",
    "TERM_FIELDS",
    "Aggregate",
    "Agreement",
    "Comparison",
    "Count",
    "Disclosure",
    "Edge",
    "EdgeTerms",
    "Envelope",
    "Hits",
    "HitsFacts",
    "Linkage",
    "Party",
    "Side",
    "SignedWithdrawal",
    "Standing",
    "Sum",
    "Threshold",
    "Withdrawal",
    "WithdrawalKind",
    "agreement_id",
    "both_learn",
    "check_allowed",
    "check_signatures",
    "default_leakage",
    "describe",
    "edge_terms",
    "format_time",
    "missing_signatures",
    "read_withdrawal",
    "sign",
    "sign_withdrawal",
    "standing_learn",
    "verify_signature",
    "within_marking",
]
