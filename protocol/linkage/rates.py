"""Rates: how often two people in one's own list agree by chance: `rate_count` coarse numbers, exchanged before a round.

A side measures them on a sample of its own list, from pairs of different records that collide on a set of levels.
Pairs that agree on the person's own fields (given name and date) are the same person twice, and are left out. The
fields on which a family agrees together are counted jointly, so that no independence is claimed for them.

People are counted, not records: a director of several suppliers once, and a record that says nothing of a person (a
company) not at all, since no pattern can find it.

A rate is one byte: -8 log2 of it, so that it is known to 9 %. A presence is one byte: parts of 64.
"""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.linkage.schema import Schema
from blindmatch.protocol.linkage.states import ONE, Dimension, space

Indices = npt.NDArray[np.int64]
Counts = npt.NDArray[np.float64]

SAMPLE: Final = 12_000
"""Records that are compared with each other: 72 million pairs, of which a family's agreement is found often."""
PRIOR_PAIRS: Final = 500_000
"""How many pairs the schema's own rates weigh: what 1,000 records say."""
PRESENT: Final = 64
"""Presence 1."""
RAREST: Final = 255
"""The code of everything below 2^-31.9."""
_STEP: Final = 8
_LARGEST_GROUP: Final = 64
_VERSION: Final = 2
_SLACK: Final = ONE // 5
# Honest lists differ from the schema's rates, but two people share an initial somewhere.
_LEAST_SHARE: Final = 64

# 2^(-i/8) in parts of 2^40: a table, because no power of a float belongs into what both sides must compute alike.
_EIGHTHS: Final = tuple(math.isqrt(math.isqrt(math.isqrt(2 ** (320 - i)))) for i in range(_STEP))


def probability(code: int) -> int:
    """A code as a probability in parts of 2^40."""
    return _EIGHTHS[code % _STEP] >> (code // _STEP)


def _code(rate: float) -> int:
    return RAREST if rate <= 0 else min(max(round(-_STEP * math.log2(rate)), 0), RAREST)


@dataclass(frozen=True)
class Rates:
    """What a side says of its list; nothing else about it leaves the node before the round."""

    presence: tuple[int, ...]
    """For every level of the schema, the share of people (of records, where it is not compared) that say something,
    in parts of 64."""
    alone: tuple[tuple[int, ...], ...]
    """For every field that stands alone, the code of each state but the last (nothing agrees)."""
    household: tuple[int, ...]
    """The codes of the joint states of the household's fields but the last."""

    def encode(self) -> bytes:
        """Canonical bytes: a version, then one byte per number in the schema's order."""
        return bytes((_VERSION, *self.presence, *itertools.chain(*self.alone), *self.household))

    @classmethod
    def decode(cls, data: bytes, schema: Schema) -> "Rates":
        """The rates that a peer states.

        Raises:
            PeerError: not this version or length, or rates that no honest list could have.
        """
        made = space(schema)
        sizes = [len(d.states) - 1 for d in made.alone]
        joint = math.prod(len(d.states) for d in made.household) - 1
        if len(data) != 1 + len(schema.levels) + sum(sizes) + joint or data[0] != _VERSION:
            raise PeerError(PeerCode.BAD_MESSAGE, "the rates are not of this schema's form")
        numbers = iter(data[1:])
        presence = tuple(itertools.islice(numbers, len(schema.levels)))
        alone = tuple(tuple(itertools.islice(numbers, size)) for size in sizes)
        rates = cls(presence, alone, tuple(numbers))
        if fault := _fault(rates, schema):
            raise PeerError(
                PeerCode.BAD_MESSAGE,
                f"no honest list could have these rates: {fault}",
                hint="Ask the other agency what is in its list.",
            )
        return rates


def default_rates(schema: Schema) -> Rates:
    """What the schema assumes of a list that says all its fields: for a look at a score when no list is at hand."""
    made = measure(schema, (), seed=b"")
    return Rates((PRESENT,) * len(schema.levels), made.alone, made.household)


def rate_count(schema: Schema) -> int:
    """How many numbers a side states."""
    made = space(schema)
    return len(schema.levels) + sum(len(d.states) - 1 for d in made.alone) + household_states(schema) - 1


def household_states(schema: Schema) -> int:
    """How many joint states the household's fields have."""
    return math.prod(len(d.states) for d in space(schema).household)


def _fault(rates: Rates, schema: Schema) -> str:
    if max(rates.presence) > PRESENT:
        return "a field is present more often than always"
    for codes in (*rates.alone, rates.household):
        if sum(map(probability, codes)) > ONE + _SLACK:
            return "probabilities add up to more than 1"
    places = {level.name: i for i, level in enumerate(schema.levels)}
    for level in schema.levels:
        for name in level.implies:
            if rates.presence[places[name]] < rates.presence[places[level.name]]:
                return f"{level.words} is present where {schema.levels[places[name]].words} is not"
    for dimension, codes in zip(space(schema).alone, rates.alone, strict=True):
        agree = sum(map(probability, codes))
        if agree * _LEAST_SHARE < sum(dimension.default_u[:-1]):
            return f"hardly two people agree on {dimension.name}"
    return ""


class _Sample:
    """The people with the smallest random numbers, whatever the blocks: the first row of their first record each."""

    def __init__(self, schema: Schema, seed: bytes) -> None:
        self._draw = np.random.Generator(np.random.PCG64(int.from_bytes(seed, "big")))
        self._priority = np.zeros(0, dtype=np.int64)
        model, levels = schema.model, len(schema.levels)
        self._person = [i for i, level in enumerate(schema.levels) if level.field in model.person]
        self._compared = np.array([level.field in model.compared for level in schema.levels])
        self.words = np.zeros((0, levels), dtype=np.uint64)
        self._present = np.zeros((2, levels), dtype=np.int64)
        self._counted = np.zeros((2, 1), dtype=np.int64)

    @property
    def share(self) -> Counts:
        """For each level, the share that says something: of people for what patterns compare, else of all."""
        shares = self._present / np.maximum(self._counted, 1)
        return np.asarray(np.where(self._compared, shares[1], shares[0]), dtype=np.float64)

    def add(
        self,
        columns: npt.NDArray[np.uint8],
        row_record: Indices,
        records: int,
        fresh: npt.NDArray[np.bool_] | None,
    ) -> None:
        # The first 8 bytes of a digest tell 12,000 values apart.
        rows = np.ascontiguousarray(columns[:, :, :8]).view(np.uint64)[:, :, 0]
        first = np.zeros((records, rows.shape[1]), dtype=np.uint64)
        owners, at = np.unique(row_record, return_index=True)
        first[owners] = rows[at]
        drawn = self._draw.integers(0, 2**63 - 1, records)
        if fresh is not None:
            first, drawn = first[fresh], drawn[fresh]
        people = (first[:, self._person] != 0).any(axis=1)
        self._count(0, first)
        first, drawn = first[people], drawn[people]
        self._count(1, first)
        priority, words = np.concatenate((self._priority, drawn)), np.concatenate((self.words, first))
        kept = np.argsort(priority, kind="stable")[:SAMPLE]
        self._priority, self.words = priority[kept], words[kept]

    def _count(self, which: int, first: npt.NDArray[np.uint64]) -> None:
        self._present[which] += (first != 0).sum(axis=0)
        self._counted[which] += len(first)

    def keyed(self, levels: Iterable[int]) -> tuple[npt.NDArray[np.uint64], Indices]:
        """One key per record that answers all of these levels, sorted by key; and the records."""
        chosen = self.words[:, list(levels)]
        records = np.flatnonzero((chosen != 0).all(axis=1))
        key = np.zeros(len(records), dtype=np.uint64)
        for column in chosen[records].T:
            key = (key * np.uint64(0x9E3779B97F4A7C15)) ^ (key >> np.uint64(29)) ^ column
        order = np.argsort(key, kind="stable")
        return key[order], records[order]

    def colliding(self, levels: Iterable[int]) -> int:
        """Pairs of records that agree on all of these levels."""
        key, _ = self.keyed(levels)
        edges = (
            np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1], [True]))) if len(key) else np.zeros(1)
        )
        sizes = np.diff(edges).astype(np.int64)
        return int((sizes * (sizes - 1) // 2).sum())

    def pairs(self, levels: Iterable[int]) -> Indices:
        """The colliding pairs (pairs, 2), lower record first; a value that very many share names none."""
        key, records = self.keyed(levels)
        found = []
        for distance in range(1, _LARGEST_GROUP):
            same = key[distance:] == key[:-distance]
            if not same.any():
                break
            found.append(np.stack((records[:-distance][same], records[distance:][same]), axis=1))
        return np.sort(np.concatenate(found), axis=1) if found else np.zeros((0, 2), dtype=np.int64)


def _same_person(sample: _Sample, dimensions: Iterable[Dimension], places: dict[str, int]) -> Indices:
    """Pairs of the sample that agree on each of these fields by more than its weakest level: the same person twice."""
    # What implies another of these levels collides with it.
    told = [
        [x for x in d.levels[:-1] if not set(x.implies) & {y.name for y in d.levels[:-1]}] for d in dimensions
    ]
    pairs = [sample.pairs(places[level.name] for level in chosen) for chosen in itertools.product(*told)]
    return np.unique(np.concatenate([np.zeros((0, 2), dtype=np.int64), *pairs]), axis=0)


def measure(
    schema: Schema,
    blocks: Iterable[tuple[npt.NDArray[np.uint8], Indices, int]],
    *,
    seed: bytes,
    entities: Indices | None = None,
) -> Rates:
    """Measure a list's rates.

    Args:
        schema: whose levels are counted.
        blocks: level digests (rows, levels, 16), each row's record counted from 0 in its block, how many records.
        seed: decides which records are compared: the same seed and list give the same rates.
        entities: for each record of all blocks a number, equal for records of one person or company; only the first
            of these counts. Without it every record stands alone.

    Raises:
        SequenceError: a block of another shape.
    """
    made = space(schema)
    sample = _Sample(schema, seed)
    fresh: npt.NDArray[np.bool_] | None = None
    if entities is not None:
        fresh = np.zeros(len(entities), dtype=np.bool_)
        fresh[np.unique(entities, return_index=True)[1]] = True
    done = 0
    for columns, row_record, records in blocks:
        if columns.ndim != 3 or columns.shape[:2] != (len(row_record), len(schema.levels)):
            raise SequenceError("a block's columns do not have the shape of its rows and levels")
        sample.add(columns, row_record, records, None if fresh is None else fresh[done : done + records])
        done += records
    places = {level.name: i for i, level in enumerate(schema.levels)}
    share = sample.share
    by_name = {dimension.name: dimension for dimension in made.dimensions}
    model = schema.model
    twice = _same_person(sample, [by_name[name] for name in model.person], places)
    count = len(sample.words)
    pairs = max(count * (count - 1) // 2 - len(twice), 0)
    alone = tuple(
        _codes(_joint(sample, [d], places, twice), pairs, _prior([d]), _said([d], places, share))
        for d in made.alone
    )
    joint = list(made.household)
    household = _codes(
        _joint(sample, joint, places, twice), pairs, _prior(joint), _said(joint, places, share)
    )
    # A level that is implied is present at least as often, also after rounding.
    return Rates(tuple(round(float(x) * PRESENT) for x in share), alone, household)


def _joint(sample: _Sample, dimensions: list[Dimension], places: dict[str, int], twice: Indices) -> Counts:
    """How many pairs are in each joint state of these dimensions, (states of the first, of the second, …)."""
    shape = tuple(len(d.states) for d in dimensions)
    counts = np.zeros(shape, dtype=np.float64)
    first, second = sample.words[twice[:, 0]], sample.words[twice[:, 1]]
    agreed = (first == second) & (first != 0)
    total = len(sample.words) * (len(sample.words) - 1) // 2
    for at in np.ndindex(*shape):
        levels = [
            places[d.levels[i].name] for d, s in zip(dimensions, at, strict=True) for i in sorted(d.states[s])
        ]
        counts[at] = (sample.colliding(levels) if levels else total) - int(
            agreed[:, levels].all(axis=1).sum()
        )
    for axis, dimension in enumerate(dimensions):
        # From "agree on at least these levels" to "on exactly these": largest sets first.
        moved = np.moveaxis(counts, axis, 0)
        for s in sorted(range(len(dimension.states)), key=lambda s: -len(dimension.states[s])):
            for t, other in enumerate(dimension.states):
                if other > dimension.states[s]:
                    moved[s] -= moved[t]
    return np.maximum(counts, 0)


def _said(dimensions: list[Dimension], places: dict[str, int], share: Counts) -> Counts:
    """Per joint state, how often both records say what it takes: (the least present level's share)^2 per dimension."""
    out = np.ones([len(d.states) for d in dimensions])
    for axis, d in enumerate(dimensions):
        least = [
            min((float(share[places[d.levels[i].name]]) for i in state), default=1.0) ** 2
            for state in d.states
        ]
        out *= np.array(least).reshape([-1 if i == axis else 1 for i in range(len(dimensions))])
    return out


def _prior(dimensions: list[Dimension]) -> Counts:
    """The schema's own rates: strangers agree field by field."""
    strangers = np.ones([len(d.states) for d in dimensions])
    for axis, d in enumerate(dimensions):
        view = [-1 if i == axis else 1 for i in range(len(dimensions))]
        strangers *= (np.array(d.default_u, dtype=np.float64) / ONE).reshape(view)
    return strangers


def _codes(counts: Counts, pairs: int, prior: Counts, said: Counts) -> tuple[int, ...]:
    """Counts to codes: smoothed by the schema's own rates, and as if every record said something."""
    rate = (counts / np.maximum(said, 1 / PRESENT**2) + PRIOR_PAIRS * prior) / (pairs + PRIOR_PAIRS)
    flat = rate.ravel()[:-1]
    return tuple(_code(float(x)) for x in flat / max(1.0, float(flat.sum())))
