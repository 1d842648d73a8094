"""A session over an edge, for either role of every disclosure: commitments, the exchange's transcript, the receipt."""

from abc import abstractmethod
from typing import ClassVar

from blindmatch.protocol.errors import LocalError, PeerCode, PeerError, SequenceError
from blindmatch.protocol.session.base import (
    BaseTerms,
    PreparingSession,
    bound_seed,
    collection_changed,
    workspace_damaged,
)
from blindmatch.protocol.session.checkpoint import NONE, EdgeCheckpoint
from blindmatch.protocol.session.chunks import ElementSource
from blindmatch.protocol.session.messages import EdgeContext, Receipt
from blindmatch.protocol.session.statements import Commitment, ReceiptTerms, check_count
from blindmatch.protocol.session.states import AnyState, Event, Role
from blindmatch.protocol.transcript import Signed, Transcript, digest, sign, verify


class SessionTerms(BaseTerms):
    """The arguments of a session of either role, besides the edge. See `BaseTerms`.

    peer_key: the other side's identity key out of the agreement, 32 bytes.
    elements: this side's elements.
    """

    peer_key: bytes
    elements: ElementSource


class Session(PreparingSession[AnyState]):
    """One side of one edge. Use the receivers and senders of a disclosure."""

    checkpoint: ClassVar[type[EdgeCheckpoint]]
    receipt_terms: ClassVar[type[ReceiptTerms]] = ReceiptTerms
    _at: EdgeCheckpoint
    _context: EdgeContext

    def __init__(self, role: Role, context: EdgeContext, terms: SessionTerms) -> None:
        signer, elements, peer_key = terms["signer"], terms["elements"], terms["peer_key"]
        if signer.agency != (context.receiver if role is Role.RECEIVER else context.sender):
            raise SequenceError(f"{signer.agency} is not the {role} of this edge")
        super().__init__(role, context, bound_seed(terms["seed"], context), terms)
        self._role: Role = role
        self._peer_key = peer_key
        if terms.get("snapshot") is None:
            self._at.elements = len(elements)
        if self._at.elements != len(elements):
            raise collection_changed()
        try:
            check_count(len(elements), role, context)
        except PeerError as error:
            raise LocalError(error.message, hint="Select fewer records, or agree on larger limits.") from None
        self._set_elements(elements)
        self._exchange = Transcript(self._at.exchange)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(edge={self._context.edge!r}, state={self.state.value!r})"

    @property
    def context(self) -> EdgeContext:
        """The edge."""
        return self._context

    @property
    def next_chunk(self) -> int:
        """The next chunk of the exchange: blinded chunks answered, or evaluated chunks received."""
        return self._at.exchanged

    @property
    def peer_elements(self) -> int:
        """The peer's number of elements; 0 before its commitment."""
        return self._at.peer_elements

    @property
    def peer_key(self) -> bytes:
        """The sender's OPRF public key out of its commitment, where evaluation is verified; else 32 zeros."""
        return self._at.peer_key

    def commit(self) -> Signed:
        """This side's signed commitment; the same bytes in every call.

        Raises:
            SequenceError: a chunk is not prepared.
            LocalError: what was prepared is not what was committed to before.
        """
        with self._step(Event.COMMIT):
            self._require(self._prepared, "prepared")
            if self._at.own == NONE:
                self._build()
            commitment = self._commitment()
            payload = self._fix_own(commitment.payload(self._context))
            self._open_exchange()
            return sign(self._signer, commitment.TYPE, payload)

    def receive_commitment(self, signed: Signed) -> None:
        """Accept the peer's commitment; a retransmission must be the same.

        Raises:
            PeerError: see `Commitment.check`; BAD_COMMITMENT when another one came before.
        """
        with self._step(Event.RECEIVE_COMMITMENT):
            commitment = self._read_commitment(signed)
            if self._at.peer not in (NONE, digest(signed.payload)):
                raise PeerError(PeerCode.BAD_COMMITMENT, "the peer committed to something else before")
            self._at.peer = digest(signed.payload)
            self._at.peer_elements = commitment.elements
            self._at.peer_contents = commitment.contents
            self._at.peer_key = commitment.public_key
            self._open_peer()
            self._open_exchange()

    def snapshot(self) -> bytes:
        """See `BaseSession.snapshot`."""
        self._at.exchange = self._exchange.value
        return super().snapshot()

    def _build(self) -> None:
        """Finish the preparation once every chunk is prepared, before the first commitment."""

    @abstractmethod
    def _commitment(self) -> Commitment:
        """What to commit to, from the workspace's digests."""

    def _read_commitment(self, signed: Signed) -> Commitment:
        """Verify and check the peer's commitment. PeerError: see `Commitment.check`."""
        return Commitment.check(signed, self._peer_key, self._role.other, self._context)

    @abstractmethod
    def _open_peer(self) -> None:
        """Define the arrays whose size depends on the peer's commitment."""

    def _transcript(self) -> bytes:
        """32 bytes over both commitments and every chunk, for the receipt."""
        return self._exchange.value

    def _receipt(self, opened_at: int, closed_at: int) -> ReceiptTerms:
        """The receipt, as this side saw the exchange."""
        ours, theirs = self._at.elements, self._at.peer_elements
        receiving = self._role is Role.RECEIVER
        return ReceiptTerms(
            receiver_elements=ours if receiving else theirs,
            sender_elements=theirs if receiving else ours,
            transcript=self._transcript(),
            opened_at=opened_at,
            closed_at=closed_at,
        )

    def _open_exchange(self) -> None:
        """Start the transcript once both commitments are there."""
        if self._at.exchanged == 0 and NONE not in (self._at.own, self._at.peer):
            self._exchange = Transcript()
            self._exchange.add("commitments", *self._commitments())

    def _commitments(self) -> tuple[bytes, bytes]:
        """The digests of both commitments, the receiver's first."""
        own, peer = self._at.own, self._at.peer
        return (own, peer) if self._role is Role.RECEIVER else (peer, own)

    def _check_restored(self) -> None:
        """After a restart: do the workspace's digests match the checkpoint? StoreError: they do not."""
        if self._at.peer != NONE:
            self._open_peer()
        if not self._restored():
            return
        if self._at.own != NONE and digest(self._commitment().payload(self._context)) != self._at.own:
            raise workspace_damaged()
        reached = self._at.exchange
        self._retrace()
        if self._exchange.value != reached:
            raise workspace_damaged()

    @abstractmethod
    def _retrace(self) -> None:
        """Compute the running transcript again, out of the workspace's digests."""


class ReceiverSession(Session[AnyState]):
    """The receiver's end of a session: its receipt, and the sender's signature."""

    def receipt(self, opened_at: int, closed_at: int) -> Signed:
        """The receipt with this side's signature. Once signed, it stays as it is: other times are ignored.

        It states nothing of the result, so it can be signed and exchanged before the result is read.

        Args:
            opened_at: when the round began, seconds since 1970, UTC.
            closed_at: now, the same.

        Raises:
            SequenceError: the receiver has not finished its other steps.
        """
        with self._step(Event.SIGN_RECEIPT):
            self._check_finished()
            if self._at.receipt == NONE:
                self._at.opened_at, self._at.closed_at = opened_at, closed_at
            payload = self._receipt_payload()
            self._at.receipt = digest(payload)
            return sign(self._signer, self.receipt_terms.TYPE, payload)

    def receive_receipt_signature(self, signature: bytes) -> Receipt:
        """Check the sender's signature and close; everything secret is wiped.

        Raises:
            PeerError: BAD_SIGNATURE.
        """
        with self._step(Event.RECEIVE_SIGNATURE):
            payload, kind = self._receipt_payload(), self.receipt_terms.TYPE
            verify(self._peer_key, kind, payload, signature)
            receipt = Receipt(payload, sign(self._signer, kind, payload).signature, signature)
            self._wipe()
            return receipt

    def _check_finished(self) -> None:
        """SequenceError: there is work to do before the receipt."""

    def _receipt_payload(self) -> bytes:
        payload = self._receipt(self._at.opened_at, self._at.closed_at).payload(self._context)
        if self._at.receipt not in (NONE, digest(payload)):
            raise workspace_damaged()
        return payload


class SenderSession(Session[AnyState]):
    """The sender's end of a session: it signs the receiver's receipt."""

    def countersign(self, receipt: Signed, now: int) -> Receipt:
        """Check the receipt against what this side saw, sign it and close; everything secret is wiped.

        The same receipt again, after the answer was lost, gets the same signature.

        Args:
            receipt: with the receiver's signature.
            now: seconds since 1970, UTC.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_RECEIPT, BAD_MESSAGE, and those of another edge.
        """
        with self._step(Event.COUNTERSIGN):
            kind = self.receipt_terms.TYPE
            if self._machine.over:  # closed: the working files may be gone
                verify(self._peer_key, kind, receipt.payload, receipt.signature)
                if digest(receipt.payload) != self._at.receipt:
                    raise PeerError(PeerCode.BAD_RECEIPT, "another receipt was signed for this edge")
            else:
                expected = self._receipt(0, 0)
                expected.check(receipt, self._peer_key, expected, self._context, now=now)
            self._at.receipt = digest(receipt.payload)
            own = sign(self._signer, kind, receipt.payload).signature
            self._wipe()
            return Receipt(receipt.payload, receipt.signature, own)
