"""The sender's table as the receiver holds it: rows in the order of their tags, each with the round that it came in.

The sender knows the same set of tags; both follow it through the same signed lists of changes.
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
    """Rows (m, row_bytes) whose tags strictly increase, and the number of the round that brought each, (m,) uint32."""

    rows: Bytes2D
    came: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def _words(self) -> tuple[Words, Words]:
        return lookup.words(self.rows)

    @cached_property
    def _plain(self) -> bool:
        """Whether no two tags have one first half, which only a hostile sender makes."""
        first = self._words[0]
        return not bool((first[1:] == first[:-1]).any())

    def find(self, wanted: Bytes2D) -> tuple[Indices, Indices]:
        """Which of the tags (n, 16 or more) are there, ascending, and the row of each."""
        if not len(wanted) or not len(self):
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        if not self._plain:
            positions, rows = lookup.find(np.ascontiguousarray(wanted[:, :TAG_BYTES]), self.rows)
            order = np.argsort(positions, kind="stable")
            return positions[order], rows[order]
        first, second = self._words
        high, low = lookup.words(wanted)
        at = np.minimum(np.searchsorted(first, high), len(first) - 1)
        there = np.flatnonzero((first[at] == high) & (second[at] == low))
        return there, at[there].astype(np.int64)

    def updated(self, removed: Bytes2D, added: Bytes2D, number: int) -> "TagTable":
        """The table after a delta round.

        Args:
            removed: tags (d, 16), strictly increasing.
            added: rows (a, row_bytes), likewise; one whose tag is among the removed ones replaces it.
            number: the delta round's.

        Raises:
            PeerError: BAD_TAGS, when a removed tag is not there, or an added one is.
        """
        gone = self.check(removed, added)
        # Where each added row belongs among those that stay: after as many as precede it and are not gone.
        where = self._before(added)
        where -= np.searchsorted(gone, where)
        stay = len(self) - len(gone)
        new = where + np.arange(len(added))
        old = np.ones(stay + len(added), dtype=np.bool_)
        old[new] = False
        rows = np.empty((len(old), self.rows.shape[1]), dtype=np.uint8)
        came = np.empty(len(old), dtype=np.uint32)
        kept = np.ones(len(self), dtype=np.bool_)
        kept[gone] = False
        _put(rows, old, self.rows, kept)
        came[old] = self.came[kept]
        rows[new], came[new] = added, number
        return TagTable(rows, came)

    def check(self, removed: Bytes2D, added: Bytes2D) -> Indices:
        """Whether these changes can be made; the rows that go, ascending. PeerError: BAD_TAGS."""
        there, gone = self.find(removed)
        if len(there) != len(removed):
            raise PeerError(PeerCode.BAD_TAGS, "an entry was taken back that had not been given")
        again, _ = self.find(added)
        if len(again) and len(places_of(np.ascontiguousarray(added[again, :TAG_BYTES]), removed)) != len(
            again
        ):
            raise PeerError(PeerCode.BAD_TAGS, "an entry was given twice")
        return gone

    def _before(self, wanted: Bytes2D) -> Indices:
        """Before which row each of the sorted wanted ones belongs, by tag."""
        first, second = self._words
        high, low = lookup.words(wanted)
        left = np.searchsorted(first, high, side="left").astype(np.int64)
        right = np.searchsorted(first, high, side="right")
        for index in np.flatnonzero(right > left):  # equal first halves: about never
            run = second[left[index] : right[index]]
            left[index] += int(np.searchsorted(run, low[index]))
        return left


def _put(rows: Bytes2D, at: Flags, source: Bytes2D, kept: Flags) -> None:
    """Rows of `source` that are kept into the places of `rows`: as one item a row, which moves several times faster."""
    kind = f"V{rows.shape[1]}"
    rows.view(kind).ravel()[at] = source.view(kind).ravel()[kept]


def with_hits(
    own: RecordList, before: TagTable | None, removed: Bytes2D, added: Bytes2D, fresh: Indices
) -> RecordList:
    """A receiver's list with its hits brought up to date.

    Args:
        own: settled; slots of fresh records have no hit yet.
        before: the table before the change; None when all of it came now, as `added`.
        removed: tags that went.
        added: rows that came.
        fresh: slots that were not looked up before.
    """
    flags = own.flags.copy()
    if before is None:
        flags &= ~np.uint8(HIT)
        flags[lookup.find(own.tags, added)[0]] |= HIT
    else:
        flags[places_of(own.tags, removed)] &= ~np.uint8(HIT)
        if len(fresh):
            found, _ = before.find(np.ascontiguousarray(own.tags[fresh]))
            gone = places_of(np.ascontiguousarray(own.tags[fresh[found]]), removed)
            flags[np.delete(fresh[found], gone)] |= HIT
        flags[places_of(own.tags, np.ascontiguousarray(added[:, :TAG_BYTES]))] |= HIT
    return replace(own, flags=flags)


def hit_slots(own: RecordList) -> Indices:
    """A receiver's slots whose tags are in the table and that take part, ascending."""
    return own.having(LIVE | HIT)


def hit_facts(
    epoch: Epoch, table: TagTable, own: RecordList, elements: Indices, rounds: Sequence[bytes]
) -> tuple[Bytes2D, npt.NDArray[np.bool_]]:
    """The facts of some hits (h, fact_bytes), and which of them opened.

    Args:
        epoch: the epoch.
        table: the table.
        own: the receiver's list, with its outputs.
        elements: slots of it (h,) whose tags are in the table.
        rounds: the ids of the epoch's rounds by number, the opening one first.
    """
    facts = np.zeros((len(elements), epoch.context.fact_bytes), dtype=np.uint8)
    opened = np.zeros(len(elements), dtype=np.bool_)
    outputs = own.outputs[elements]
    positions, rows = table.find(own.tags[elements])
    numbers = table.came[rows]
    for number in np.unique(numbers).tolist():
        mine = numbers == number
        at = positions[mine]
        more = facts_binding(DELTA, rounds[number]) if number else ()
        facts[at], opened[at] = tags.open_facts(
            np.ascontiguousarray(outputs[at]), table.rows[rows[mine], TAG_BYTES:], epoch.context, *more
        )
    return facts, opened
