"""The agreement that the parties sign.

`terms` holds what it says, `edges` who is compared with whom, `envelope` the exact bytes with their signatures,
`leaving` who declined or withdrew, `words` what a comparison reveals, `checks` what makes a field wrong. What is signed
is never a re-encoding of the terms but the payload's exact bytes, in the manner of DSSE: verify, then parse. Parsing
the bytes is `node/convert`.
"""

from blindmatch.protocol.agreement.disclosures import (
    EDGE_TERMS,
    LEAST_MINIMUM,
    MEMBERS,
    TERM_FIELDS,
    Aggregate,
    Count,
    Disclosure,
    EdgeTerms,
    Hits,
    HitsFacts,
    Sum,
    Threshold,
    edge_terms,
    terms_class,
)
from blindmatch.protocol.agreement.edges import Edge
from blindmatch.protocol.agreement.envelope import (
    PAYLOAD_TYPE,
    Envelope,
    agreement_id,
    check_allowed,
    check_signatures,
    check_usable,
    missing_signatures,
    sign,
    verify_signature,
    when,
)
from blindmatch.protocol.agreement.sides import EDGE_CHARACTERS, KINDS, Linkage, Side
from blindmatch.protocol.agreement.terms import (
    CALENDARS,
    FORMAT,
    HANDLING_CODES,
    MARKINGS,
    NONCE_BYTES,
    SUITE,
    Agreement,
    Party,
    Standing,
    within_marking,
)
from blindmatch.protocol.agreement.withdrawal import (
    Leaving,
    SignedWithdrawal,
    Withdrawal,
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
    "CALENDARS",
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
    "SUITE",
    "TERM_FIELDS",
    "Aggregate",
    "Agreement",
    "Count",
    "Disclosure",
    "Edge",
    "EdgeTerms",
    "Envelope",
    "Hits",
    "HitsFacts",
    "Leaving",
    "Linkage",
    "Party",
    "Side",
    "SignedWithdrawal",
    "Standing",
    "Sum",
    "Threshold",
    "Withdrawal",
    "agreement_id",
    "both_learn",
    "check_allowed",
    "check_signatures",
    "check_usable",
    "default_leakage",
    "describe",
    "edge_terms",
    "missing_signatures",
    "read_withdrawal",
    "sign",
    "sign_withdrawal",
    "standing_learn",
    "terms_class",
    "verify_signature",
    "when",
    "within_marking",
]
