"""The agreement that the parties sign.

`terms` holds what it says, `envelope` the exact bytes with their signatures, `checks` what makes a field wrong.
What is signed is never a re-encoding of the terms but the payload's exact bytes, in the manner of DSSE: verify,
then parse. Parsing the bytes is `node/convert`.
"""

from blindmatch.protocol.agreement.terms import (
    CALENDARS,
    FORMAT,
    HANDLING_CODES,
    KINDS,
    MARKINGS,
    NONCE_BYTES,
    SUITE,
    Agreement,
    Disclosure,
    Edge,
    Party,
    Side,
)

__all__ = [
    "CALENDARS",
    "FORMAT",
    "HANDLING_CODES",
    "KINDS",
    "MARKINGS",
    "NONCE_BYTES",
    "SUITE",
    "Agreement",
    "Disclosure",
    "Edge",
    "Party",
    "Side",
]
