"""One side's own list as an epoch holds it: per record a keyed digest, per token a tag; and how it follows the collection.

A record that did not change keeps its tags, whatever else changes around it: no token is made for it again. What depends on other
records, the own-list guard and the merging of equal tokens, is settled again for the tokens that a change can have touched.

Whose list it is makes a difference of two words. A sender releases each token once (`merging`); a receiver looks every one up.
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
"""The slot's token is one of other records, too."""
LIVE = 2
"""The slot's tag takes part: it is in the sender's table, or the receiver looks it up."""
HIT = 4
"""Receiver: the tag is in the sender's table."""

_FILTER_BITS = 22


@dataclass(frozen=True, eq=False)
class RecordList:
    """A list of n records of t slots each; slot `i` belongs to record `i // t`.

    Args:
        slots: t, the tokens to which every record is padded.
        digests: of the records, (n, 16).
        tags: of the slots, (n * t, 16); whatever stands in an empty one.
        key_index: (n * t,) the token's key, or `DUMMY` for an empty slot.
        flags: (n * t,) `SHARED`, `LIVE`, `HIT`.
        outputs: a receiver's OPRF outputs (n * t, 64) where facts travel, else none.
    """

    slots: int
    digests: Bytes2D
    tags: Bytes2D
    key_index: Bytes1D
    flags: Bytes1D
    outputs: Bytes2D

    def __post_init__(self) -> None:
        count = len(self.digests) * self.slots
        right = self.digests.shape[1] == RECORD_DIGEST_BYTES and self.tags.shape == (count, TAG_BYTES)
        right &= len(self.key_index) == len(self.flags) == count and len(self.outputs) in {0, count}
        if not right:
            raise SequenceError("the arrays of a list do not have one size")

    def __len__(self) -> int:
        return len(self.digests)

    def having(self, flags: int) -> Indices:
        """The slots that have all of these flags."""
        return np.flatnonzero((self.flags & flags) == flags)


class ListChange(NamedTuple):
    """From one list to the next: where each record of the next comes from, and which are gone."""

    source: Indices
    """(n',) the record's place in the list before, or -1 for one that is new or changed."""
    gone: Indices
    """Places in the list before."""

    @property
    def fresh(self) -> Indices:
        """Places, in the next list, of the records that are new or changed."""
        return np.flatnonzero(self.source < 0)


class FreshSlots(NamedTuple):
    """What was made of the fresh records, in their order: (a * t, ...)."""

    tags: Bytes2D
    key_index: Bytes1D
    outputs: Bytes2D
    """None where the list holds none."""


class ListRules(NamedTuple):
    """What settles a list.

    merging: the sender's side: of equal tokens the first is released.
    guarded: by the key's number, whether more than two people of our own who share its token make it too common.
    entities: (n',) equal for records of one person or company.
    """

    merging: bool
    guarded: Flags
    entities: Indices


class SlotGroups(NamedTuple):
    """Slots that share a token with others, group by group and ascending in each; where each group begins."""

    order: Indices
    starts: Indices


class SettledList(NamedTuple):
    """A list, the slots among which equal tokens were sought, and what was found."""

    own: RecordList
    looked: Indices
    """Slots, ascending; all others are as they were."""
    groups: SlotGroups


def compare_digests(before: Bytes2D, now: Bytes2D) -> ListChange:
    """Which records stay: equal digests are paired one to one, in their order.

    Args:
        before: digests (n, 16) of the list before.
        now: digests (n', 16).
    """
    count = len(before)
    both = np.concatenate((before, now))
    first = np.ascontiguousarray(both).view(np.uint64)[:, 0]
    order, same = sort_order(first)
    starts = np.flatnonzero(~same)
    sizes = np.diff(starts, append=len(order))
    source = np.full(len(now), -1, dtype=np.int64)
    stays = np.zeros(count, dtype=np.bool_)
    pairs = starts[sizes == 2]  # the usual record: once here and once there
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
    # Digests whose first halves are equal by chance are not equal: such a record has changed.
    kept = np.flatnonzero(source >= 0)
    wrong = kept[(before[source[kept]] != now[kept]).any(axis=1)]
    stays[source[wrong]] = False
    source[wrong] = -1
    return ListChange(source, np.flatnonzero(~stays))


def next_list(
    base: RecordList, change: ListChange, fresh: FreshSlots, digests: Bytes2D, rules: ListRules
) -> SettledList:
    """The next list, with everything settled that the change can have touched.

    Args:
        base: the list before.
        change: as `compare` gave it.
        fresh: of the fresh records.
        digests: of all records of the next list, (n', 16).
        rules: for the next list.
    """
    moved = _rearranged(base, change, fresh, digests)
    touched = distinct_tags(np.concatenate((token_tags(base, change.gone), token_tags(moved, change.fresh))))
    look = (moved.flags & SHARED).astype(np.bool_)
    look[places_of(moved.tags, touched)] = True
    look[slots_of(change.fresh, base.slots)] = True
    look &= moved.key_index != DUMMY
    return _settle(moved, np.flatnonzero(look), rules)


def first_list(slots: int, digests: Bytes2D, fresh: FreshSlots, rules: ListRules) -> SettledList:
    """The first list of an epoch, settled as a whole."""
    flags = np.zeros(len(fresh.key_index), dtype=np.uint8)
    own = RecordList(slots, digests, fresh.tags, fresh.key_index, flags, fresh.outputs)
    return _settle(own, np.flatnonzero(fresh.key_index != DUMMY), rules)


def slots_of(records: Indices, slots: int) -> Indices:
    """Every slot of these records, in their order."""
    made: Indices = (records[:, None] * slots + np.arange(slots)).reshape(-1)
    return made


def token_tags(own: RecordList, records: Indices) -> Bytes2D:
    """The tags of these records' tokens, (m, 16)."""
    slots = slots_of(records, own.slots)
    found: Bytes2D = own.tags[slots[own.key_index[slots] != DUMMY]]
    return found


def distinct_tags(tags: Bytes2D) -> Bytes2D:
    """The tags in order, each once: (m, 16), strictly increasing."""
    if not len(tags):
        return no_rows(TAG_BYTES)
    ordered = tags[np.concatenate(list(lookup.in_order(tags)))]
    keep = np.ones(len(ordered), dtype=np.bool_)
    keep[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return np.ascontiguousarray(ordered[keep])


def places_of(tags: Bytes2D, wanted: Bytes2D) -> Indices:
    """The places of the tags (n, 16) that are among few wanted ones (m, 16), which strictly increase; ascending."""
    if not len(wanted) or not len(tags):
        return np.empty(0, dtype=np.int64)
    mask = np.uint32((1 << _FILTER_BITS) - 1)
    there = np.zeros(1 << _FILTER_BITS, dtype=np.bool_)
    there[_first(wanted) & mask] = True
    likely = np.flatnonzero(there[_first(tags) & mask])
    if not len(likely):
        return likely
    return np.sort(likely[lookup.find(np.ascontiguousarray(tags[likely]), wanted)[0]])


def _first(tags: Bytes2D) -> npt.NDArray[np.uint32]:
    return np.ascontiguousarray(tags).view(np.uint32)[:, 0]


def _rearranged(base: RecordList, change: ListChange, fresh: FreshSlots, digests: Bytes2D) -> RecordList:
    """Every record at its new place; fresh slots live, and nothing settled."""
    source = np.maximum(change.source, 0)
    into = slots_of(change.fresh, base.slots)
    with_outputs = len(base.outputs) or len(fresh.outputs)

    def gather(rows: npt.NDArray[np.uint8], new: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        wide: npt.NDArray[np.uint8] = np.take(rows.reshape(len(base), -1), source, axis=0)
        made: npt.NDArray[np.uint8] = wide.reshape((len(source) * base.slots, *rows.shape[1:]))
        made[into] = new
        return made

    return RecordList(
        slots=base.slots,
        digests=digests,
        tags=gather(base.tags, fresh.tags),
        key_index=gather(base.key_index, fresh.key_index),
        flags=gather(base.flags, np.zeros(len(into), dtype=np.uint8)),
        outputs=gather(base.outputs, fresh.outputs) if with_outputs else base.outputs,
    )


def group_slots(own: RecordList, slots: Indices) -> SlotGroups:
    """Which of these slots share a token."""
    inside = np.ascontiguousarray(own.tags[slots])
    order, starts, placed = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)], 0
    for part, begins in repeated_tokens(inside, np.ascontiguousarray(inside[:, :8]), own.key_index[slots]):
        order.append(slots[part])
        starts.append(begins + placed)
        placed += len(part)
    return SlotGroups(np.concatenate(order), np.concatenate(starts))


def _settle(own: RecordList, looked: Indices, rules: ListRules) -> SettledList:
    """Guard and merging among these slots; all others keep their flags."""
    order, starts = groups = group_slots(own, looked)
    flags = own.flags.copy()
    flags[looked] = (flags[looked] & HIT) | LIVE
    if len(order):
        common = shared_too_often(order, starts, rules.entities[order // own.slots])
        common &= rules.guarded[own.key_index[order[starts]]]
        out = np.repeat(common, np.diff(starts, append=len(order)))
        if rules.merging:
            later = np.ones(len(order), dtype=np.bool_)
            later[starts] = False
            out |= later
        flags[order] |= SHARED
        flags[order[out]] &= ~np.uint8(LIVE)
    return SettledList(replace(own, flags=flags), looked, groups)
