"""The sender's table as the receiver holds it: rows in the order of their tags, each with the round that it came in.

The sender knows the same set of tags; both follow it through the same signed lists of changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import TAG_BYTES
from blindmatch.protocol.match import lookup, tags
from blindmatch.protocol.match.messages import Bytes2D, Indices
from blindmatch.protocol.standing.epoch import DELTA, Epoch, sealed_for
from blindmatch.protocol.standing.own import HIT, LIVE, Own, among


@dataclass(frozen=True, eq=False)
class Table:
    """Rows (m, row_bytes) whose tags strictly increase, and the number of the round that brought each, (m,) uint32."""

    rows: Bytes2D
    came: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.rows)

    def renewed(self, removed: Bytes2D, added: Bytes2D, number: int) -> "Table":
        """The table after a delta round.

        Args:
            removed: tags (d, 16), strictly increasing.
            added: rows (a, row_bytes), likewise; one whose tag is among the removed ones replaces it.
            number: the delta round's.

        Raises:
            PeerError: BAD_TAGS, when a removed tag is not there, or an added one is.
        """
        self.check(removed, added)
        _, at = lookup.find(removed, self.rows)
        kept = np.ones(len(self.rows), dtype=np.bool_)
        kept[at] = False
        rows, came = self.rows[kept], self.came[kept]
        where = places(rows, added)
        merged = np.empty((len(rows) + len(added), self.rows.shape[1]), dtype=np.uint8)
        numbers = np.empty(len(merged), dtype=np.uint32)
        new = where + np.arange(len(added))
        old = np.ones(len(merged), dtype=np.bool_)
        old[new] = False
        merged[old], merged[new] = rows, added
        numbers[old], numbers[new] = came, number
        return Table(merged, numbers)

    def check(self, removed: Bytes2D, added: Bytes2D) -> None:
        """Whether these changes can be made. PeerError: BAD_TAGS."""
        if len(among_sorted(self.rows, removed)) != len(removed):
            raise PeerError(PeerCode.BAD_TAGS, "an entry was taken back that had not been given")
        again = among_sorted(self.rows, added)
        if len(again) and len(among(np.ascontiguousarray(added[again, :TAG_BYTES]), removed)) != len(again):
            raise PeerError(PeerCode.BAD_TAGS, "an entry was given twice")


def among_sorted(rows: Bytes2D, wanted: Bytes2D) -> Indices:
    """The places in `wanted` (m, 16 or more) whose tags are in sorted rows, ascending."""
    if not len(wanted) or not len(rows):
        return np.empty(0, dtype=np.int64)
    return np.sort(lookup.find(np.ascontiguousarray(wanted[:, :TAG_BYTES]), rows)[0])


def places(rows: Bytes2D, wanted: Bytes2D) -> Indices:
    """Before which of the sorted rows each of the sorted wanted ones belongs, by tag."""
    first, second = lookup.words(rows)
    wanted_first, wanted_second = lookup.words(wanted)
    left = np.searchsorted(first, wanted_first, side="left").astype(np.int64)
    right = np.searchsorted(first, wanted_first, side="right")
    for index in np.flatnonzero(right > left):  # equal first halves: about never
        run = second[left[index] : right[index]]
        left[index] += int(np.searchsorted(run, wanted_second[index]))
    return left


def looked_up(own: Own, before: Table | None, removed: Bytes2D, added: Bytes2D, fresh: Indices) -> Own:
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
        flags[among(own.tags, removed)] &= ~np.uint8(HIT)
        if len(fresh):
            found = lookup.find(np.ascontiguousarray(own.tags[fresh]), before.rows)[0]
            gone = among(np.ascontiguousarray(own.tags[fresh[found]]), removed)
            flags[np.delete(fresh[found], gone)] |= HIT
        flags[among(own.tags, np.ascontiguousarray(added[:, :TAG_BYTES]))] |= HIT
    return replace(own, flags=flags)


def hits(own: Own) -> Indices:
    """A receiver's slots whose tags are in the table and that take part, ascending."""
    return own.having(LIVE | HIT)


def open_hits(
    epoch: Epoch, table: Table, own: Own, elements: Indices, rounds: Sequence[bytes]
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
    positions, rows = lookup.find(own.tags[elements], table.rows)
    numbers = table.came[rows]
    for number in np.unique(numbers).tolist():
        mine = numbers == number
        at = positions[mine]
        more = sealed_for(DELTA, rounds[number]) if number else ()
        facts[at], opened[at] = tags.open_facts(
            np.ascontiguousarray(outputs[at]), table.rows[rows[mine], TAG_BYTES:], epoch.context, *more
        )
    return facts, opened
