"""From hits to leads: the keys that agreed, their weight, and the expected number of chance matches."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.linkage.comparison_states import BIT
from blindmatch.protocol.linkage.compiled_keys import DUMMY, CompiledKey, CompiledKeys
from blindmatch.protocol.linkage.level_patterns import MissingFields, Patterns
from blindmatch.protocol.linkage.tokens import Tokens

Bytes2D = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Lead:
    """A record of the receiver that the other side holds too, by these keys (strongest first).

    `score` is the weight of the strongest key, in bits; `elements` are the record's elements that hit.
    """

    record: int
    keys: tuple[CompiledKey, ...]
    score: float
    elements: tuple[int, ...]

    @property
    def posterior(self) -> float:
        """The probability, by the model, that this is one person: the highest of its keys."""
        return max(key.posterior for key in self.keys)

    @property
    def words(self) -> tuple[str, ...]:
        """The keys in words."""
        return tuple(key.words for key in self.keys)


def leads(
    compiled: CompiledKeys,
    tokens: Tokens,
    hits: npt.NDArray[np.int64] | Sequence[int],
) -> list[Lead]:
    """Group the elements that hit by record, best score first, then by record.

    Args:
        compiled: the keys from which `tokens` were built.
        tokens: the receiver's tokens.
        hits: (m,) indices of the elements that the other side holds too.

    Dummy elements are random: a hit on one is meaningless and is omitted.
    """
    elements = np.unique(np.asarray(hits, dtype=np.int64))
    elements = elements[tokens.key_index[elements] != DUMMY]
    by_record: dict[int, list[int]] = {}
    for element in elements.tolist():
        by_record.setdefault(element // tokens.tokens_per_record, []).append(element)
    leads = []
    for record, members in by_record.items():
        ranks = sorted({int(tokens.key_index[element]) for element in members})
        keys = tuple(sorted((compiled.keys[rank] for rank in ranks), key=lambda key: -key.weight))
        leads.append(Lead(record, keys, keys[0].weight, tuple(members)))
    return sorted(leads, key=lambda lead: (-lead.score, lead.record))


@dataclass(frozen=True)
class ScorePart:
    """The contribution of one field, or of the household's fields together, to a pair's score."""

    fields: tuple[str, ...]
    levels: tuple[str, ...]
    """The names of the best levels that agree; empty for a field that disagrees."""
    bits: float


@dataclass(frozen=True)
class PairScore:
    """The score of two rows under a round's weights, for the best interpretation of agreeing and missing fields."""

    bits: float
    parts: tuple[ScorePart, ...]
    swapped: bool
    missing_receiver: tuple[str, ...]
    missing_sender: tuple[str, ...]


def score_pair(patterns: Patterns, receiver: Bytes2D, sender: Bytes2D) -> PairScore | None:
    """Score two rows of level digests, (levels, 16) each, over every interpretation of agreeing and missing fields.

    It does not use the compiler's choice of patterns, and so is a check of the compiled keys. None if the rows agree on no
    field of the person.
    """
    space = patterns.space
    schema = space.schema
    dimensions = space.dimensions
    present = [np.asarray(row.any(axis=1), dtype=np.bool_) for row in (receiver, sender)]
    agreed = np.asarray((receiver == sender).all(axis=1) & present[0], dtype=np.bool_)
    places = [[schema.level_index(level.name) for level in d.levels] for d in dimensions]
    best: PairScore | None = None
    for missing in patterns.missing_fields:
        sides = zip(present, (missing.receiver, missing.sender), strict=True)
        if any(side[places[i]].any() for side, fields in sides for i in fields):
            continue
        for swapped in (False, True):
            options = [
                [0] if i in missing.fields else [*np.flatnonzero(agreed[places[i]]).tolist(), len(d.levels)]
                for i, d in enumerate(dimensions)
            ]
            scored = patterns.best(options, missing, agreed=agreed, swapped=swapped)
            if scored and (best is None or scored[0] > best.bits * BIT):
                best = _pair_score(patterns, *scored, missing, swapped=swapped)
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
    # The household's contribution depends on the other fields: relatives share both.
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
    """The expected number of pairs of different people that agree on a key by chance, for lists of these sizes.

    The levels are assumed to be independent, which they are not for families and common names: a rough figure, too low for
    lists from one neighbourhood.
    """
    return key.chance * ours * theirs
