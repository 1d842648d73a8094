"""What a sender tells of its changed table: tags that go and rows that come, as many as the numbers of changed records say.

With `a` records that are new and `r` that are gone (a changed one is both), `(r + g) t` tags go and `(a + g) t` rows come, g being
the greater of a and r, and at least 1. That is room for all that can follow from them: each token of a record that is gone
takes its tag away, or sets a withheld one free, or changes whose facts a shared one carries; each token of a new record the like. The rest is padding:
fillers that go and come, which look like any entry; when the table has no fillers left, entries that are given once more.
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
    """The sender's list and the fillers of its table: what it knows of the table that the receiver holds."""

    own: RecordList
    padding_tags: Bytes2D
    """Tags (f, 16), in no order."""

    @property
    def table_rows(self) -> int:
        """Rows of the table."""
        return len(self.own) * self.own.slots


@dataclass(frozen=True, eq=False)
class ReleasePlan:
    """A change of the table, before anything is sealed."""

    after: ReleasedList
    removed: Bytes2D
    """Tags that go (d, 16), in order."""
    given: Indices
    """Slots of the list after it whose rows come."""
    holders: list[Indices]
    """The records that each of them stands for, where facts travel; else nothing."""
    new_padding: Bytes2D
    """Tags of the fillers that come."""

    def rows(
        self, epoch: Epoch, round_id: bytes, expander: Expander, outputs: Bytes2D, facts: Bytes2D
    ) -> Bytes2D:
        """The rows that come, (a, row_bytes), in order of their tags.

        Args:
            epoch: the epoch.
            round_id: of the delta round; its facts are sealed for it.
            expander: of the round's secret seed.
            outputs: of `given`, (g, 64), where facts travel.
            facts: of `given`, (g, fact_bytes), likewise.
        """
        context, count = epoch.context, len(self.given)
        made = np.empty((count + len(self.new_padding), context.row_bytes), dtype=np.uint8)
        made[:count, :TAG_BYTES] = self.after.own.tags[self.given]
        made[count:, :TAG_BYTES] = self.new_padding
        if context.with_facts:
            made[:count, TAG_BYTES:] = tags.seal_facts(
                outputs, facts, context, *facts_binding(DELTA, round_id)
            )
            shape = len(self.new_padding), context.row_bytes - TAG_BYTES
            noise = expander.stream("filler-facts", 0, shape[0] * shape[1])
            made[count:, TAG_BYTES:] = np.frombuffer(noise, dtype=np.uint8).reshape(shape)
        return sorted_by_tag(made)


def sorted_by_tag(rows: Bytes2D) -> Bytes2D:
    """Rows by their tags."""
    if not len(rows):
        return rows
    return np.ascontiguousarray(rows[np.concatenate(list(lookup.in_order(rows)))])


def transfer_sizes(before: int, added: int, removed: int, spare: int = 1) -> tuple[int, int]:
    """(tags that go, rows that come), in records: what both sides know of a change from its counts.

    Args:
        before: records of the sender in the table so far.
        added: new and changed ones.
        removed: gone and changed ones.
        spare: how many times the usual padding; more than once only when a list was put together anew around
            records that did not change.
    """
    room = min(max(added, removed, 1) * spare, before - removed)
    return removed + room, added + room


def release_plan(
    before: ReleasedList, change: ListChange, settled: SettledList, expander: Expander, *, with_facts: bool
) -> ReleasePlan:
    """What goes and what comes.

    Args:
        before: as the receiver holds it.
        change: from that list to the one that `settled` is about.
        settled: the next list.
        expander: of the round's secret seed: chooses the padding.
        with_facts: whether rows carry facts, so that an entry whose holders changed comes anew.
    """
    base, own = before.own, settled.own
    was, now = _live_before(base, change, settled), settled.looked[(own.flags[settled.looked] & LIVE) != 0]
    old, new = base.tags[was], own.tags[now]
    stay_old, stay_new = _in_both(old, new)
    if with_facts:
        told = _content_words(base, group_slots(base, base.having(SHARED)), was[stay_old])
        other = (told != _content_words(own, settled.groups, now[stay_new])).any(axis=1)
        stay_old, stay_new = stay_old[~other], stay_new[~other]
    goes, comes = np.delete(was, stay_old), np.delete(now, stay_new)
    added, removed = len(change.fresh), len(change.gone)
    spare, slots = 1, own.slots
    while True:
        out, into = (count * slots for count in transfer_sizes(len(base), added, removed, spare))
        if (len(goes) <= out and len(comes) <= into) or out == before.table_rows:
            break
        spare *= 2  # entities were told apart anew: about never
    fillers_out = min(out - len(goes), len(before.padding_tags))
    again = _resent(own, comes, out - len(goes) - fillers_out, expander)
    fresh = into - len(comes) - len(again)
    if fresh < 0:
        raise SequenceError("a change of the table does not add up")
    order = draw_distinct(expander, "fillers", len(before.padding_tags), fillers_out)
    kept = np.delete(before.padding_tags, order, axis=0)
    new_padding = np.frombuffer(expander.stream("filler-tags", 0, fresh * TAG_BYTES), dtype=np.uint8).reshape(
        -1, TAG_BYTES
    )
    given = np.concatenate((comes, again))
    return ReleasePlan(
        after=ReleasedList(own, np.concatenate((kept, new_padding))),
        removed=sorted_by_tag(np.concatenate((base.tags[goes], before.padding_tags[order], own.tags[again]))),
        given=given,
        holders=holders_of(settled, given) if with_facts else [],
        new_padding=new_padding,
    )


def holders_of(settled: SettledList, slots: Indices) -> list[Indices]:
    """The records whose token each of these live slots stands for, in the order of their digests.

    Not in the collection's order: then what an entry carries would change with the order of a file.
    """
    own, (group, shares) = settled.own, _group_of(settled.groups, slots)
    ends = np.append(settled.groups.starts, len(settled.groups.order))
    found = []
    for slot, number, several in zip(slots.tolist(), group.tolist(), shares.tolist(), strict=True):
        if not several:
            found.append(np.array([slot // own.slots], dtype=np.int64))
            continue
        records = settled.groups.order[ends[number] : ends[number + 1]] // own.slots
        found.append(records[np.lexsort(own.digests[records].T[::-1])])
    return found


def _group_of(groups: SlotGroups, slots: Indices) -> tuple[Indices, npt.NDArray[np.bool_]]:
    """The number of the group that each slot begins, and whether it begins one."""
    firsts = groups.order[groups.starts]
    if not len(firsts):
        return np.zeros(len(slots), dtype=np.int64), np.zeros(len(slots), dtype=np.bool_)
    by_slot = np.argsort(firsts)
    at = np.minimum(np.searchsorted(firsts, slots, sorter=by_slot), len(firsts) - 1)
    number = by_slot[at]
    return number, firsts[number] == slots


def _content_words(own: RecordList, groups: SlotGroups, live: Indices) -> npt.NDArray[np.uint64]:
    """For each live slot two words that change with its holders or what they release: their digests added up."""
    words = np.ascontiguousarray(own.digests).view(np.uint64)
    told = words[live // own.slots]
    number, several = _group_of(groups, live)
    if len(groups.order):
        sums = np.add.reduceat(words[groups.order // own.slots], groups.starts, axis=0)
        told[several] = sums[number[several]]
    return told


def _live_before(base: RecordList, change: ListChange, settled: SettledList) -> Indices:
    """Slots of the list before that were live and that the change can have touched."""
    looked = np.zeros(len(base.flags), dtype=np.bool_)
    stayed = change.source[settled.looked // base.slots]
    place = stayed * base.slots + settled.looked % base.slots
    looked[place[stayed >= 0]] = True
    looked[slots_of(change.gone, base.slots)] = True
    return np.flatnonzero(looked & ((base.flags & LIVE) != 0))


def _in_both(old: Bytes2D, new: Bytes2D) -> tuple[Indices, Indices]:
    """Places of the tags that stand in both, in each, aligned; tags repeat in neither."""
    if not len(old) or not len(new):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    order = np.concatenate(list(lookup.in_order(new)))
    left, right = lookup.find(old, np.ascontiguousarray(new[order]))
    return left, order[right]


def _resent(own: RecordList, comes: Indices, count: int, expander: Expander) -> Indices:
    """Live slots to be given once more: their tags stand in the table before and after."""
    if count <= 0:
        return np.empty(0, dtype=np.int64)
    others = np.setdiff1d(own.having(LIVE), comes, assume_unique=True)
    return others[draw_distinct(expander, "again", len(others), count)]


def draw_distinct(expander: Expander, label: str, total: int, count: int) -> Indices:
    """`count` different numbers below `total`, each choice as likely as any other; ascending."""
    if count * 4 > total:
        return np.sort(expander.permutation(label, total)[:count].astype(np.int64))
    chosen: Indices = np.empty(0, dtype=np.int64)
    index = 0
    while len(chosen) < count:
        # Modulo of 64 bits: no number is likelier than another by more than 2^-36.
        drawn = np.frombuffer(expander.stream(label, index, 8 * count), dtype="<u8") % np.uint64(
            max(total, 1)
        )
        chosen = np.concatenate((chosen, drawn.astype(np.int64)))
        _, first = np.unique(chosen, return_index=True)
        chosen = chosen[np.sort(first)]
        index += 1
    return np.sort(chosen[:count])
