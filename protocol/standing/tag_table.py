"""The receiver's copy of the sender's table: rows in the order of their tags, each with the number of the round that added it.

The sender knows the same set of tags. Both sides update it with the same signed changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.hits import lookup, tags
from blindmatch.protocol.limits import TAG_BYTES
from blindmatch.protocol.session.chunks import Bytes2D, Indices
from blindmatch.protocol.standing.epoch import DELTA, Epoch, facts_binding
from blindmatch.protocol.standing.record_list import HIT, LIVE, Flags, RecordList, places_of

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class TagTable:
    """Rows (m, row_bytes) whose tags strictly increase, and the number of the round that added each, (m,) uint32."""

    rows: Bytes2D
    added_in: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def _words(self) -> tuple[Words, Words]:
        return lookup.words(self.rows)

    @cached_property
    def _plain(self) -> bool:
        """Whether the first halves of all tags differ; only a hostile sender can cause the opposite."""
        first = self._words[0]
        return not bool((first[1:] == first[:-1]).any())

    def find(self, wanted: Bytes2D) -> tuple[Indices, Indices]:
        """Look up tags (n, 16 or more): the positions, ascending, of those that are in the table, and the row of each."""
        if not len(wanted) or not len(self):
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        if not self._plain:
            positions, rows = lookup.find(np.ascontiguousarray(wanted[:, :TAG_BYTES]), self.rows)
            order = np.argsort(positions, kind="stable")
            return positions[order], rows[order]
        first, second = self._words
        high, low = lookup.words(wanted)
        at = np.minimum(np.searchsorted(first, high), len(first) - 1)
        positions = np.flatnonzero((first[at] == high) & (second[at] == low))
        return positions, at[positions].astype(np.int64)

    def updated(self, removed: Bytes2D, added: Bytes2D, number: int) -> "TagTable":
        """The table after a delta round.

        Args:
            removed: tags (d, 16), strictly increasing.
            added: rows (a, row_bytes), likewise; a row whose tag is removed as well replaces the old row.
            number: the delta round's number.

        Raises:
            PeerError: BAD_TAGS, when a removed tag is not in the table, or an added one is.
        """
        gone = self.check(removed, added)
        # The place of each added row among those that stay: after the rows that precede it and are not removed.
        where = self._before(added)
        where -= np.searchsorted(gone, where)
        stay = len(self) - len(gone)
        new = where + np.arange(len(added))
        old = np.ones(stay + len(added), dtype=np.bool_)
        old[new] = False
        rows = np.empty((len(old), self.rows.shape[1]), dtype=np.uint8)
        added_in = np.empty(len(old), dtype=np.uint32)
        remaining = np.ones(len(self), dtype=np.bool_)
        remaining[gone] = False
        _put(rows, old, self.rows, remaining)
        added_in[old] = self.added_in[remaining]
        rows[new], added_in[new] = added, number
        return TagTable(rows, added_in)

    def check(self, removed: Bytes2D, added: Bytes2D) -> Indices:
        """Check that these changes are possible; returns the rows to remove, ascending. PeerError: BAD_TAGS."""
        _, gone = self.find(removed)
        if len(gone) != len(removed):
            raise PeerError(PeerCode.BAD_TAGS, "a removed tag is not in the table")
        present, _ = self.find(added)
        replaced = places_of(np.ascontiguousarray(added[present, :TAG_BYTES]), removed)
        if len(replaced) != len(present):
            raise PeerError(PeerCode.BAD_TAGS, "an added tag is already in the table")
        return gone

    def _before(self, wanted: Bytes2D) -> Indices:
        """The row before which each of the sorted rows `wanted` belongs, by its tag."""
        first, second = self._words
        high, low = lookup.words(wanted)
        left = np.searchsorted(first, high, side="left").astype(np.int64)
        right = np.searchsorted(first, high, side="right")
        for index in np.flatnonzero(right > left):  # equal first halves: almost never
            run = second[left[index] : right[index]]
            left[index] += int(np.searchsorted(run, low[index]))
        return left


def _put(rows: Bytes2D, at: Flags, source: Bytes2D, chosen: Flags) -> None:
    """Copy the chosen rows of `source` to the places `at` of `rows`: each row as one item, which is several times faster."""
    kind = f"V{rows.shape[1]}"
    rows.view(kind).ravel()[at] = source.view(kind).ravel()[chosen]


def with_hits(
    own: RecordList, before: TagTable | None, removed: Bytes2D, added: Bytes2D, fresh: Indices
) -> RecordList:
    """A receiver's list with up-to-date `HIT` flags.

    Args:
        own: settled; slots of fresh records have no hit yet.
        before: the table before the change; None when `added` is the whole table.
        removed: the removed tags.
        added: the added rows.
        fresh: slots that have not been looked up.
    """
    flags = own.flags.copy()
    if before is None:
        flags &= ~np.uint8(HIT)
        flags[lookup.find(own.tags, added)[0]] |= HIT
    else:
        flags[places_of(own.tags, removed)] &= ~np.uint8(HIT)
        if len(fresh):
            positions, _ = before.find(np.ascontiguousarray(own.tags[fresh]))
            slots = fresh[positions]
            gone = places_of(np.ascontiguousarray(own.tags[slots]), removed)
            flags[np.delete(slots, gone)] |= HIT
        flags[places_of(own.tags, np.ascontiguousarray(added[:, :TAG_BYTES]))] |= HIT
    return replace(own, flags=flags)


def hit_slots(own: RecordList) -> Indices:
    """A receiver's live slots whose tags are in the table, ascending."""
    return own.having(LIVE | HIT)


def hit_facts(
    epoch: Epoch, table: TagTable, own: RecordList, elements: Indices, rounds: Sequence[bytes]
) -> tuple[Bytes2D, npt.NDArray[np.bool_]]:
    """The facts of hits (h, fact_bytes), zeros where they do not open, and whether each opened (h,).

    Args:
        epoch: the epoch.
        table: the sender's table.
        own: the receiver's list, with its OPRF outputs.
        elements: slots of the list (h,) whose tags are in the table.
        rounds: the ids of the epoch's rounds by number, the opening one first.
    """
    facts = np.zeros((len(elements), epoch.context.fact_bytes), dtype=np.uint8)
    opened = np.zeros(len(elements), dtype=np.bool_)
    outputs = own.outputs[elements]
    positions, rows = table.find(own.tags[elements])
    numbers = table.added_in[rows]
    for number in np.unique(numbers).tolist():
        mine = numbers == number
        at = positions[mine]
        more = facts_binding(DELTA, rounds[number]) if number else ()
        facts[at], opened[at] = tags.open_facts(
            np.ascontiguousarray(outputs[at]), table.rows[rows[mine], TAG_BYTES:], epoch.context, *more
        )
    return facts, opened
