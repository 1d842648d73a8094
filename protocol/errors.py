"""The exceptions, named after the side that is at fault.

```
BlindmatchError            a message for the operator, and a hint: what to do next
├── LocalError             this node: its settings, files, keys, store, or an incorrect call
│   ├── ConfigError        node.toml, an environment variable or the command's arguments
│   ├── KeysError          wrong passphrase, missing or damaged key files
│   ├── StoreError         the database or the files beside it
│   ├── InputError         an input file from an officer
│   └── SequenceError      our own code called a function in the wrong order or with wrong arguments
├── PeerError              the other node: carries a PeerCode; ends the session, never the process
└── AgreementError         the agreement: names the incorrect field
```

No message or hint may contain a secret or a value from a record.
"""

from enum import StrEnum


class BlindmatchError(Exception):
    """The base class of every error that blindmatch raises deliberately.

    Args:
        message: one sentence for the operator, without secrets or values from records.
        hint: what the operator can do next, or the empty string.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class LocalError(BlindmatchError):
    """This node is at fault: its settings, files, keys, store, or an incorrect call."""


class ConfigError(LocalError):
    """`node.toml`, an environment variable or an argument of the command is invalid."""


class KeysError(LocalError):
    """The passphrase is wrong, or a key file is missing or damaged."""


class StoreError(LocalError):
    """The database, or a file in the data folder, cannot be read or written."""


class InputError(LocalError):
    """An input file cannot be used; the message states where and why."""


class SequenceError(LocalError):
    """Our own code called a function in the wrong order or with wrong arguments: a defect in this program, never a peer's fault."""


class PeerCode(StrEnum):
    """How a peer broke the protocol. The code is sent with the gRPC status and recorded in the audit log.

    The values are part of the wire format: they never change.
    """

    BAD_MESSAGE = "bad-message"  # truncated, malformed, or a field of the wrong size
    OVERSIZE = "oversize"  # larger than `limits.py` permits
    WRONG_VERSION = "wrong-version"  # a protocol version that this node does not support
    WRONG_AGENCY = "wrong-agency"  # the certificate's agency is not the party, or may not call this method
    WRONG_CERTIFICATE = "wrong-certificate"  # expired, revoked, from another authority, or not the agreed key
    WRONG_STATE = "wrong-state"  # a message that the session's transition table does not permit in this state
    UNKNOWN_ROUND = "unknown-round"
    UNKNOWN_AGREEMENT = "unknown-agreement"
    UNSIGNED_AGREEMENT = "unsigned-agreement"  # not every party has signed the same bytes
    ALTERED_AGREEMENT = "altered-agreement"  # the signatures do not verify over these bytes
    EXPIRED_AGREEMENT = "expired-agreement"  # before its first day, after its last day, or withdrawn
    BUDGET_SPENT = "budget-spent"  # the agreement's budget of rounds is spent
    OVER_LIMIT = "over-limit"  # more records or elements than the agreement allows
    SCHEMA_MISMATCH = "schema-mismatch"  # the sides compiled different match keys
    BAD_SIGNATURE = "bad-signature"  # on a commitment or receipt
    BAD_COMMITMENT = "bad-commitment"  # the data received does not match the commitment
    BAD_SEQUENCE = "bad-sequence"  # a chunk out of order
    ALTERED_CHUNK = "altered-chunk"  # a retransmitted chunk with different bytes
    BAD_COUNT = "bad-count"  # a chunk of the wrong number of elements
    BAD_POINT = "bad-point"  # RFC 9497 2.1: not canonical, not on the group, or the identity
    BAD_PROOF = "bad-proof"  # the DLEQ proof does not verify
    BAD_TAGS = "bad-tags"  # the tag table is out of order, or a sealed payload does not open
    DIVERGED = "diverged"  # the two sides' states of an epoch differ
    BAD_RECEIPT = "bad-receipt"  # the receipt does not match what this side recorded
    BAD_OUTCOME = "bad-outcome"  # a count or sum that is impossible under the agreement's terms
    REFUSED = "refused"  # the peer's node refused; its code is in the message
    UNAVAILABLE = "unavailable"  # no response, or a transport failure


class PeerError(BlindmatchError):
    """The other node broke the protocol, or could not be reached.

    It ends the session; the node continues to run, and the audit log records the code.

    Args:
        code: the kind of failure.
        message: one sentence for the operator, without secrets or values from records.
        hint: what the operator can do next, or the empty string.
    """

    def __init__(self, code: PeerCode, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code

    def __str__(self) -> str:
        return f"[{self.code.value}] {self.message}"


class AgreementError(BlindmatchError):
    """An agreement that cannot be accepted.

    Args:
        field: the path of the incorrect field, such as `edges[1].sender.records`.
        message: what is wrong with it.
        hint: what the operator can do next, or the empty string.
    """

    def __init__(self, field: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"{field}: {message}", hint=hint)
        self.field = field
