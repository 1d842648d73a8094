"""The exceptions, named for whose fault it is.

```
BlindmatchError            message for the operator, and a hint: what to do next
├── LocalError             this node: its settings, files, keys, store, or a wrong call
│   ├── ConfigError        node.toml or the command's words
│   ├── KeysError          wrong passphrase, missing or damaged key files
│   ├── StoreError         the database or the files beside it
│   ├── InputError         a file that an officer gave us
│   └── SequenceError      our own code called a session out of order
├── PeerError              the other node: carries a PeerCode, ends the session, never the process
└── AgreementError         the agreement: names the field that is wrong
```

Nothing in this module, and no message built from it, may hold a secret or a value out of a record.
"""

from enum import StrEnum


class BlindmatchError(Exception):
    """Base of every error that blindmatch raises on purpose.

    Args:
        message: one sentence for the operator, without secrets or values out of records.
        hint: what to do next, or the empty string.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class LocalError(BlindmatchError):
    """Our own side: settings, files, keys, store, or a wrong call."""


class ConfigError(LocalError):
    """`node.toml`, an environment variable or the command's words are wrong."""


class KeysError(LocalError):
    """The passphrase is wrong, or a key file is missing or damaged."""


class StoreError(LocalError):
    """The database, or a file beside it, cannot be read or written."""


class InputError(LocalError):
    """A file given by an officer cannot be used; says where and why."""


class SequenceError(LocalError):
    """Our own code called a session out of order: a defect, never a peer's doing."""


class PeerCode(StrEnum):
    """What a peer did wrong. The code travels with the gRPC status and stands in the audit log."""

    BAD_MESSAGE = "bad-message"  # truncated, malformed, or a field of the wrong size
    OVERSIZE = "oversize"  # larger than limits.py allows
    WRONG_VERSION = "wrong-version"  # a protocol version that we do not speak
    WRONG_AGENCY = "wrong-agency"  # the certificate's agency is not the party, or not allowed this call
    WRONG_CERTIFICATE = "wrong-certificate"  # expired, revoked, another authority, or not the agreed key
    WRONG_STATE = "wrong-state"  # a message that the session's table does not allow now
    UNKNOWN_ROUND = "unknown-round"
    UNKNOWN_AGREEMENT = "unknown-agreement"
    UNSIGNED_AGREEMENT = "unsigned-agreement"  # not every party has signed the same bytes
    ALTERED_AGREEMENT = "altered-agreement"  # signatures do not verify over these bytes
    EXPIRED_AGREEMENT = "expired-agreement"  # before its first day, after its last, or withdrawn
    BUDGET_SPENT = "budget-spent"  # the agreement's rounds are used up
    OVER_LIMIT = "over-limit"  # more records or elements than the agreement allows
    SCHEMA_MISMATCH = "schema-mismatch"  # the sides compiled different keys
    BAD_SIGNATURE = "bad-signature"  # on a commitment or receipt
    BAD_COMMITMENT = "bad-commitment"  # what came does not hash to what was committed to
    BAD_SEQUENCE = "bad-sequence"  # a chunk out of order
    ALTERED_CHUNK = "altered-chunk"  # a repeated chunk with other bytes
    BAD_COUNT = "bad-count"  # a chunk of the wrong number of elements
    BAD_POINT = "bad-point"  # RFC 9497 2.1: not canonical, not on the group, or the identity
    BAD_PROOF = "bad-proof"  # the DLEQ proof does not verify
    BAD_TAGS = "bad-tags"  # tag table out of order, or a sealed payload that does not open
    DIVERGED = "diverged"  # the sides hold different states of an epoch
    BAD_RECEIPT = "bad-receipt"  # receipt does not say what this side saw
    BAD_OUTCOME = "bad-outcome"  # a count or sum that the agreement's terms cannot give
    REFUSED = "refused"  # the peer's own node said no; its code is in the message
    UNAVAILABLE = "unavailable"  # no answer, or a transport failure


class PeerError(BlindmatchError):
    """The other node broke the protocol, or could not be reached.

    Ends the session; the node lives on and the audit log records the code.
    """

    def __init__(self, code: PeerCode, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code

    def __str__(self) -> str:
        return f"[{self.code.value}] {self.message}"


class AgreementError(BlindmatchError):
    """An agreement that cannot be accepted; `field` is a path such as `edges[1].sender.records`."""

    def __init__(self, field: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"{field}: {message}", hint=hint)
        self.field = field
