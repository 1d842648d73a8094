"""From hits to leads: which keys agreed, how much that is worth, and how many chance matches to expect."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.linkage.keys import FILLER, CompiledKey, CompiledKeys, Tokens


@dataclass(frozen=True)
class Lead:
    """One of our own records that the other side holds too, by these keys (strongest first).

    `score` is the strongest key's weight in bits; `elements` are the record's elements that hit.
    """

    record: int
    keys: tuple[CompiledKey, ...]
    score: float
    elements: tuple[int, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The reasons, for people."""
        return tuple(key.words for key in self.keys)


def leads(
    compiled: CompiledKeys,
    made: Tokens,
    hits: npt.NDArray[np.int64] | Sequence[int],
    threshold: float | None = None,
) -> list[Lead]:
    """Group the elements that hit by record, best score first, then by record.

    Args:
        compiled: the keys that `made` was made with.
        made: our own tokens.
        hits: indices of our elements that the other side holds too.
        threshold: bits; a stricter one than the schema's.

    Fillers are random: a hit on one means nothing and is left out.
    """
    elements = np.unique(np.asarray(hits, dtype=np.int64))
    elements = elements[made.key_index[elements] != FILLER]
    least = compiled.schema.threshold if threshold is None else threshold
    by_record: dict[int, list[int]] = {}
    for element in elements.tolist():
        by_record.setdefault(element // made.tokens_per_record, []).append(element)
    found = []
    for record, members in by_record.items():
        ranks = sorted({int(made.key_index[element]) for element in members})
        keys = tuple(compiled.keys[rank] for rank in ranks)
        if keys[0].weight >= least:
            found.append(Lead(record, keys, keys[0].weight, tuple(members)))
    return sorted(found, key=lambda lead: (-lead.score, lead.record))


def expected_chance_matches(key: CompiledKey, ours: int, theirs: int) -> float:
    """How many pairs of different people agree on a key by chance, for lists of these sizes.

    The levels are taken as independent, which families and common names are not: a rough figure, on the low side
    for lists from one neighbourhood.
    """
    return key.chance * ours * theirs
