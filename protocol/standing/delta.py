"""A delta round: the steps and states of any round (`match.table`), over what changed.

The receiver has its new and changed records' elements evaluated under the epoch's key; the sender releases what goes from its
table and what comes. Blinds, orders and proofs are of the delta round's own seed.
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
"""Room for a peer's commitment; ids of agencies and edges have at most 64 characters."""


class _DeltaSession(HitsSession):
    """What both roles of a delta round add. `_base`, `_counts` and `_epoch` are set before `Session.__init__`."""

    receipt_terms = DeltaReceipt

    _base: EpochState
    _counts: ChangeCounts
    _epoch: Epoch
    _said: DeltaCommitment | None = None

    @property
    def number(self) -> int:
        """This delta round's number in its epoch, from 1."""
        return self._base.number + 1

    def state_after(self) -> bytes:
        """The state of the epoch once the round has closed: the same on both sides."""
        return next_state(self._base.state, self.number, self._exchange.value)

    def counts_of(self, role: Role) -> ChangeCounts:
        """How many of one side's records are new and gone.

        Raises:
            SequenceError: the peer's are not known yet.
        """
        if role is self._role:
            return self._counts
        return self._peer().counts

    def _both(self, removed: int, rows: int) -> Sections:
        """The sections of a sender that removes and adds so many rows."""
        return (
            Section.of("removed", removed, TAG_BYTES, self._limits),
            Section.of("table", rows, self._context.row_bytes, self._limits),
        )

    def _peer(self) -> DeltaCommitment:
        if self._said is None:
            raise SequenceError("the peer's commitment is not there")
        return self._said

    def _read_commitment(self, signed: Signed) -> Commitment:
        said = DeltaCommitment.verified(signed, self._peer_key, self._role.other, self._context, self._base)
        if self._at.peer == NONE:  # what came before a crash and was not stored is as if it had not come
            kept = self._workspace.array("peer_commitment", (1, _STATEMENT_BYTES))
            size = len(signed.payload)
            kept[0, 2 : 2 + size] = np.frombuffer(signed.payload, dtype=np.uint8)
            kept[0, :2] = (size >> 8, size & 255)
            self._said = said
        return said

    def _restore_peer(self) -> None:
        """The peer's commitment out of the workspace, after a restart."""
        if self._said is None and self._at.peer != NONE:
            kept = self._workspace.array("peer_commitment", (1, _STATEMENT_BYTES))[0]
            payload = kept[2 : 2 + (int(kept[0]) << 8 | int(kept[1]))].tobytes()
            if digest(payload) != self._at.peer:
                raise workspace_damaged()
            self._said = DeltaCommitment.parse(payload, self._context, role=self._role.other)

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
        usual = super()._receipt(opened_at, closed_at)
        return DeltaReceipt(
            receiver_elements=usual.receiver_elements,
            sender_elements=usual.sender_elements,
            transcript=usual.transcript,
            opened_at=opened_at,
            closed_at=closed_at,
            epoch=self._base.epoch,
            number=self.number,
            before=self._base.state,
            after=self.state_after(),
            receiver_counts=self.counts_of(Role.RECEIVER),
            sender_counts=self.counts_of(Role.SENDER),
        )


class DeltaReceiver(_DeltaSession, Receiver):
    """The side that learns.

    Args:
        context: `Epoch.within` of the delta round.
        epoch: the epoch.
        base: where it stands.
        counts: of this side's records.
        table: the sender's table as it is held.
        terms: see `HitsTerms`; the elements of the new and changed records, or one record's fillers when there are none.

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
        self._epoch, self._base, self._counts, self._held = epoch, base, counts, table
        terms["computer"] = epoch.computer
        super().__init__(context, **terms)

    def _sections(self) -> Sections:
        return () if self._said is None else self._both(self._said.removed_tags, self._at.peer_elements)

    def _commitment(self) -> Commitment:
        return self._commit_to(self._at.elements, self._contents("blinded_digests"), bytes(32), 0)

    def _open_peer(self) -> None:
        self._restore_peer()
        self._shapes |= section_shapes(self._sections())

    def find_hits(self) -> Hits:
        """Not of a delta round: what changed says little without what was there before; see `lists.change_receiver`."""
        raise SequenceError("a delta round's hits are found in the lists as a whole")

    def _check_released(self) -> None:
        self._held.check(self._array("removed"), self._array("table"))


class DeltaSender(_DeltaSession, ReleasingSession):
    """The side that learns nothing but counts.

    Args:
        context: `Epoch.within` of the delta round.
        epoch: the epoch, with its key.
        base: where it stands.
        counts: of this side's records.
        removed: tags that go (d, 16), strictly increasing.
        terms: see `HitsTerms`; its elements are the rows that come, (a, row_bytes), strictly increasing.

    Raises:
        LocalError: what changes is not what it was at the snapshot.
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
        """How many of `tag_chunks` are of tags that go; these come first."""
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
