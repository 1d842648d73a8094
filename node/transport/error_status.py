"""Errors on the wire: the one table between our codes and gRPC's statuses, in both directions.

The code travels in the trailing metadata `blindmatch-code`. An officer sees the text of a peer's refusal,
so it is shortened and unprintable characters are removed first.
"""

from collections.abc import Mapping
from types import MappingProxyType

from grpc import StatusCode

from blindmatch.protocol.errors import AgreementError, PeerCode, PeerError

CODE_KEY = "blindmatch-code"
"""Trailing metadata: the `PeerCode` of a refusal."""

DETAIL_CHARACTERS = 400

STATUS: Mapping[PeerCode, StatusCode] = MappingProxyType(
    {
        PeerCode.BAD_MESSAGE: StatusCode.INVALID_ARGUMENT,
        PeerCode.OVERSIZE: StatusCode.RESOURCE_EXHAUSTED,
        PeerCode.WRONG_VERSION: StatusCode.UNIMPLEMENTED,
        PeerCode.WRONG_AGENCY: StatusCode.PERMISSION_DENIED,
        PeerCode.WRONG_CERTIFICATE: StatusCode.UNAUTHENTICATED,
        PeerCode.WRONG_STATE: StatusCode.FAILED_PRECONDITION,
        PeerCode.UNKNOWN_ROUND: StatusCode.NOT_FOUND,
        PeerCode.UNKNOWN_AGREEMENT: StatusCode.NOT_FOUND,
        PeerCode.UNSIGNED_AGREEMENT: StatusCode.FAILED_PRECONDITION,
        PeerCode.ALTERED_AGREEMENT: StatusCode.INVALID_ARGUMENT,
        PeerCode.EXPIRED_AGREEMENT: StatusCode.FAILED_PRECONDITION,
        PeerCode.BUDGET_SPENT: StatusCode.RESOURCE_EXHAUSTED,
        PeerCode.OVER_LIMIT: StatusCode.FAILED_PRECONDITION,
        PeerCode.SCHEMA_MISMATCH: StatusCode.FAILED_PRECONDITION,
        PeerCode.BAD_SIGNATURE: StatusCode.INVALID_ARGUMENT,
        PeerCode.BAD_COMMITMENT: StatusCode.INVALID_ARGUMENT,
        PeerCode.BAD_SEQUENCE: StatusCode.OUT_OF_RANGE,
        PeerCode.ALTERED_CHUNK: StatusCode.INVALID_ARGUMENT,
        PeerCode.BAD_COUNT: StatusCode.INVALID_ARGUMENT,
        PeerCode.BAD_POINT: StatusCode.INVALID_ARGUMENT,
        PeerCode.BAD_PROOF: StatusCode.INVALID_ARGUMENT,
        PeerCode.BAD_TAGS: StatusCode.INVALID_ARGUMENT,
        PeerCode.BAD_RECEIPT: StatusCode.INVALID_ARGUMENT,
        PeerCode.DIVERGED: StatusCode.FAILED_PRECONDITION,
        PeerCode.BAD_OUTCOME: StatusCode.INVALID_ARGUMENT,
        PeerCode.REFUSED: StatusCode.ABORTED,
        PeerCode.UNAVAILABLE: StatusCode.UNAVAILABLE,
    }
)

# Statuses that gRPC itself reports, without one of our codes.
_BARE: Mapping[StatusCode, tuple[PeerCode, str]] = MappingProxyType(
    {
        StatusCode.UNAVAILABLE: (PeerCode.UNAVAILABLE, "could not be reached"),
        StatusCode.DEADLINE_EXCEEDED: (PeerCode.UNAVAILABLE, "did not answer in time"),
        StatusCode.CANCELLED: (PeerCode.UNAVAILABLE, "broke the call off"),
        StatusCode.INTERNAL: (PeerCode.UNAVAILABLE, "failed on its own side"),
        StatusCode.UNKNOWN: (PeerCode.UNAVAILABLE, "failed on its own side"),
        StatusCode.UNAUTHENTICATED: (PeerCode.WRONG_CERTIFICATE, "does not accept our certificate"),
        StatusCode.PERMISSION_DENIED: (PeerCode.WRONG_AGENCY, "does not allow us this call"),
        StatusCode.RESOURCE_EXHAUSTED: (PeerCode.OVERSIZE, "sent or received a message over the limit"),
        StatusCode.UNIMPLEMENTED: (
            PeerCode.WRONG_VERSION,
            "does not know this call: it may run another version",
        ),
    }
)

_HINTS: Mapping[PeerCode, str] = MappingProxyType(
    {
        PeerCode.UNAVAILABLE: "Check that its node is serving and that the address in node.toml is right; then try again.",
        PeerCode.WRONG_CERTIFICATE: "Both nodes must trust the authority that issued the other's certificate.",
        PeerCode.WRONG_VERSION: "Compare `blindmatch --version` on both nodes.",
    }
)


class RefusalError(PeerError):
    """The peer's node refused. `code` is REFUSED and `reason` is the peer's own code, which states why."""

    def __init__(self, reason: PeerCode, message: str, *, hint: str = "") -> None:
        super().__init__(PeerCode.REFUSED, message, hint=hint)
        self.reason = reason


def abort_arguments(error: BaseException) -> tuple[StatusCode, str, tuple[tuple[str, str], ...]]:
    """The arguments of `context.abort`: status, details and trailing metadata.

    Only errors about the call itself are explained to the peer. A fault of this node (`LocalError`, or an
    unexpected exception) is reported without its text, which may name our files.
    """
    if isinstance(error, PeerError):
        return STATUS[error.code], error.message, ((CODE_KEY, error.code.value),)
    if isinstance(error, AgreementError):
        code = PeerCode.BAD_MESSAGE
        return STATUS[code], f"agreement: {error.message}", ((CODE_KEY, code.value),)
    return StatusCode.INTERNAL, "this node cannot serve the call now", ()


def error_from_status(
    peer: str, status: StatusCode, details: str | None, trailing: Mapping[str, str | bytes]
) -> PeerError:
    """The error for a call to `peer` that failed.

    Returns:
        A `RefusalError` when the peer's node named a code, else a `PeerError` for what gRPC reports.
    """
    named = trailing.get(CODE_KEY)
    if isinstance(named, bytes):
        named = named.decode("ascii", errors="replace")
    text = printable(details or "")
    if named is not None:
        reason = PeerCode(named) if named in _CODES else PeerCode.REFUSED
        if reason is PeerCode.UNAVAILABLE:  # says nothing about our message, so the call may be repeated
            return PeerError(reason, f"{peer} is busy: {text}", hint="Try again later.")
        return RefusalError(reason, f"{peer} refused ({reason.value}): {text or 'it gave no reason'}")
    code, words = _BARE.get(status, (PeerCode.REFUSED, "refused the call"))
    suffix = f" ({status.name.lower()}: {text})" if text else f" ({status.name.lower()})"
    return PeerError(code, f"{peer} {words}{suffix}", hint=_HINTS.get(code, ""))


def printable(text: str) -> str:
    """A peer's text as one line for an officer's terminal: printable characters only, at most `DETAIL_CHARACTERS`."""
    shown = "".join(
        character if character.isprintable() else " " for character in text[: DETAIL_CHARACTERS + 1]
    )
    return shown if len(shown) <= DETAIL_CHARACTERS else shown[: DETAIL_CHARACTERS - 1] + "…"


_CODES = frozenset(code.value for code in PeerCode)

if set(STATUS) != set(PeerCode):  # a new code without a status must not wait for its first use to be found
    raise AssertionError("STATUS lacks a PeerCode")
