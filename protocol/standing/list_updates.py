"""Both sides' lists when an epoch opens and when it goes on: the heavy steps of a standing agreement outside its sessions."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from blindmatch.protocol.expand import Expander
from blindmatch.protocol.hits.messages import Hits
from blindmatch.protocol.limits import OUTPUT_BYTES, TAG_BYTES
from blindmatch.protocol.linkage.compiled_keys import DUMMY
from blindmatch.protocol.session.base import bound_seed
from blindmatch.protocol.session.chunks import Bytes2D, Indices
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.standing.epoch import Epoch, no_rows
from blindmatch.protocol.standing.record_list import (
    Bytes1D,
    Flags,
    FreshSlots,
    ListChange,
    ListRules,
    RecordList,
    compare_digests,
    first_list,
    next_list,
    slots_of,
)
from blindmatch.protocol.standing.release_plan import ReleasedList, ReleasePlan, release_plan
from blindmatch.protocol.standing.statements import ChangeCounts
from blindmatch.protocol.standing.tag_table import TagTable, hit_facts, hit_slots, with_hits

_AT_ONCE = 4_096
"""Records whose elements are in memory together."""


class RecordSource(Protocol):
    """A side's collection, as lists are made from it: n records of t slots."""

    def __len__(self) -> int:
        """How many records."""

    @property
    def slots(self) -> int:
        """T."""

    @property
    def digests(self) -> Bytes2D:
        """Keyed digests (n, 16), equal for records that yield the same tokens and release the same facts."""

    @property
    def entities(self) -> Indices:
        """(n,) equal for records of one person or company."""

    @property
    def guarded(self) -> Flags:
        """By the key's number, whether the own-list guard holds for it."""

    def inputs(self, records: Indices) -> tuple[Bytes2D, Bytes1D]:
        """The elements of some records, (k * t, L), and the number of each one's key, `DUMMY` in empty slots."""

    def facts(self, holders: Sequence[Indices]) -> Bytes2D:
        """The padded facts (m, fact_bytes) of elements that stand for these records each, in this order."""


def list_rules(records: RecordSource, *, merging: bool) -> ListRules:
    """What settles this collection's list."""
    return ListRules(merging, records.guarded, records.entities)


class RowSource:
    """Rows (n, L) as an `ElementSource`."""

    def __init__(self, rows: Bytes2D) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, indices: Indices) -> Bytes2D:
        """See `match.ElementSource`."""
        return self._rows[indices]


class SenderChange(NamedTuple):
    """What a sender brings to a delta round."""

    plan: ReleasePlan
    rows: Bytes2D
    """Rows that come, in order."""
    counts: ChangeCounts


def open_sender(epoch: Epoch, records: RecordSource, tags: Bytes2D, key_index: Bytes1D) -> ReleasedList:
    """The sender's list and fillers after the table of the opening round was made.

    Args:
        epoch: with the key.
        records: the collection that the round was made from.
        tags: of the round's elements, (n * t, 16), by slot.
        key_index: of the round's elements, (n * t,): `DUMMY` also where the guard or the merging emptied a slot.
    """
    made, keys = tags.copy(), np.full(len(tags), DUMMY, dtype=np.uint8)
    for start in range(0, len(records), _AT_ONCE):
        some = np.arange(start, min(start + _AT_ONCE, len(records)))
        inputs, own = records.inputs(some)
        slots = slots_of(some, records.slots)
        keys[slots] = own
        # Tokens that the round did not release: shared ones beyond the first, and withheld ones.
        left = np.flatnonzero((own != DUMMY) & (key_index[slots] == DUMMY))
        if len(left):
            made[slots[left]] = epoch.tags(epoch.evaluate(np.ascontiguousarray(inputs[left])))
    fillers = np.ascontiguousarray(tags[key_index == DUMMY])
    made[keys == DUMMY] = 0
    settled = first_list(
        records.slots,
        records.digests,
        FreshSlots(made, keys, no_rows(OUTPUT_BYTES)),
        list_rules(records, merging=True),
    )
    return ReleasedList(settled.own, fillers)


def change_sender(
    before: ReleasedList, epoch: Epoch, records: RecordSource, context: EdgeContext, seed: bytes
) -> SenderChange:
    """What changed since, and what the receiver is told of it. The same bytes for the same arguments.

    Args:
        before: as the receiver holds it.
        epoch: with the key.
        records: the collection now.
        context: of the delta round.
        seed: 32 secret bytes, of the delta round alone.
    """
    expander = Expander(bound_seed(seed, context))
    with_facts = epoch.context.with_facts
    change = compare_digests(before.own.digests, records.digests)
    fresh, outputs = _evaluate(epoch, records, change.fresh)
    settled = next_list(before.own, change, fresh, records.digests, list_rules(records, merging=True))
    made = release_plan(before, change, settled, expander, with_facts=with_facts)
    facts, given = no_rows(0), no_rows(OUTPUT_BYTES)
    if with_facts:
        facts = records.facts(made.holders)
        given = _outputs_of(epoch, records, made.given, change, outputs)
    rows = made.rows(epoch, context.round_id, expander, given, facts)
    expander.wipe()
    return SenderChange(made, rows, ChangeCounts(len(change.fresh), len(change.gone)))


def _evaluate(epoch: Epoch, records: RecordSource, some: Indices) -> tuple[FreshSlots, Bytes2D]:
    """What the sender makes of some records, and the outputs of their real slots, by slot."""
    count = len(some) * records.slots
    tags, keys = np.zeros((count, TAG_BYTES), dtype=np.uint8), np.full(count, DUMMY, dtype=np.uint8)
    outputs = np.zeros((count if epoch.context.with_facts else 0, OUTPUT_BYTES), dtype=np.uint8)
    for start in range(0, len(some), _AT_ONCE):
        inputs, own = records.inputs(some[start : start + _AT_ONCE])
        real = np.flatnonzero(own != DUMMY)
        at = start * records.slots
        keys[at : at + len(own)] = own
        if len(real):
            made = epoch.evaluate(np.ascontiguousarray(inputs[real]))
            tags[at + real] = epoch.tags(made)
            if len(outputs):
                outputs[at + real] = made
    return FreshSlots(tags, keys, no_rows(OUTPUT_BYTES)), outputs


def _outputs_of(
    epoch: Epoch, records: RecordSource, slots: Indices, change: ListChange, fresh: Bytes2D
) -> Bytes2D:
    """The outputs of some slots: those of fresh records are there, the others are evaluated once more."""
    made = np.empty((len(slots), OUTPUT_BYTES), dtype=np.uint8)
    owners, places = slots // records.slots, slots % records.slots
    at = np.searchsorted(change.fresh, owners)
    known = np.zeros(len(slots), dtype=np.bool_)
    inside = at < len(change.fresh)
    known[inside] = change.fresh[at[inside]] == owners[inside]
    made[known] = fresh[at[known] * records.slots + places[known]]
    left = np.flatnonzero(~known)
    some, back = np.unique(owners[left], return_inverse=True)
    for start in range(0, len(some), _AT_ONCE):
        inputs, _ = records.inputs(some[start : start + _AT_ONCE])
        mine = np.flatnonzero((back >= start) & (back < start + _AT_ONCE))
        wanted = (back[mine] - start) * records.slots + places[left[mine]]
        made[left[mine]] = epoch.evaluate(np.ascontiguousarray(inputs[wanted]))
    return made


class ReceiverList(NamedTuple):
    """A receiver's list with its hits, and the sender's table."""

    own: RecordList
    table: TagTable


def open_receiver(records: RecordSource, fresh: FreshSlots, rows: Bytes2D) -> ReceiverList:
    """After the opening round.

    Args:
        records: the collection.
        fresh: of every record, the guard not applied yet.
        rows: the sender's table (m, row_bytes).
    """
    own = first_list(
        records.slots, records.digests, _without_padding(fresh), list_rules(records, merging=False)
    ).own
    table = TagTable(rows.copy(), np.zeros(len(rows), dtype=np.uint32))
    return ReceiverList(
        with_hits(own, None, no_rows(TAG_BYTES), table.rows, np.empty(0, dtype=np.int64)), table
    )


class DeltaUpdate(NamedTuple):
    """What a delta round brought to the receiver."""

    number: int
    """Which delta round of the epoch it was."""
    change: ListChange
    """Of its own list."""
    fresh: FreshSlots
    """Of its own new and changed records, the guard not applied yet."""
    removed: Bytes2D
    """Tags that went from the sender's table."""
    rows: Bytes2D
    """Rows that came."""


def change_receiver(before: ReceiverList, records: RecordSource, news: DeltaUpdate) -> ReceiverList:
    """After a delta round: the collection now, and what came.

    Raises:
        PeerError: BAD_TAGS.
    """
    change = news.change
    settled = next_list(
        before.own, change, _without_padding(news.fresh), records.digests, list_rules(records, merging=False)
    )
    table = before.table.updated(news.removed, news.rows, news.number)
    new = slots_of(change.fresh, records.slots)
    return ReceiverList(with_hits(settled.own, before.table, news.removed, news.rows, new), table)


def _without_padding(fresh: FreshSlots) -> FreshSlots:
    """Fillers were evaluated like any element; nothing of them is kept."""
    tags, outputs = fresh.tags.copy(), fresh.outputs
    tags[fresh.key_index == DUMMY] = 0
    if len(outputs):
        outputs = outputs.copy()
        outputs[fresh.key_index == DUMMY] = 0
    return FreshSlots(tags, fresh.key_index, outputs)


def current_hits(epoch: Epoch, held: ReceiverList, rounds: Sequence[bytes]) -> Hits:
    """What the receiver learns from what it holds: slots that hit, and their facts where they travel.

    Args:
        epoch: the epoch.
        held: list and table.
        rounds: the ids of the epoch's rounds by number.
    """
    elements = hit_slots(held.own)
    if not epoch.context.with_facts:
        return Hits(elements)
    facts, known = hit_facts(epoch, held.table, held.own, elements, rounds)
    return Hits(elements, facts, ~known)
