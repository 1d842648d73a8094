"""The statement of rates that each side signs before its commitment: its number of records, and how common values are in its list.

Both sides compile the round's match keys from the two statements. A statement is bound to agreement, round and edge; the
sender's also names the receiver's, so that no one can combine statements of two exchanges.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.session.wire_fields import Digest, Expect, Statement, longest
from blindmatch.protocol.transcript import Signed, digest

RATES_TYPE = "application/vnd.blindmatch.rates.v1"

RATES_BYTES = 8 << 10
"""The most bytes that encoded rates take."""

NOTHING = bytes(DIGEST_BYTES)


def statement_digest(signed: Signed) -> bytes:
    """32 bytes over a statement's exact bytes."""
    return digest(RATES_TYPE.encode(), signed.payload)


def check_records(owner: str, records: int, most: int) -> None:
    """Compare a number of records with the agreement's limit. PeerError: OVER_LIMIT."""
    if not 1 <= records <= most:
        raise PeerError(PeerCode.OVER_LIMIT, f"{owner} has {records} records; the agreement allows {most}")


@dataclass(frozen=True)
class RatesStatement(Statement[EdgeContext]):
    """One side's statement of rates.

    Args:
        role: the side that owns the list.
        schema: digest of the linkage schema, 32 bytes.
        records: the number of records that it selects for the round.
        rates: the encoded rates, at most `RATES_BYTES`; read by `protocol/linkage`.
        answers: the sender's names the receiver's by its digest, 32 bytes; zeros in the receiver's.
    """

    TYPE: ClassVar[str] = RATES_TYPE

    role: Annotated[
        Role, Expect(PeerCode.BAD_COMMITMENT, "a statement of the other role, not the {expected}'s")
    ]
    schema: Annotated[
        Digest, Expect(PeerCode.SCHEMA_MISMATCH, "the rates were measured under another linkage schema")
    ]
    records: int
    rates: Annotated[bytes, longest(RATES_BYTES)]
    answers: Annotated[
        Digest, Expect(PeerCode.BAD_COMMITMENT, "the rates answer another statement than this node's")
    ] = NOTHING

    @classmethod
    def check(
        cls,
        signed: Signed,
        key: bytes,
        role: Role,
        context: EdgeContext,
        *,
        schema: bytes,
        most: int,
        answers: bytes = NOTHING,
    ) -> Self:
        """Verify a statement, parse it, and compare it with what this side knows. The rates are not read yet.

        Args:
            signed: from the peer, or our own out of the store.
            key: the identity key that must have signed, 32 bytes.
            role: the side that must have signed.
            context: the edge; its `keys_digest` is ignored.
            schema: the agreement's schema digest.
            most: the records that the agreement allows this side.
            answers: digest of the receiver's statement, for the sender's.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, OVERSIZE, those of another edge, SCHEMA_MISMATCH, OVER_LIMIT, or
                BAD_COMMITMENT for an answer to another statement.
        """
        statement = cls.read(signed, key, context, role=role, schema=schema, answers=answers)
        check_records(f"the {role}", statement.records, most)
        return statement
