"""Rates: how often two people in one list agree by chance: `rate_count` coarse numbers, exchanged before a round.

A side measures them on a sample of its own list, from pairs of different records that collide on a set of levels.
Pairs that agree on the person's own fields (forename and date of birth) are the same person twice, and are excluded. The
fields of the household are counted jointly, because members of a family agree on them together.

People are counted, not records: a director of several suppliers once, and a record without any field of a person (a
company) not at all, since no pattern can match it.

A rate is one byte, -8 log2 of the probability, and so has a precision of 9 %. A presence is one byte: a share in parts of 64.
"""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.linkage.comparison_states import ONE, Dimension, space
from blindmatch.protocol.linkage.schema import Schema

Indices = npt.NDArray[np.int64]
Counts = npt.NDArray[np.float64]

SAMPLE: Final = 12_000
"""Records that are compared with each other: 72 million pairs, enough to contain many pairs of relatives."""
PRIOR_PAIRS: Final = 500_000
"""The weight of the schema's own rates, in pairs: as many as 1,000 records have."""
PRESENT: Final = 64
"""The presence of a field that every record holds."""
RAREST: Final = 255
"""The code of every rate below 2^-31.9."""
_STEP: Final = 8
_LARGEST_GROUP: Final = 64
_VERSION: Final = 2
_SLACK: Final = ONE // 5
# Honest lists differ from the schema's rates, but in every list some people share an initial.
_LEAST_SHARE: Final = 64

# 2^(-i/8) in parts of 2^40: a table, because floating-point powers may differ between the two sides' machines.
_EIGHTHS: Final = tuple(math.isqrt(math.isqrt(math.isqrt(2 ** (320 - i)))) for i in range(_STEP))


def probability(code: int) -> int:
    """The probability, in parts of 2^40, that a code stands for."""
    return _EIGHTHS[code % _STEP] >> (code // _STEP)


def _code(rate: float) -> int:
    return RAREST if rate <= 0 else min(max(round(-_STEP * math.log2(rate)), 0), RAREST)


@dataclass(frozen=True)
class Rates:
    """A side's statement about its list; nothing else about the list leaves the node before the round."""

    presence: tuple[int, ...]
    """For every level of the schema, the share of people (of records, where its field is not compared) that have it, in parts
    of 64."""
    alone: tuple[tuple[int, ...], ...]
    """For every compared field outside the household, the code of each state but the last (no level agrees)."""
    household: tuple[int, ...]
    """The codes of the joint states of the household's fields but the last."""

    def encode(self) -> bytes:
        """Canonical bytes: a version, then one byte per number in the schema's order."""
        return bytes((_VERSION, *self.presence, *itertools.chain(*self.alone), *self.household))

    @classmethod
    def decode(cls, data: bytes, schema: Schema) -> "Rates":
        """Decode the rates that a peer states.

        Raises:
            PeerError: BAD_MESSAGE: another version or length, or rates that no honest list can have.
        """
        if len(data) != 1 + rate_count(schema) or data[0] != _VERSION:
            raise PeerError(PeerCode.BAD_MESSAGE, "the rates do not have the form of this schema")
        numbers = iter(data[1:])
        presence = tuple(itertools.islice(numbers, len(schema.levels)))
        sizes = [len(d.states) - 1 for d in space(schema).alone]
        alone = tuple(tuple(itertools.islice(numbers, size)) for size in sizes)
        rates = cls(presence, alone, tuple(numbers))
        if fault := _fault(rates, schema):
            raise PeerError(
                PeerCode.BAD_MESSAGE,
                f"no honest list can have these rates: {fault}",
                hint="Ask the other agency to check its list and to measure its rates again.",
            )
        return rates


def default_rates(schema: Schema) -> Rates:
    """The rates that the schema assumes of a list without missing fields: for scores when no list is available."""
    measured = measure(schema, (), seed=b"")
    return Rates((PRESENT,) * len(schema.levels), measured.alone, measured.household)


def rate_count(schema: Schema) -> int:
    """How many numbers of one byte the rates of one side are, for this schema."""
    fields = space(schema)
    return len(schema.levels) + sum(len(d.states) - 1 for d in fields.alone) + household_states(schema) - 1


def household_states(schema: Schema) -> int:
    """The number of joint states of the household's fields."""
    return math.prod(len(d.states) for d in space(schema).household)


def _fault(rates: Rates, schema: Schema) -> str:
    if max(rates.presence) > PRESENT:
        return "the presence of a field is over 100 %"
    for codes in (*rates.alone, rates.household):
        if sum(map(probability, codes)) > ONE + _SLACK:
            return "probabilities add up to more than 1"
    places = {level.name: i for i, level in enumerate(schema.levels)}
    for level in schema.levels:
        for name in level.implies:
            if rates.presence[places[name]] < rates.presence[places[level.name]]:
                return f"more records hold {level.words} than {schema.levels[places[name]].words}, which is part of it"
    for dimension, codes in zip(space(schema).alone, rates.alone, strict=True):
        agree = sum(map(probability, codes))
        if agree * _LEAST_SHARE < sum(dimension.default_u[:-1]):
            return f"too few people agree on {dimension.name}"
    return ""


class _Sample:
    """The `SAMPLE` people with the smallest random numbers, independent of the blocks: the first row of their first record."""

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
        """For each level the share that has it: of people where patterns compare its field, otherwise of all records."""
        shares = self._present / np.maximum(self._counted, 1)
        return np.asarray(np.where(self._compared, shares[1], shares[0]), dtype=np.float64)

    def add(
        self,
        columns: npt.NDArray[np.uint8],
        row_record: Indices,
        records: int,
        fresh: npt.NDArray[np.bool_] | None,
    ) -> None:
        # The first 8 bytes of a digest are enough to distinguish 12,000 values.
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
        smallest = np.argsort(priority, kind="stable")[:SAMPLE]
        self._priority, self.words = priority[smallest], words[smallest]

    def _count(self, which: int, first: npt.NDArray[np.uint64]) -> None:
        self._present[which] += (first != 0).sum(axis=0)
        self._counted[which] += len(first)

    def keyed(self, levels: Iterable[int]) -> tuple[npt.NDArray[np.uint64], Indices]:
        """One key per record that has all of these levels, sorted by key; and the records (both (n,))."""
        chosen = self.words[:, list(levels)]
        records = np.flatnonzero((chosen != 0).all(axis=1))
        key = np.zeros(len(records), dtype=np.uint64)
        for column in chosen[records].T:
            key = (key * np.uint64(0x9E3779B97F4A7C15)) ^ (key >> np.uint64(29)) ^ column
        order = np.argsort(key, kind="stable")
        return key[order], records[order]

    def colliding(self, levels: Iterable[int]) -> int:
        """The number of pairs of records that agree on all of these levels."""
        key, _ = self.keyed(levels)
        edges = (
            np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1], [True]))) if len(key) else np.zeros(1)
        )
        sizes = np.diff(edges).astype(np.int64)
        return int((sizes * (sizes - 1) // 2).sum())

    def pairs(self, levels: Iterable[int]) -> Indices:
        """The colliding pairs (pairs, 2), lower record first; incomplete where `_LARGEST_GROUP` records or more share a value."""
        key, records = self.keyed(levels)
        pairs = []
        for distance in range(1, _LARGEST_GROUP):
            same = key[distance:] == key[:-distance]
            if not same.any():
                break
            pairs.append(np.stack((records[:-distance][same], records[distance:][same]), axis=1))
        return np.sort(np.concatenate(pairs), axis=1) if pairs else np.zeros((0, 2), dtype=np.int64)


def _same_person(sample: _Sample, dimensions: Iterable[Dimension], places: dict[str, int]) -> Indices:
    """Pairs of the sample that agree on each of these fields at more than its weakest level: the same person twice."""
    # A level that implies another of these is redundant: its pairs collide on the other too.
    choices = [
        [x for x in d.levels[:-1] if not set(x.implies) & {y.name for y in d.levels[:-1]}] for d in dimensions
    ]
    pairs = [sample.pairs(places[level.name] for level in chosen) for chosen in itertools.product(*choices)]
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
        schema: the schema whose levels are counted.
        blocks: for each block its level digests (rows, levels, 16), the record of each row (rows,), counted from 0 in the block,
            and its number of records.
        seed: selects the sample: the same seed and list give the same rates.
        entities: for each record of all blocks a number, equal for records of one person or company, of which only the first
            is counted; None: every record is counted.

    Raises:
        SequenceError: a block has another shape.
    """
    fields = space(schema)
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
    by_name = {dimension.name: dimension for dimension in fields.dimensions}
    model = schema.model
    twice = _same_person(sample, [by_name[name] for name in model.person], places)
    count = len(sample.words)
    pairs = max(count * (count - 1) // 2 - len(twice), 0)
    alone = tuple(
        _codes(_joint(sample, [d], places, twice), pairs, _prior([d]), _presence([d], places, share))
        for d in fields.alone
    )
    joint = list(fields.household)
    household = _codes(
        _joint(sample, joint, places, twice), pairs, _prior(joint), _presence(joint, places, share)
    )
    # An implied level is present at least as often as the level that implies it, and rounding keeps this order.
    return Rates(tuple(round(float(x) * PRESENT) for x in share), alone, household)


def _joint(sample: _Sample, dimensions: list[Dimension], places: dict[str, int], twice: Indices) -> Counts:
    """The number of pairs in each joint state of these dimensions: (states of the first, states of the second, …)."""
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
        view = np.moveaxis(counts, axis, 0)
        for s in sorted(range(len(dimension.states)), key=lambda s: -len(dimension.states[s])):
            for t, other in enumerate(dimension.states):
                if other > dimension.states[s]:
                    view[s] -= view[t]
    return np.maximum(counts, 0)


def _presence(dimensions: list[Dimension], places: dict[str, int], share: Counts) -> Counts:
    """Per joint state, how often both records have its levels: per dimension the square of the least present level's share."""
    out = np.ones([len(d.states) for d in dimensions])
    for axis, d in enumerate(dimensions):
        least = [
            min((float(share[places[d.levels[i].name]]) for i in state), default=1.0) ** 2
            for state in d.states
        ]
        out *= np.array(least).reshape([-1 if i == axis else 1 for i in range(len(dimensions))])
    return out


def _prior(dimensions: list[Dimension]) -> Counts:
    """The schema's own rates, for strangers, whose fields agree independently."""
    strangers = np.ones([len(d.states) for d in dimensions])
    for axis, d in enumerate(dimensions):
        view = [-1 if i == axis else 1 for i in range(len(dimensions))]
        strangers *= (np.array(d.default_u, dtype=np.float64) / ONE).reshape(view)
    return strangers


def _codes(counts: Counts, pairs: int, prior: Counts, presence: Counts) -> tuple[int, ...]:
    """Counts to codes: smoothed by the schema's own rates, and scaled to records without missing levels."""
    rate = (counts / np.maximum(presence, 1 / PRESENT**2) + PRIOR_PAIRS * prior) / (pairs + PRIOR_PAIRS)
    flat = rate.ravel()[:-1]
    return tuple(_code(float(x)) for x in flat / max(1.0, float(flat.sum())))
