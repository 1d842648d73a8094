"""The sessions of a delta round: the steps and states of a round of `hits`, over changes only.

The receiver has the elements of its new and changed records evaluated under the epoch's key. The sender releases the tags that it
removes from its table and the rows that it adds. Blinds, orders and proofs are derived from the delta round's own seed.
"""

from typing import Unpack

import numpy as np

from blindmatch.protocol.errors import SequenceError
from blindmatch.protocol.hits.messages import Hits
from blindmatch.protocol.hits.receiver import Receiver
from blindmatch.protocol.hits.sender import ReleasingSession
from blindmatch.protocol.hits.session import HitsSession, HitsTerms
from blindmatch.protocol.hits.shapes import Section, Sections, exchange_shapes, section_shapes
from blindmatch.protocol.limits import TAG_BYTES
from blindmatch.protocol.oprf import KeyPair
from blindmatch.protocol.session.base import workspace_damaged
from blindmatch.protocol.session.checkpoint import NONE
from blindmatch.protocol.session.chunks import Bytes2D
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.session.statements import Commitment
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.session.workspace import Shapes
from blindmatch.protocol.standing.epoch import Epoch, next_state
from blindmatch.protocol.standing.statements import ChangeCounts, DeltaCommitment, DeltaReceipt, EpochState
from blindmatch.protocol.standing.tag_table import TagTable
from blindmatch.protocol.transcript import Signed, digest

_STATEMENT_BYTES = 2_048
"""Space for a peer's commitment; ids of agencies and edges have at most 64 characters."""


class _DeltaSession(HitsSession):
    """What both roles of a delta round share. A subclass sets `_base`, `_counts` and `_epoch` before `Session.__init__`."""

    receipt_terms = DeltaReceipt

    _base: EpochState
    _counts: ChangeCounts
    _epoch: Epoch
    _peer_commitment: DeltaCommitment | None = None

    @property
    def number(self) -> int:
        """This delta round's number in its epoch, from 1."""
        return self._base.number + 1

    def state_after(self) -> bytes:
        """The state of the epoch once the round has closed: the same on both sides."""
        return next_state(self._base.state, self.number, self._exchange.value)

    def counts_of(self, role: Role) -> ChangeCounts:
        """The numbers of added and removed records of one side. SequenceError: the peer's are not known yet."""
        if role is self._role:
            return self._counts
        return self._peer().counts

    def _both(self, removed: int, rows: int) -> Sections:
        """The sections of a sender that removes `removed` tags and adds `rows` rows."""
        return (
            Section.of("removed", removed, TAG_BYTES, self._limits),
            Section.of("table", rows, self._context.row_bytes, self._limits),
        )

    def _peer(self) -> DeltaCommitment:
        if self._peer_commitment is None:
            raise SequenceError("the peer's commitment has not come")
        return self._peer_commitment

    def _read_commitment(self, signed: Signed) -> Commitment:
        commitment = DeltaCommitment.verified(
            signed, self._peer_key, self._role.other, self._context, self._base
        )
        if (
            self._at.peer == NONE
        ):  # a commitment that came before a crash and is not in the checkpoint comes again
            stored = self._workspace.array("peer_commitment", (1, _STATEMENT_BYTES))
            size = len(signed.payload)
            stored[0, 2 : 2 + size] = np.frombuffer(signed.payload, dtype=np.uint8)
            stored[0, :2] = (size >> 8, size & 255)
            self._peer_commitment = commitment
        return commitment

    def _restore_peer(self) -> None:
        """Read the peer's commitment from the workspace, after a restart. StoreError: it was altered."""
        if self._peer_commitment is None and self._at.peer != NONE:
            stored = self._workspace.array("peer_commitment", (1, _STATEMENT_BYTES))[0]
            payload = stored[2 : 2 + (int(stored[0]) << 8 | int(stored[1]))].tobytes()
            if digest(payload) != self._at.peer:
                raise workspace_damaged()
            self._peer_commitment = DeltaCommitment.parse(payload, self._context, role=self._role.other)

    def _commit_to(self, elements: int, contents: bytes, public: bytes, removed_tags: int) -> DeltaCommitment:
        size, counts = self._base.size(self._role), self._counts
        return DeltaCommitment(
            role=self._role,
            elements=elements,
            contents=contents,
            public_key=public,
            epoch=self._base.epoch,
            number=self.number,
            before=self._base.state,
            counts=counts,
            records=size.records + counts.added - counts.removed,
            removed_tags=removed_tags,
        )

    def _receipt(self, opened_at: int, closed_at: int) -> DeltaReceipt:
        return DeltaReceipt(
            **vars(super()._receipt(opened_at, closed_at)),
            epoch=self._base.epoch,
            number=self.number,
            before=self._base.state,
            after=self.state_after(),
            receiver_counts=self.counts_of(Role.RECEIVER),
            sender_counts=self.counts_of(Role.SENDER),
        )


class DeltaReceiver(_DeltaSession, Receiver):
    """The receiver of a delta round.

    Args:
        context: `Epoch.within` of the delta round.
        epoch: the epoch.
        base: the epoch's state before the round.
        counts: this side's numbers of added and removed records.
        table: the sender's table before the round.
        terms: see `HitsTerms`; the elements of the new and changed records, or the dummy elements of one record when there are none.

    Raises:
        LocalError: the collection or the workspace changed since the snapshot.
    """

    def __init__(
        self,
        context: EdgeContext,
        *,
        epoch: Epoch,
        base: EpochState,
        counts: ChangeCounts,
        table: TagTable,
        **terms: Unpack[HitsTerms],
    ) -> None:
        self._epoch, self._base, self._counts, self._table = epoch, base, counts, table
        terms["computer"] = epoch.computer
        super().__init__(context, **terms)

    def _sections(self) -> Sections:
        return (
            ()
            if self._peer_commitment is None
            else self._both(self._peer_commitment.removed_tags, self._at.peer_elements)
        )

    def _commitment(self) -> Commitment:
        return self._commit_to(self._at.elements, self._contents("blinded_digests"), bytes(32), 0)

    def _open_peer(self) -> None:
        self._restore_peer()
        self._shapes |= section_shapes(self._sections())

    def find_hits(self) -> Hits:
        """Not for a delta round, whose hits follow from the whole lists: see `list_updates.change_receiver`. SequenceError: always."""
        raise SequenceError("the hits after a delta round follow from the whole lists")

    def _check_released(self) -> None:
        self._table.check(self._array("removed"), self._array("table"))


class DeltaSender(_DeltaSession, ReleasingSession):
    """The sender of a delta round; it learns numbers only.

    Args:
        context: `Epoch.within` of the delta round.
        epoch: the epoch, with its key.
        base: the epoch's state before the round.
        counts: this side's numbers of added and removed records.
        removed: the tags that it removes (d, 16), strictly increasing.
        terms: see `HitsTerms`; the elements are the rows that it adds (a, row_bytes), tags strictly increasing.

    Raises:
        LocalError: the rows or the workspace changed since the snapshot.
    """

    def __init__(
        self,
        context: EdgeContext,
        *,
        epoch: Epoch,
        base: EpochState,
        counts: ChangeCounts,
        removed: Bytes2D,
        **terms: Unpack[HitsTerms],
    ) -> None:
        self._epoch, self._base, self._counts, self._removed = epoch, base, counts, removed
        terms["computer"] = epoch.computer
        super().__init__(context, **terms)

    def _sections(self) -> Sections:
        return self._both(len(self._removed), self._at.elements)

    def _own_shapes(self) -> Shapes:
        return section_shapes(self._sections())

    @property
    def removed_chunks(self) -> int:
        """The number of chunks of removed tags, which are the first of the `tag_chunks`."""
        return self._sections()[0].layout.chunks

    def _key_pair(self) -> KeyPair:
        return self._epoch.key_pair()

    def _commitment(self) -> Commitment:
        contents = self._contents("table_digests")
        return self._commit_to(self._at.elements, contents, self.committed_key, len(self._removed))

    def _open_peer(self) -> None:
        self._restore_peer()
        self._shapes |= exchange_shapes(self._at.peer_elements, self._limits)

    def _prepare(self, index: int, *parts: Bytes2D) -> None:
        self._array("table")[self._span(index)] = parts[0]

    def _build(self) -> None:
        self._array("removed")[:] = self._removed
        self._digest_sections()
