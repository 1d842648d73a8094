"""The statement that each side signs before its commitment: how large its list is, and how common values are in it.

Both sides compile the round's match keys from the two statements. A statement is bound to agreement, round and edge; the
sender's also names the receiver's, so that the pair cannot be put together from two exchanges.
"""

from dataclasses import dataclass

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.session.statements import check_edge, edge_fields
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.transcript import Signed, Signer, decode, digest, encode, sign, verify

RATES_TYPE = "application/vnd.blindmatch.rates.v1"

RATES_BYTES = 8 << 10
"""The most that rates may take; about 120 coarse numbers take a few hundred."""

NOTHING = bytes(DIGEST_BYTES)


def statement_digest(signed: Signed) -> bytes:
    """32 bytes over a statement's exact bytes."""
    return digest(RATES_TYPE.encode(), signed.payload)


@dataclass(frozen=True)
class RatesStatement:
    """One side's list in numbers.

    Args:
        role: whose list it is.
        records: how many records it brings to the round.
        schema: digest of the linkage schema, 32 bytes.
        rates: the encoded rates, at most `RATES_BYTES`; read by `protocol/linkage`.
        answers: the sender's names the receiver's by its digest, 32 bytes; zeros in the receiver's.
    """

    role: Role
    records: int
    schema: bytes
    rates: bytes
    answers: bytes = NOTHING

    def sign(self, signer: Signer, context: EdgeContext) -> Signed:
        """The statement's bytes and the signature over them; the same for the same values."""
        fields = (self.role.value, self.schema, self.records, self.rates, self.answers)
        return sign(signer, RATES_TYPE, encode(RATES_TYPE, *edge_fields(context), *fields))

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
    ) -> "RatesStatement":
        """Verify a statement, parse it, and compare it with what this side knows. The rates are not read yet.

        Args:
            signed: from the peer, or our own out of the store.
            key: the identity key that must have signed, 32 bytes.
            role: whose statement it must be.
            context: the edge; its `keys_digest` is not looked at.
            schema: the agreement's schema digest.
            most: the records that the agreement allows this side.
            answers: digest of the receiver's statement, for the sender's.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, OVERSIZE, those of another edge, SCHEMA_MISMATCH, OVER_LIMIT, or
                BAD_COMMITMENT for an answer to another statement.
        """
        verify(key, RATES_TYPE, signed.payload, signed.signature)
        fields = decode(RATES_TYPE, signed.payload)
        check_edge(fields, context)
        said_role = fields.text()
        said = cls(
            role=role,
            schema=fields.data(DIGEST_BYTES),
            records=fields.integer(),
            rates=fields.block(RATES_BYTES),
            answers=fields.data(DIGEST_BYTES),
        )
        fields.end()
        if said_role != role.value:
            raise PeerError(PeerCode.BAD_COMMITMENT, f"a statement of the other role, not the {role.value}'s")
        if said.schema != schema:
            raise PeerError(PeerCode.SCHEMA_MISMATCH, "the rates were measured under another linkage schema")
        if said.answers != answers:
            raise PeerError(PeerCode.BAD_COMMITMENT, "the rates answer another statement than ours")
        if not 1 <= said.records <= most:
            raise PeerError(
                PeerCode.OVER_LIMIT,
                f"the {role.value} brings {said.records} records; the agreement allows {most}",
            )
        return said
