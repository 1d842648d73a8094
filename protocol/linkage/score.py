"""From hits to leads: which keys agreed, how much that is worth, and how many chance matches to expect."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.linkage.compiled_keys import DUMMY, CompiledKey, CompiledKeys
from blindmatch.protocol.linkage.patterns import MissingFields, Patterns
from blindmatch.protocol.linkage.states import BIT
from blindmatch.protocol.linkage.tokens import Tokens

Bytes2D = npt.NDArray[np.uint8]


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
    def posterior(self) -> float:
        """The chance that this is one person, by the model: that of the strongest key."""
        return max(key.posterior for key in self.keys)

    @property
    def words(self) -> tuple[str, ...]:
        """The reasons, for people."""
        return tuple(key.words for key in self.keys)


def leads(
    compiled: CompiledKeys,
    made: Tokens,
    hits: npt.NDArray[np.int64] | Sequence[int],
) -> list[Lead]:
    """Group the elements that hit by record, best score first, then by record.

    Args:
        compiled: the keys that `made` was made with.
        made: our own tokens.
        hits: indices of our elements that the other side holds too.

    Fillers are random: a hit on one means nothing and is left out.
    """
    elements = np.unique(np.asarray(hits, dtype=np.int64))
    elements = elements[made.key_index[elements] != DUMMY]
    by_record: dict[int, list[int]] = {}
    for element in elements.tolist():
        by_record.setdefault(element // made.tokens_per_record, []).append(element)
    found = []
    for record, members in by_record.items():
        ranks = sorted({int(made.key_index[element]) for element in members})
        keys = tuple(sorted((compiled.keys[rank] for rank in ranks), key=lambda key: -key.weight))
        found.append(Lead(record, keys, keys[0].weight, tuple(members)))
    return sorted(found, key=lambda lead: (-lead.score, lead.record))


@dataclass(frozen=True)
class ScorePart:
    """What one field, or the household's fields together, adds to a pair's score."""

    fields: tuple[str, ...]
    levels: tuple[str, ...]
    """The best levels that agree, by name; a field that disagrees names none."""
    bits: float


@dataclass(frozen=True)
class PairScore:
    """The score of two rows under a round's weights: the best reading of what agrees and what is missing."""

    bits: float
    parts: tuple[ScorePart, ...]
    swapped: bool
    missing_receiver: tuple[str, ...]
    missing_sender: tuple[str, ...]


def score_pair(patterns: Patterns, receiver: Bytes2D, sender: Bytes2D) -> PairScore | None:
    """Score two rows of level digests, (levels, 16) each, by going through every reading: what the keys must equal.

    Nothing of the compiler's choice of patterns is used. None where no reading asks a field of the person.
    """
    space = patterns.space
    schema = space.schema
    dimensions = space.dimensions
    said = [np.asarray(row.any(axis=1), dtype=np.bool_) for row in (receiver, sender)]
    agreed = np.asarray((receiver == sender).all(axis=1) & said[0], dtype=np.bool_)
    places = [[schema.level_index(level.name) for level in d.levels] for d in dimensions]
    best: PairScore | None = None
    for missing in patterns.missing_fields:
        sides = zip(said, (missing.receiver, missing.sender), strict=True)
        if any(side[places[i]].any() for side, fields in sides for i in fields):
            continue
        for swapped in (False, True):
            options = [
                [0] if i in missing.fields else [*np.flatnonzero(agreed[places[i]]).tolist(), len(d.levels)]
                for i, d in enumerate(dimensions)
            ]
            found = patterns.best(options, missing, agreed=agreed, swapped=swapped)
            if found and (best is None or found[0] > best.bits * BIT):
                best = _pair_score(patterns, *found, missing, swapped=swapped)
    return best


def _pair_score(
    patterns: Patterns, score: int, demands: tuple[int, ...], missing: MissingFields, *, swapped: bool
) -> PairScore:
    space = patterns.space
    names = [
        (d.levels[demand].name,) if demand < len(d.levels) and i not in missing.fields else ()
        for i, (d, demand) in enumerate(zip(space.dimensions, demands, strict=True))
    ]
    alone = len(space.alone)
    parts = [
        ScorePart((d.name,), names[i], int(patterns.weights.alone_weight(i)[demands[i]]) / BIT)
        for i, d in enumerate(space.alone)
        if i not in missing.fields
    ]
    # What the household's fields add depends on what the others say: relatives share both.
    household = score - sum(round(part.bits * BIT) for part in parts)
    parts.append(
        ScorePart(
            tuple(d.name for d in space.household),
            tuple(name for level in names[alone:] for name in level),
            int(household) / BIT,
        )
    )
    absent = [
        tuple(space.dimensions[i].name for i in fields) for fields in (missing.receiver, missing.sender)
    ]
    return PairScore(score / BIT, tuple(parts), swapped, *absent)


def expected_chance_matches(key: CompiledKey, ours: int, theirs: int) -> float:
    """How many pairs of different people agree on a key by chance, for lists of these sizes.

    The levels are taken as independent, which families and common names are not: a rough figure, on the low side
    for lists from one neighbourhood.
    """
    return key.chance * ours * theirs
