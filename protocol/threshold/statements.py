"""The signed statements of a threshold. Exact bytes; verify, then parse, then compare.

Each names agreement, round, threshold, collector and all members, so that none serves anywhere else.
"""

from dataclasses import dataclass

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES, LIMITS, PROTOCOL_VERSION
from blindmatch.protocol.session.messages import ROUND_BYTES
from blindmatch.protocol.session.rates_statement import RATES_BYTES
from blindmatch.protocol.session.statements import same
from blindmatch.protocol.threshold.messages import ThresholdContext
from blindmatch.protocol.transcript import Fields, Signed, Signer, decode, digest, encode, sign, verify

RATES_TYPE = "application/vnd.blindmatch.threshold-rates.v1"
COMMITMENT_TYPE = "application/vnd.blindmatch.threshold-commitment.v1"
ATTESTATION_TYPE = "application/vnd.blindmatch.threshold-attestation.v1"
TABLES_TYPE = "application/vnd.blindmatch.threshold-tables.v1"
OUTCOME_TYPE = "application/vnd.blindmatch.threshold-outcome.v1"
RECEIPT_TYPE = "application/vnd.blindmatch.threshold-receipt.v1"


def _opened(kind: str, signed: Signed, key: bytes, context: ThresholdContext) -> Fields:
    verify(key, kind, signed.payload, signed.signature)
    return _begun(kind, signed.payload, context)


def _begun(kind: str, payload: bytes, context: ThresholdContext) -> Fields:
    fields = decode(kind, payload)
    version = fields.integer()
    if version != PROTOCOL_VERSION:
        raise PeerError(
            PeerCode.WRONG_VERSION, f"protocol version {version}; this node speaks {PROTOCOL_VERSION}"
        )
    same(fields.data(DIGEST_BYTES), context.agreement, PeerCode.UNKNOWN_AGREEMENT, "agreement")
    same(fields.data(ROUND_BYTES), context.round_id, PeerCode.UNKNOWN_ROUND, "round")
    same(fields.text(), context.threshold, PeerCode.UNKNOWN_ROUND, "threshold")
    same(fields.text(), context.collector, PeerCode.WRONG_AGENCY, "collector")
    same(fields.integer(), context.at_least, PeerCode.BAD_COMMITMENT, "threshold's number")
    same(fields.integer(), context.minimum_count, PeerCode.BAD_COMMITMENT, "minimum")
    same(fields.integer(), len(context.members), PeerCode.WRONG_AGENCY, "number of members")
    for member in context.members:
        same(fields.text(), member, PeerCode.WRONG_AGENCY, "member")
    return fields


def _made(kind: str, context: ThresholdContext, *fields: bytes | str | int) -> bytes:
    return encode(kind, PROTOCOL_VERSION, *context.fields, *fields)


@dataclass(frozen=True)
class ThresholdRatesStatement:
    """One member's list in numbers; see `match.rates.RatesStatement`."""

    member: str
    records: int
    schema: bytes
    rates: bytes

    def sign(self, signer: Signer, context: ThresholdContext) -> Signed:
        """The statement's bytes and the signature over them; the same for the same values."""
        payload = _made(RATES_TYPE, context, self.member, self.schema, self.records, self.rates)
        return sign(signer, RATES_TYPE, payload)

    @classmethod
    def check(
        cls, signed: Signed, key: bytes, member: str, context: ThresholdContext, *, schema: bytes, most: int
    ) -> "ThresholdRatesStatement":
        """Verify, parse, and compare with what the agreement says. The rates are not read yet.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, OVERSIZE, those of another threshold, SCHEMA_MISMATCH, OVER_LIMIT.
        """
        fields = _opened(RATES_TYPE, signed, key, context)
        same(fields.text(), member, PeerCode.WRONG_AGENCY, "member")
        said = cls(
            member=member,
            schema=fields.data(DIGEST_BYTES),
            records=fields.integer(),
            rates=fields.block(RATES_BYTES),
        )
        fields.end()
        if said.schema != schema:
            raise PeerError(
                PeerCode.SCHEMA_MISMATCH, f"{member}'s rates were measured under another linkage schema"
            )
        if not 1 <= said.records <= most:
            raise PeerError(
                PeerCode.OVER_LIMIT, f"{member} brings {said.records} records; the agreement allows {most}"
            )
        return said


@dataclass(frozen=True)
class ThresholdCommitment:
    """What a member fixes before any of its elements is evaluated: `contents` is one digest over its chunks' digests."""

    member: str
    elements: int
    contents: bytes

    def payload(self, context: ThresholdContext) -> bytes:
        """The bytes to sign, with type `COMMITMENT_TYPE`."""
        return _made(COMMITMENT_TYPE, context, self.member, context.keys_digest, self.elements, self.contents)

    @classmethod
    def check(
        cls, signed: Signed, key: bytes, member: str, context: ThresholdContext
    ) -> "ThresholdCommitment":
        """Verify, parse, and compare every field with what this side knows.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, those of another threshold, SCHEMA_MISMATCH, BAD_COUNT.
        """
        fields = _opened(COMMITMENT_TYPE, signed, key, context)
        same(fields.text(), member, PeerCode.WRONG_AGENCY, "member")
        if fields.data(DIGEST_BYTES) != context.keys_digest:
            raise PeerError(
                PeerCode.SCHEMA_MISMATCH,
                f"{member} compiled different match keys, or saw other rates",
                hint="All nodes need the same linkage schema and the same statements.",
            )
        said = cls(member, fields.integer(), fields.data(DIGEST_BYTES))
        fields.end()
        stated = context.elements[context.place(member)]
        if said.elements != stated:
            raise PeerError(
                PeerCode.BAD_COUNT, f"{member} brings {said.elements} elements; its records give {stated}"
            )
        return said


@dataclass(frozen=True)
class Attestation:
    """An evaluating member's word for what it made of another member's committed elements.

    Args:
        evaluator: who evaluated.
        member: whose elements.
        commitment: digest of that member's commitment, 32 bytes.
        contents: one digest over the digests of the evaluated chunks, 32 bytes.
    """

    evaluator: str
    member: str
    commitment: bytes
    contents: bytes

    def sign(self, signer: Signer, context: ThresholdContext) -> Signed:
        """The statement's bytes and the signature over them."""
        payload = _made(
            ATTESTATION_TYPE, context, self.evaluator, self.member, self.commitment, self.contents
        )
        return sign(signer, ATTESTATION_TYPE, payload)

    @classmethod
    def check(cls, signed: Signed, key: bytes, expected: "Attestation", context: ThresholdContext) -> None:
        """Verify, and compare with what this side holds.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, those of another threshold, BAD_COMMITMENT.
        """
        fields = _opened(ATTESTATION_TYPE, signed, key, context)
        same(fields.text(), expected.evaluator, PeerCode.WRONG_AGENCY, "evaluator")
        same(fields.text(), expected.member, PeerCode.WRONG_AGENCY, "member")
        same(fields.data(DIGEST_BYTES), expected.commitment, PeerCode.BAD_COMMITMENT, "commitment")
        if fields.data(DIGEST_BYTES) != expected.contents:
            raise PeerError(
                PeerCode.BAD_COMMITMENT,
                f"the evaluated elements are not those that {expected.evaluator} signed for",
                hint="The collector's node, or the line to it, altered them.",
            )
        fields.end()


@dataclass(frozen=True)
class TablesStatement:
    """A member's commitment to its tables: `commitments` ties it to everybody's elements."""

    member: str
    commitments: bytes
    contents: bytes

    def payload(self, context: ThresholdContext) -> bytes:
        """The bytes to sign, with type `TABLES_TYPE`."""
        return _made(TABLES_TYPE, context, self.member, self.commitments, context.shape.bins, self.contents)

    @classmethod
    def check(
        cls, signed: Signed, key: bytes, member: str, commitments: bytes, context: ThresholdContext
    ) -> "TablesStatement":
        """Verify, parse and compare.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, those of another threshold, BAD_COMMITMENT, BAD_COUNT.
        """
        fields = _opened(TABLES_TYPE, signed, key, context)
        same(fields.text(), member, PeerCode.WRONG_AGENCY, "member")
        same(fields.data(DIGEST_BYTES), commitments, PeerCode.BAD_COMMITMENT, "set of commitments")
        same(fields.integer(), context.shape.bins, PeerCode.BAD_COUNT, "number of bins")
        said = cls(member, commitments, fields.data(DIGEST_BYTES))
        fields.end()
        return said


@dataclass(frozen=True)
class ThresholdOutcome:
    """The collector's word to one member: which cells are shared, by one digest over the chunks' digests."""

    member: str
    tables: bytes
    """Digest of everybody's signed tables."""
    contents: bytes

    def payload(self, context: ThresholdContext) -> bytes:
        """The bytes to sign, with type `OUTCOME_TYPE`."""
        return _made(OUTCOME_TYPE, context, self.member, self.tables, self.contents)

    @classmethod
    def check(cls, signed: Signed, key: bytes, member: str, context: ThresholdContext) -> "ThresholdOutcome":
        """Verify, parse and compare. PeerError: BAD_SIGNATURE, BAD_MESSAGE, those of another threshold."""
        fields = _opened(OUTCOME_TYPE, signed, key, context)
        same(fields.text(), member, PeerCode.WRONG_AGENCY, "member")
        said = cls(member, fields.data(DIGEST_BYTES), fields.data(DIGEST_BYTES))
        fields.end()
        return said


@dataclass(frozen=True)
class ThresholdReceiptTerms:
    """What the receipt says: nothing in it depends on what is shared.

    Args:
        elements: how many each member brought.
        transcript: 32 bytes over the keys, everybody's commitments and everybody's tables.
        opened_at: seconds since 1970, UTC, by the collector's clock.
        closed_at: the same.
    """

    elements: tuple[int, ...]
    transcript: bytes
    opened_at: int
    closed_at: int

    def payload(self, context: ThresholdContext) -> bytes:
        """The bytes that all sign, with type `RECEIPT_TYPE`."""
        return _made(RECEIPT_TYPE, context, *self.elements, self.transcript, self.opened_at, self.closed_at)

    @classmethod
    def parse(cls, payload: bytes, context: ThresholdContext) -> "ThresholdReceiptTerms":
        """Read a receipt of this threshold. PeerError: BAD_MESSAGE, and those of another threshold."""
        fields = _begun(RECEIPT_TYPE, payload, context)
        elements = tuple(fields.integer() for _ in context.members)
        said = cls(elements, fields.data(DIGEST_BYTES), fields.integer(), fields.integer())
        fields.end()
        return said

    @classmethod
    def check(
        cls, signed: Signed, key: bytes, transcript: bytes, context: ThresholdContext, *, now: int
    ) -> None:
        """Verify and compare a receipt with what this side saw; its times need only be possible.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, BAD_RECEIPT, and those of another threshold.
        """
        verify(key, RECEIPT_TYPE, signed.payload, signed.signature)
        said = cls.parse(signed.payload, context)
        same(said.elements, context.elements, PeerCode.BAD_RECEIPT, "number of elements")
        same(said.transcript, transcript, PeerCode.BAD_RECEIPT, "exchange of bytes")
        if not said.opened_at <= said.closed_at <= now + LIMITS.clock_skew_seconds:
            raise PeerError(
                PeerCode.BAD_RECEIPT,
                "the receipt's times are not possible",
                hint="Compare the clocks of all nodes; they may differ by five minutes.",
            )


def together(label: str, payloads: list[bytes]) -> bytes:
    """32 bytes over several statements in the members' order."""
    return digest(label.encode(), *payloads)
