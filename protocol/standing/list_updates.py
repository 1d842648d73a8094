"""Both sides' lists when an epoch opens and after each delta round: the heavy steps of a standing agreement outside its sessions."""

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
    """A side's collection, from which its list is built: n records of t slots."""

    def __len__(self) -> int:
        """The number of records, n."""

    @property
    def slots(self) -> int:
        """The number of slots of a record, t."""

    @property
    def digests(self) -> Bytes2D:
        """Keyed digests (n, 16), equal for records that yield the same tokens and release the same facts."""

    @property
    def entities(self) -> Indices:
        """(n,) equal for records of one person or company."""

    @property
    def guarded(self) -> Flags:
        """By the key's number, whether the own-list guard applies to its tokens."""

    def inputs(self, records: Indices) -> tuple[Bytes2D, Bytes1D]:
        """The elements of k records, (k * t, L), and the number of each one's key, (k * t,), `DUMMY` in empty slots."""

    def facts(self, holders: Sequence[Indices]) -> Bytes2D:
        """The padded facts (m, fact_bytes) of m elements, each from the records that have it, in this order."""


def list_rules(records: RecordSource, *, merging: bool) -> ListRules:
    """The rules that settle this collection's list."""
    return ListRules(merging, records.guarded, records.entities)


class SenderChange(NamedTuple):
    """A sender's input to a delta round."""

    plan: ReleasePlan
    rows: Bytes2D
    """The added rows, in the order of their tags."""
    counts: ChangeCounts


def open_sender(epoch: Epoch, records: RecordSource, tags: Bytes2D, key_index: Bytes1D) -> ReleasedList:
    """The sender's list and dummy rows after the opening round.

    Args:
        epoch: with the key.
        records: the collection that was the round's input.
        tags: the tags of the round's elements, (n * t, 16), by slot.
        key_index: the keys of the round's elements, (n * t,): `DUMMY` also where the guard or the merging emptied a slot.
    """
    all_tags, keys = tags.copy(), np.full(len(tags), DUMMY, dtype=np.uint8)
    for start in range(0, len(records), _AT_ONCE):
        some = np.arange(start, min(start + _AT_ONCE, len(records)))
        inputs, own = records.inputs(some)
        slots = slots_of(some, records.slots)
        keys[slots] = own
        # Tokens that the round did not release: repeated tokens after the first, and withheld tokens.
        unreleased = np.flatnonzero((own != DUMMY) & (key_index[slots] == DUMMY))
        if len(unreleased):
            inputs = np.ascontiguousarray(inputs[unreleased])
            all_tags[slots[unreleased]] = epoch.tags(epoch.evaluate(inputs))
    all_tags[keys == DUMMY] = 0
    fresh = FreshSlots(all_tags, keys, no_rows(OUTPUT_BYTES))
    settled = first_list(records.slots, records.digests, fresh, list_rules(records, merging=True))
    return ReleasedList(settled.own, np.ascontiguousarray(tags[key_index == DUMMY]))


def change_sender(
    before: ReleasedList, epoch: Epoch, records: RecordSource, context: EdgeContext, seed: bytes
) -> SenderChange:
    """A sender's input to the next delta round. The same arguments give the same bytes.

    Args:
        before: the sender's list as of the last round.
        epoch: with the key.
        records: the collection now.
        context: of the delta round.
        seed: 32 secret bytes, for this delta round only.
    """
    expander = Expander(bound_seed(seed, context))
    with_facts = epoch.context.with_facts
    change = compare_digests(before.own.digests, records.digests)
    fresh, outputs = _evaluate(epoch, records, change.fresh)
    settled = next_list(before.own, change, fresh, records.digests, list_rules(records, merging=True))
    plan = release_plan(before, change, settled, expander, with_facts=with_facts)
    facts, sealing = no_rows(0), no_rows(OUTPUT_BYTES)
    if with_facts:
        facts = records.facts(plan.holders)
        sealing = _outputs_of(epoch, records, plan.sent, change, outputs)
    rows = plan.rows(epoch, context.round_id, expander, sealing, facts)
    expander.wipe()
    return SenderChange(plan, rows, ChangeCounts(len(change.fresh), len(change.gone)))


def _evaluate(epoch: Epoch, records: RecordSource, some: Indices) -> tuple[FreshSlots, Bytes2D]:
    """The slots of some of the sender's records; where facts travel also the OPRF outputs of the slots that are not empty."""
    count = len(some) * records.slots
    tags, keys = np.zeros((count, TAG_BYTES), dtype=np.uint8), np.full(count, DUMMY, dtype=np.uint8)
    outputs = np.zeros((count if epoch.context.with_facts else 0, OUTPUT_BYTES), dtype=np.uint8)
    for start in range(0, len(some), _AT_ONCE):
        inputs, own = records.inputs(some[start : start + _AT_ONCE])
        real = np.flatnonzero(own != DUMMY)
        at = start * records.slots
        keys[at : at + len(own)] = own
        if len(real):
            evaluated = epoch.evaluate(np.ascontiguousarray(inputs[real]))
            tags[at + real] = epoch.tags(evaluated)
            if len(outputs):
                outputs[at + real] = evaluated
    return FreshSlots(tags, keys, no_rows(OUTPUT_BYTES)), outputs


def _outputs_of(
    epoch: Epoch, records: RecordSource, slots: Indices, change: ListChange, fresh: Bytes2D
) -> Bytes2D:
    """The OPRF outputs (k, 64) of some slots: `fresh` has those of fresh records, the others are evaluated again."""
    outputs = np.empty((len(slots), OUTPUT_BYTES), dtype=np.uint8)
    owners, places = slots // records.slots, slots % records.slots
    at = np.searchsorted(change.fresh, owners)
    known = np.zeros(len(slots), dtype=np.bool_)
    inside = at < len(change.fresh)
    known[inside] = change.fresh[at[inside]] == owners[inside]
    outputs[known] = fresh[at[known] * records.slots + places[known]]
    unknown = np.flatnonzero(~known)
    some, back = np.unique(owners[unknown], return_inverse=True)
    for start in range(0, len(some), _AT_ONCE):
        inputs, _ = records.inputs(some[start : start + _AT_ONCE])
        mine = np.flatnonzero((back >= start) & (back < start + _AT_ONCE))
        wanted = (back[mine] - start) * records.slots + places[unknown[mine]]
        outputs[unknown[mine]] = epoch.evaluate(np.ascontiguousarray(inputs[wanted]))
    return outputs


class ReceiverList(NamedTuple):
    """A receiver's list with its hits, and its copy of the sender's table."""

    own: RecordList
    table: TagTable


def open_receiver(records: RecordSource, fresh: FreshSlots, rows: Bytes2D) -> ReceiverList:
    """The receiver's list and table after the opening round.

    Args:
        records: the collection.
        fresh: the slots of every record, before the guard.
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
    """A receiver's result of a delta round."""

    number: int
    """The delta round's number in its epoch."""
    change: ListChange
    """Of its own list."""
    fresh: FreshSlots
    """The slots of its own new and changed records, before the guard."""
    removed: Bytes2D
    """The tags that the sender removed from its table."""
    rows: Bytes2D
    """The rows that the sender added."""


def change_receiver(before: ReceiverList, records: RecordSource, update: DeltaUpdate) -> ReceiverList:
    """The receiver's list and table after a delta round. PeerError: BAD_TAGS, see `TagTable.updated`."""
    change = update.change
    settled = next_list(
        before.own,
        change,
        _without_padding(update.fresh),
        records.digests,
        list_rules(records, merging=False),
    )
    table = before.table.updated(update.removed, update.rows, update.number)
    new = slots_of(change.fresh, records.slots)
    return ReceiverList(with_hits(settled.own, before.table, update.removed, update.rows, new), table)


def _without_padding(fresh: FreshSlots) -> FreshSlots:
    """Erase the tags and outputs of dummy elements, which were evaluated like any element."""
    tags, outputs = fresh.tags.copy(), fresh.outputs
    tags[fresh.key_index == DUMMY] = 0
    if len(outputs):
        outputs = outputs.copy()
        outputs[fresh.key_index == DUMMY] = 0
    return FreshSlots(tags, fresh.key_index, outputs)


def current_hits(epoch: Epoch, held: ReceiverList, rounds: Sequence[bytes]) -> Hits:
    """The receiver's hits: slots, with their facts where they travel.

    Args:
        epoch: the epoch.
        held: its list and table.
        rounds: the ids of the epoch's rounds by number.
    """
    elements = hit_slots(held.own)
    if not epoch.context.with_facts:
        return Hits(elements)
    facts, opened = hit_facts(epoch, held.table, held.own, elements, rounds)
    return Hits(elements, facts, ~opened)
