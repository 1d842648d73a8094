"""One side's list in an epoch: a keyed digest per record, a tag per token; and how the list follows the collection.

A record that does not change retains its tags; its tokens are not evaluated again. The own-list guard and the merging of equal tokens
depend on other records: they are settled again for the tokens that a change can affect.

The two sides differ in one rule: a sender releases each token once (`merging`), a receiver looks up every token.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.errors import SequenceError
from blindmatch.protocol.hits import lookup
from blindmatch.protocol.limits import TAG_BYTES
from blindmatch.protocol.linkage.compiled_keys import DUMMY
from blindmatch.protocol.linkage.shared_tokens import repeated_tokens, shared_too_often
from blindmatch.protocol.session.chunks import Bytes2D, Indices
from blindmatch.protocol.sorting import sort_order
from blindmatch.protocol.standing.epoch import RECORD_DIGEST_BYTES, no_rows

Bytes1D = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

SHARED = 1
"""The slot's token occurs in other records as well."""
LIVE = 2
"""The slot's tag is compared: it is in the sender's table, or the receiver looks it up."""
HIT = 4
"""Receiver: the tag is in the sender's table."""

_FILTER_BITS = 22


@dataclass(frozen=True, eq=False)
class RecordList:
    """A list of n records of t slots each; slot `i` belongs to record `i // t`.

    Args:
        slots: t, the tokens to which every record is padded.
        digests: of the records, (n, 16).
        tags: of the slots, (n * t, 16); without meaning in an empty slot.
        key_index: (n * t,) the token's key, or `DUMMY` for an empty slot.
        flags: (n * t,) `SHARED`, `LIVE`, `HIT`.
        outputs: receiver: the OPRF outputs (n * t, 64) where facts travel, otherwise no rows.

    Raises:
        SequenceError: arrays of different sizes.
    """

    slots: int
    digests: Bytes2D
    tags: Bytes2D
    key_index: Bytes1D
    flags: Bytes1D
    outputs: Bytes2D

    def __post_init__(self) -> None:
        count = len(self.digests) * self.slots
        consistent = self.digests.shape[1] == RECORD_DIGEST_BYTES and self.tags.shape == (count, TAG_BYTES)
        consistent &= len(self.key_index) == len(self.flags) == count and len(self.outputs) in {0, count}
        if not consistent:
            raise SequenceError("the arrays of a list differ in size")

    def __len__(self) -> int:
        return len(self.digests)

    def having(self, flags: int) -> Indices:
        """The slots that have all of these flags."""
        return np.flatnonzero((self.flags & flags) == flags)


class ListChange(NamedTuple):
    """From one list to the next: the origin of each record of the next list, and the removed records."""

    source: Indices
    """(n',) the record's place in the previous list, or -1 for a new or changed record."""
    gone: Indices
    """The places of removed and changed records in the previous list, ascending."""

    @property
    def fresh(self) -> Indices:
        """The places of new and changed records in the next list, ascending."""
        return np.flatnonzero(self.source < 0)


class FreshSlots(NamedTuple):
    """The slots of the fresh (new or changed) records, in the records' order: (a * t, ...)."""

    tags: Bytes2D
    key_index: Bytes1D
    outputs: Bytes2D
    """No rows where the list has no outputs."""


class ListRules(NamedTuple):
    """The rules by which a list is settled.

    merging: sender: of equal tokens, only the first is released.
    guarded: by the key's number, whether the own-list guard withholds a token that more than two of its own people share.
    entities: (n',) equal for records of one person or company.
    """

    merging: bool
    guarded: Flags
    entities: Indices


class SlotGroups(NamedTuple):
    """Slots that share a token: group by group, ascending in each group; and the place at which each group begins."""

    order: Indices
    starts: Indices


class SettledList(NamedTuple):
    """A list, the slots that were searched for equal tokens, and the groups of slots with equal tokens."""

    own: RecordList
    searched: Indices
    """Ascending; all other slots are as before."""
    groups: SlotGroups


def compare_digests(before: Bytes2D, now: Bytes2D) -> ListChange:
    """The change between two lists: records with equal digests are paired one to one, in their order.

    Args:
        before: the digests (n, 16) of the previous list.
        now: the digests (n', 16) of the next list.
    """
    count = len(before)
    both = np.concatenate((before, now))
    first = np.ascontiguousarray(both).view(np.uint64)[:, 0]
    order, same = sort_order(first)
    starts = np.flatnonzero(~same)
    sizes = np.diff(starts, append=len(order))
    source = np.full(len(now), -1, dtype=np.int64)
    stays = np.zeros(count, dtype=np.bool_)
    pairs = starts[sizes == 2]  # the usual record: once in each list
    one, other = order[pairs], order[pairs + 1]
    crossing = (one < count) & (other >= count)
    source[other[crossing] - count] = one[crossing]
    stays[one[crossing]] = True
    for start, size in zip(starts[sizes > 2].tolist(), sizes[sizes > 2].tolist(), strict=True):
        members = order[start : start + size]
        olds, news = members[members < count], members[members >= count] - count
        paired = min(len(olds), len(news))
        source[news[:paired]] = olds[:paired]
        stays[olds[:paired]] = True
    # Records whose digests are equal in the first half only are not the same record.
    paired_now = np.flatnonzero(source >= 0)
    wrong = paired_now[(before[source[paired_now]] != now[paired_now]).any(axis=1)]
    stays[source[wrong]] = False
    source[wrong] = -1
    return ListChange(source, np.flatnonzero(~stays))


def next_list(
    base: RecordList, change: ListChange, fresh: FreshSlots, digests: Bytes2D, rules: ListRules
) -> SettledList:
    """The next list; the slots that the change can affect are settled again.

    Args:
        base: the previous list.
        change: the result of `compare_digests`.
        fresh: the slots of the fresh records.
        digests: of all records of the next list, (n', 16).
        rules: for the next list.
    """
    own = _rearranged(base, change, fresh, digests)
    affected = distinct_tags(np.concatenate((token_tags(base, change.gone), token_tags(own, change.fresh))))
    searched = (own.flags & SHARED).astype(np.bool_)
    searched[places_of(own.tags, affected)] = True
    searched[slots_of(change.fresh, base.slots)] = True
    searched &= own.key_index != DUMMY
    return _settle(own, np.flatnonzero(searched), rules)


def first_list(slots: int, digests: Bytes2D, fresh: FreshSlots, rules: ListRules) -> SettledList:
    """The first list of an epoch; all its slots are settled."""
    flags = np.zeros(len(fresh.key_index), dtype=np.uint8)
    own = RecordList(slots, digests, fresh.tags, fresh.key_index, flags, fresh.outputs)
    return _settle(own, np.flatnonzero(fresh.key_index != DUMMY), rules)


def slots_of(records: Indices, slots: int) -> Indices:
    """Every slot of these records, in their order."""
    every: Indices = (records[:, None] * slots + np.arange(slots)).reshape(-1)
    return every


def token_tags(own: RecordList, records: Indices) -> Bytes2D:
    """The tags of these records' tokens, (m, 16)."""
    slots = slots_of(records, own.slots)
    tags: Bytes2D = own.tags[slots[own.key_index[slots] != DUMMY]]
    return tags


def distinct_tags(tags: Bytes2D) -> Bytes2D:
    """The tags in order, each once: (m, 16), strictly increasing."""
    if not len(tags):
        return no_rows(TAG_BYTES)
    ordered = tags[np.concatenate(list(lookup.in_order(tags)))]
    first = np.ones(len(ordered), dtype=np.bool_)
    first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return np.ascontiguousarray(ordered[first])


def places_of(tags: Bytes2D, wanted: Bytes2D) -> Indices:
    """The places, ascending, of those of the tags (n, 16) that are in a small set of wanted tags (m, 16), which strictly increase."""
    if not len(wanted) or not len(tags):
        return np.empty(0, dtype=np.int64)
    mask = np.uint32((1 << _FILTER_BITS) - 1)
    present = np.zeros(1 << _FILTER_BITS, dtype=np.bool_)
    present[_first_words(wanted) & mask] = True
    likely = np.flatnonzero(present[_first_words(tags) & mask])
    if not len(likely):
        return likely
    return np.sort(likely[lookup.find(np.ascontiguousarray(tags[likely]), wanted)[0]])


def _first_words(tags: Bytes2D) -> npt.NDArray[np.uint32]:
    return np.ascontiguousarray(tags).view(np.uint32)[:, 0]


def _rearranged(base: RecordList, change: ListChange, fresh: FreshSlots, digests: Bytes2D) -> RecordList:
    """Every record at its new place, with its old flags; nothing is settled yet."""
    source = np.maximum(change.source, 0)
    into = slots_of(change.fresh, base.slots)
    with_outputs = len(base.outputs) or len(fresh.outputs)

    def gather(rows: npt.NDArray[np.uint8], new: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        wide: npt.NDArray[np.uint8] = np.take(rows.reshape(len(base), -1), source, axis=0)
        slots: npt.NDArray[np.uint8] = wide.reshape((len(source) * base.slots, *rows.shape[1:]))
        slots[into] = new
        return slots

    return RecordList(
        slots=base.slots,
        digests=digests,
        tags=gather(base.tags, fresh.tags),
        key_index=gather(base.key_index, fresh.key_index),
        flags=gather(base.flags, np.zeros(len(into), dtype=np.uint8)),
        outputs=gather(base.outputs, fresh.outputs) if with_outputs else base.outputs,
    )


def group_slots(own: RecordList, slots: Indices) -> SlotGroups:
    """The groups of these slots that share a token."""
    inside = np.ascontiguousarray(own.tags[slots])
    order, starts, placed = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)], 0
    for part, begins in repeated_tokens(inside, np.ascontiguousarray(inside[:, :8]), own.key_index[slots]):
        order.append(slots[part])
        starts.append(begins + placed)
        placed += len(part)
    return SlotGroups(np.concatenate(order), np.concatenate(starts))


def _settle(own: RecordList, searched: Indices, rules: ListRules) -> SettledList:
    """Apply the own-list guard and the merging to these slots; all others retain their flags."""
    order, starts = groups = group_slots(own, searched)
    flags = own.flags.copy()
    flags[searched] = (flags[searched] & HIT) | LIVE
    if len(order):
        common = shared_too_often(order, starts, rules.entities[order // own.slots])
        common &= rules.guarded[own.key_index[order[starts]]]
        withheld = np.repeat(common, np.diff(starts, append=len(order)))
        if rules.merging:
            later = np.ones(len(order), dtype=np.bool_)
            later[starts] = False
            withheld |= later
        flags[order] |= SHARED
        flags[order[withheld]] &= ~np.uint8(LIVE)
    return SettledList(replace(own, flags=flags), searched, groups)
