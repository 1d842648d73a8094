"""The sender's change of its table: tags to remove and rows to add. Their numbers follow from the numbers of changed records only.

With `a` added and `r` removed records (a changed record is both), a delta round removes `(r + g) t` tags and adds `(a + g) t` rows, where
g = max(a, r, 1). That covers every effect of the change: a token of a removed record removes its tag, or releases a withheld one, or
changes the facts of a shared one; and likewise for a token of an added record. The rest is padding: dummy rows that are removed
and added, which nobody can distinguish from other rows; when the table has no dummy rows left, live rows that are sent again.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.errors import SequenceError
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.hits import lookup, tags
from blindmatch.protocol.limits import TAG_BYTES
from blindmatch.protocol.session.chunks import Bytes2D, Indices
from blindmatch.protocol.standing.epoch import DELTA, Epoch, facts_binding
from blindmatch.protocol.standing.record_list import (
    LIVE,
    SHARED,
    ListChange,
    RecordList,
    SettledList,
    SlotGroups,
    group_slots,
    slots_of,
)


@dataclass(frozen=True, eq=False)
class ReleasedList:
    """The sender's list and the dummy rows of its table: together they give the tags of the receiver's copy."""

    own: RecordList
    padding_tags: Bytes2D
    """The tags (f, 16) of the dummy rows, in no order."""

    @property
    def table_rows(self) -> int:
        """Rows of the table."""
        return len(self.own) * self.own.slots


@dataclass(frozen=True, eq=False)
class ReleasePlan:
    """A change of the table, before facts are sealed."""

    after: ReleasedList
    removed: Bytes2D
    """The tags that are removed (d, 16), in order."""
    sent: Indices
    """The slots of the next list whose rows are added."""
    holders: list[Indices]
    """Where facts travel, the records that have the token of each of these slots; otherwise empty."""
    new_padding: Bytes2D
    """The tags of the dummy rows that are added."""

    def rows(
        self, epoch: Epoch, round_id: bytes, expander: Expander, outputs: Bytes2D, facts: Bytes2D
    ) -> Bytes2D:
        """The rows that are added, (a, row_bytes), in the order of their tags.

        Args:
            epoch: the epoch.
            round_id: of the delta round, for which facts are sealed.
            expander: of the round's secret seed.
            outputs: where facts travel, the OPRF outputs of `sent`, (g, 64).
            facts: likewise, (g, fact_bytes).
        """
        context, count = epoch.context, len(self.sent)
        rows = np.empty((count + len(self.new_padding), context.row_bytes), dtype=np.uint8)
        rows[:count, :TAG_BYTES] = self.after.own.tags[self.sent]
        rows[count:, :TAG_BYTES] = self.new_padding
        if context.with_facts:
            rows[:count, TAG_BYTES:] = tags.seal_facts(
                outputs, facts, context, *facts_binding(DELTA, round_id)
            )
            shape = len(self.new_padding), context.row_bytes - TAG_BYTES
            noise = expander.stream("filler-facts", 0, shape[0] * shape[1])
            rows[count:, TAG_BYTES:] = np.frombuffer(noise, dtype=np.uint8).reshape(shape)
        return sorted_by_tag(rows)


def sorted_by_tag(rows: Bytes2D) -> Bytes2D:
    """Rows (n, 16 or more) in the order of their tags."""
    if not len(rows):
        return rows
    return np.ascontiguousarray(rows[np.concatenate(list(lookup.in_order(rows)))])


def transfer_sizes(before: int, added: int, removed: int, factor: int = 1) -> tuple[int, int]:
    """The numbers of removed tags and of added rows, divided by the slots of a record: both sides know them from the counts.

    Args:
        before: the sender's number of records before the round.
        added: new and changed records.
        removed: removed and changed records.
        factor: the padding in units of the usual padding.
    """
    padding = min(max(added, removed, 1) * factor, before - removed)
    return removed + padding, added + padding


def release_plan(
    before: ReleasedList, change: ListChange, settled: SettledList, expander: Expander, *, with_facts: bool
) -> ReleasePlan:
    """The tags to remove and the rows to add.

    Args:
        before: the sender's list as of the last round.
        change: from that list to the next.
        settled: the next list.
        expander: of the round's secret seed: chooses the padding.
        with_facts: whether rows hold facts, so that a row whose holders changed is replaced.

    Raises:
        SequenceError: the arguments are not consistent.
    """
    base, own = before.own, settled.own
    was = _live_before(base, change, settled)
    now = settled.searched[(own.flags[settled.searched] & LIVE) != 0]
    old, new = base.tags[was], own.tags[now]
    stay_old, stay_new = _in_both(old, new)
    if with_facts:
        contents = _content_words(base, group_slots(base, base.having(SHARED)), was[stay_old])
        replaced = (contents != _content_words(own, settled.groups, now[stay_new])).any(axis=1)
        stay_old, stay_new = stay_old[~replaced], stay_new[~replaced]
    leaving, coming = np.delete(was, stay_old), np.delete(now, stay_new)
    added, removed = len(change.fresh), len(change.gone)
    factor, slots = 1, own.slots
    while True:
        out, into = (count * slots for count in transfer_sizes(len(base), added, removed, factor))
        if (len(leaving) <= out and len(coming) <= into) or out == before.table_rows:
            break
        factor *= 2  # only when records that did not change are grouped into other entities: almost never
    padding_out = min(out - len(leaving), len(before.padding_tags))
    resent = _resent(own, coming, out - len(leaving) - padding_out, expander)
    padding_in = into - len(coming) - len(resent)
    if padding_in < 0:
        raise SequenceError("a change of the table is not consistent")
    order = draw_distinct(expander, "fillers", len(before.padding_tags), padding_out)
    remaining = np.delete(before.padding_tags, order, axis=0)
    new_padding = np.frombuffer(
        expander.stream("filler-tags", 0, padding_in * TAG_BYTES), dtype=np.uint8
    ).reshape(-1, TAG_BYTES)
    sent = np.concatenate((coming, resent))
    return ReleasePlan(
        after=ReleasedList(own, np.concatenate((remaining, new_padding))),
        removed=sorted_by_tag(
            np.concatenate((base.tags[leaving], before.padding_tags[order], own.tags[resent]))
        ),
        sent=sent,
        holders=holders_of(settled, sent) if with_facts else [],
        new_padding=new_padding,
    )


def holders_of(settled: SettledList, slots: Indices) -> list[Indices]:
    """The records that have the token of each of these live slots, in the order of their digests.

    The order does not depend on the collection's, so a reordered file does not change a row's facts.
    """
    own, (group, shares) = settled.own, _group_of(settled.groups, slots)
    ends = np.append(settled.groups.starts, len(settled.groups.order))
    holders = []
    for slot, number, several in zip(slots.tolist(), group.tolist(), shares.tolist(), strict=True):
        if not several:
            holders.append(np.array([slot // own.slots], dtype=np.int64))
            continue
        records = settled.groups.order[ends[number] : ends[number + 1]] // own.slots
        holders.append(records[np.lexsort(own.digests[records].T[::-1])])
    return holders


def _group_of(groups: SlotGroups, slots: Indices) -> tuple[Indices, npt.NDArray[np.bool_]]:
    """The number of the group that each slot begins, and whether it begins a group."""
    firsts = groups.order[groups.starts]
    if not len(firsts):
        return np.zeros(len(slots), dtype=np.int64), np.zeros(len(slots), dtype=np.bool_)
    by_slot = np.argsort(firsts)
    at = np.minimum(np.searchsorted(firsts, slots, sorter=by_slot), len(firsts) - 1)
    number = by_slot[at]
    return number, firsts[number] == slots


def _content_words(own: RecordList, groups: SlotGroups, live: Indices) -> npt.NDArray[np.uint64]:
    """Two words per live slot (k, 2) that depend on its holders and their facts: the sum of the holders' digests."""
    words = np.ascontiguousarray(own.digests).view(np.uint64)
    contents = words[live // own.slots]
    number, several = _group_of(groups, live)
    if len(groups.order):
        sums = np.add.reduceat(words[groups.order // own.slots], groups.starts, axis=0)
        contents[several] = sums[number[several]]
    return contents


def _live_before(base: RecordList, change: ListChange, settled: SettledList) -> Indices:
    """The live slots of the previous list that the change can affect."""
    affected = np.zeros(len(base.flags), dtype=np.bool_)
    source = change.source[settled.searched // base.slots]
    place = source * base.slots + settled.searched % base.slots
    affected[place[source >= 0]] = True
    affected[slots_of(change.gone, base.slots)] = True
    return np.flatnonzero(affected & ((base.flags & LIVE) != 0))


def _in_both(old: Bytes2D, new: Bytes2D) -> tuple[Indices, Indices]:
    """The places in each, aligned, of the tags that are in both; no tag repeats in either."""
    if not len(old) or not len(new):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    order = np.concatenate(list(lookup.in_order(new)))
    left, right = lookup.find(old, np.ascontiguousarray(new[order]))
    return left, order[right]


def _resent(own: RecordList, coming: Indices, count: int, expander: Expander) -> Indices:
    """Live slots to be removed and sent again as padding: their tags are in the table before and after."""
    if count <= 0:
        return np.empty(0, dtype=np.int64)
    others = np.setdiff1d(own.having(LIVE), coming, assume_unique=True)
    return others[draw_distinct(expander, "again", len(others), count)]


def draw_distinct(expander: Expander, label: str, total: int, count: int) -> Indices:
    """A uniform choice of `count` different numbers below `total`, ascending."""
    if count * 4 > total:
        return np.sort(expander.permutation(label, total)[:count].astype(np.int64))
    chosen: Indices = np.empty(0, dtype=np.int64)
    index = 0
    while len(chosen) < count:
        # 64 bits modulo `total`: the probabilities of two numbers differ by less than 2^-36.
        drawn = np.frombuffer(expander.stream(label, index, 8 * count), dtype="<u8") % np.uint64(
            max(total, 1)
        )
        chosen = np.concatenate((chosen, drawn.astype(np.int64)))
        _, first = np.unique(chosen, return_index=True)
        chosen = chosen[np.sort(first)]
        index += 1
    return np.sort(chosen[:count])
