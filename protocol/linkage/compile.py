"""The compiler: from a schema, both sides' rates and sizes, and the agreement's terms to the ordered keys of one round.

It searches for the lowest threshold at which the keys within the budget keep the expected false leads within the
agreed share. Both sides run it on the same input and get identical keys: all arithmetic is on integers, and pseudo-random
numbers come from a hash of the inputs only.
"""

import hashlib
import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.hashes import SHA512_256, Hash

from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.linkage.comparison_states import BIT, ONE, Dimension, fixed_point, space
from blindmatch.protocol.linkage.compiled_keys import (
    CompiledKey,
    CompiledKeys,
    TradeOff,
    describe_levels,
    key_id,
    keys_digest,
)
from blindmatch.protocol.linkage.level_patterns import MissingFields, Pattern, Patterns
from blindmatch.protocol.linkage.rates import PRESENT, Rates
from blindmatch.protocol.linkage.schema import Schema, SchemaError
from blindmatch.protocol.linkage.weights import Weights

SIMULATED: Final = 8_192
"""Matches sampled from the model to estimate recall, to about half a per cent."""
_STEP: Final = BIT // 16
_BELOW: Final = 12
"""Steps tried below the result of the bisection, because the share of false leads is not strictly monotonic."""
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CompileTerms:
    """The terms of an agreement's edge about its match keys.

    Raises:
        SchemaError: a number out of range.
    """

    overlap: float = 0.05
    """Assumed share of the shorter list that is on the other list too; overstating it reduces precision."""
    false_leads: float = 0.01
    """The highest expected share of leads that are false."""
    budget: int = 80
    """The largest number of keys."""
    missing: bool = True
    """Whether a key may require a field to be missing on one side; a side that misstates its fields gets looser keys."""

    def __post_init__(self) -> None:
        if not (0 < self.overlap <= 1 and 0 < self.false_leads < 1 and 1 <= self.budget <= LIMITS.keys):
            raise SchemaError(
                f"overlap must be in (0, 1], false leads in (0, 1), the budget 1 to {LIMITS.keys} keys"
            )

    def encode(self) -> bytes:
        """Canonical bytes: four big-endian integers of 8 bytes, shares in parts of 10^12."""
        shares = (
            round(self.overlap * 10**12),
            round(self.false_leads * 10**12),
            self.budget,
            int(self.missing),
        )
        return b"".join(value.to_bytes(8, "big") for value in shares)


_MISSING: Final = 3
"""States of a field that is missing: on the receiver's side, on the sender's, on both."""


class _Matches:
    """A sample of matches from the model: the distinct combinations of states, and the number of each."""

    def __init__(self, weights: Weights, swapped_m: float, seed: bytes) -> None:
        dimensions = weights.space.dimensions
        model = weights.space.schema.model
        columns = 3 * len(dimensions) + 1
        drawn = np.frombuffer(hashlib.shake_256(seed).digest(4 * SIMULATED * columns), dtype=">u4")
        draws = (drawn.astype(np.int64) << 8).reshape(columns, SIMULATED)
        swapped = draws[-1] < fixed_point(swapped_m)
        rows = [swapped.astype(np.int64)]
        for i, d in enumerate(dimensions):
            last = len(d.states) - 1
            state = np.minimum(np.searchsorted(np.cumsum(weights.m[i]), draws[3 * i], side="right"), last)
            if d.name in model.names:
                state[swapped] = last
            absent = [
                draws[3 * i + 1 + side] >= weights.presence[side][i] * (ONE // PRESENT) for side in (0, 1)
            ]
            missing = absent[0] + 2 * absent[1].astype(np.int64)
            rows.append(np.where(missing, last + missing, state))
        kinds, self.counts = np.unique(np.stack(rows), axis=1, return_counts=True)
        self.swapped = kinds[0].astype(np.bool_)
        self.states = kinds[1:]


def _demands_met(dimension: Dimension) -> Bools:
    """(demands, states): whether a state meets a demand.

    The demands are the levels, nothing, missing on the receiver's side, missing on the sender's side. The states are the
    dimension's own and then those of a missing field.
    """
    states = len(dimension.states)
    met = np.zeros((len(dimension.levels) + 3, states + _MISSING), dtype=np.bool_)
    for level in range(len(dimension.levels)):
        met[level, :states] = [level in state for state in dimension.states]
    met[-3] = True
    met[-2, [states, states + 2]] = True
    met[-1, [states + 1, states + 2]] = True
    return met


class _Search:
    """Evaluates thresholds: the minimal patterns, the best of them within the budget, and their expected leads."""

    def __init__(
        self, weights: Weights, sizes: tuple[int, int], terms: CompileTerms, *, budget: int, seed: bytes
    ) -> None:
        self.weights, self.terms, self.budget = weights, terms, budget
        self.sizes = sizes
        self.patterns = Patterns(weights, missing=terms.missing)
        self.dimensions = weights.space.dimensions
        model = weights.space.schema.model
        self.matches = _Matches(weights, model.swapped_m if model.swapped else 0.0, seed)
        self._names = [i for i, d in enumerate(self.dimensions) if d.name in model.names]
        self._meets = [_demands_met(d) for d in self.dimensions]
        self._drawn = [met[:, states] for met, states in zip(self._meets, self.matches.states, strict=True)]
        # Missing fields that very few matches have are not worth a key of the budget.
        self._missing_fields = [
            a for a in self.patterns.missing_fields if self._missing_share(a) >= ONE // 1024
        ]
        self._met = weights.met()
        # Adjacent thresholds have most of their patterns in common.
        self._matched: dict[tuple[int, ...], Bools] = {}
        self.true = fixed_point(terms.overlap) * min(sizes)

    @staticmethod
    def _demands(pattern: Pattern) -> list[int]:
        """The index of the demand per dimension, in the order of `_demands_met`."""
        demands = list(pattern.demands)
        for i in pattern.missing.receiver:
            demands[i] = -2
        for i in pattern.missing.sender:
            demands[i] = -1
        return demands

    def satisfied(self, pattern: Pattern) -> Bools:
        """Whether the pattern finds each kind of sampled match: (kinds,)."""
        demands = (*self._demands(pattern), int(pattern.swapped))
        if demands not in self._matched:
            self._matched[demands] = self._satisfied(demands[:-1], self._names if pattern.swapped else [])
        return self._matched[demands]

    def _satisfied(self, demands: Sequence[int], names: Sequence[int]) -> Bools:
        matched = np.ones(len(self.matches.counts), dtype=np.bool_)
        if names:
            matched &= self.matches.swapped | np.logical_and.reduce([self._drawn[i][0] for i in names])
            for i in names:
                matched &= self.matches.states[i] < len(self.dimensions[i].states)
        for i, demand in enumerate(demands):
            if i not in names:
                matched &= self._drawn[i][demand]
        return matched

    def choose(self, candidates: Sequence[Pattern]) -> tuple[list[tuple[Pattern, int]], int]:
        """The patterns within the budget that add most recall, each with its gain; and the number of matches of all of them."""
        matched = [self.satisfied(pattern) for pattern in candidates]
        remaining = self.matches.counts.copy()
        # Gains only decrease: a pattern whose earlier gain is not the highest need not be evaluated again.
        heap = [(-int(remaining @ f), i) for i, f in enumerate(matched)]
        heapq.heapify(heap)
        chosen: list[tuple[Pattern, int]] = []
        while heap and len(chosen) < self.budget:
            stale, i = heapq.heappop(heap)
            gain = int(remaining @ matched[i])
            if not gain:
                continue
            if -stale != gain:
                heapq.heappush(heap, (-gain, i))
                continue
            chosen.append((candidates[i], gain))
            remaining[matched[i]] = 0
        return chosen, sum(gain for _, gain in chosen)

    def false_leads(self, chosen: Sequence[Pattern]) -> int:
        """The expected number of pairs of two different people that some pattern finds, in parts of 2^40."""
        union = np.zeros([met.shape[1] for met in self._meets], dtype=np.bool_)
        for pattern in chosen:
            demands = zip(self._meets, self._demands(pattern), strict=True)
            union[np.ix_(*(np.flatnonzero(met[demand]) for met, demand in demands))] = True
        return self._mass(union) * self.sizes[0] * self.sizes[1]

    def _mass(self, cells: Bools) -> int:
        """The probability of a set of joint states in pairs of two people, in parts of 2^40; rounded only at the end."""
        alone = len(self.weights.space.alone)
        flat = cells.reshape(*cells.shape[:alone], -1)
        total = 0
        for kind in self._met:
            joint = flat @ kind.household.ravel()
            for at in np.argwhere(joint):
                place = tuple(at.tolist())
                total += int(joint[place]) * math.prod(int(kind.alone[i][s]) for i, s in enumerate(place))
        return int(total // ONE**alone)

    def _missing_share(self, missing: MissingFields) -> int:
        share = ONE
        for side, fields in enumerate((missing.receiver, missing.sender)):
            for i in fields:
                share = share * (PRESENT - self.weights.presence[side][i]) // PRESENT
        return share

    def at(self, threshold: int) -> "_Result":
        """Evaluate one threshold, in 1/64 bit."""
        candidates = list(self.patterns.at(threshold, self._missing_fields))
        chosen, gained = self.choose(candidates)
        false = self.false_leads([pattern for pattern, _ in chosen])
        return _Result(threshold, chosen, self.true * gained // SIMULATED, false)


@dataclass(frozen=True)
class _Result:
    threshold: int
    chosen: list[tuple[Pattern, int]]
    true: int
    false: int

    def within(self, share: int) -> bool:
        return bool(self.chosen) and self.false * (ONE - share) <= self.true * share


def compile_keys(  # noqa: PLR0917 - the round's inputs in the order of its statement
    schema: Schema,
    receiver: Rates,
    sender: Rates,
    receiver_records: int,
    sender_records: int,
    terms: CompileTerms | None = None,
) -> CompiledKeys:
    """The keys of one round, in the order of the recall that they add; listed keys come first.

    Args:
        schema: the linkage schema.
        receiver: the receiver's stated rates.
        sender: the sender's stated rates.
        receiver_records: the receiver's stated number of records.
        sender_records: the sender's stated number of records.
        terms: the terms of the agreement's edge.

    Raises:
        SchemaError: no key is specific enough at these sizes; the hint lists the thresholds that were tried.
    """
    terms = terms or CompileTerms()
    inputs = _digest(schema, receiver, sender, (receiver_records, sender_records), terms)
    sizes = (max(receiver_records, 1), max(sender_records, 1))
    listed = _listed(schema, receiver, sender, sizes, terms)
    relatives = (
        fixed_point(terms.overlap) * fixed_point(schema.model.relatives / 100) * 100 // ONE // max(sizes)
    )
    weights = Weights(space(schema), receiver, sender, relatives=relatives)
    search = _Search(weights, sizes, terms, budget=terms.budget - len(listed), seed=inputs)
    tried = _lowest(search)
    good = [result for result in tried if result.within(fixed_point(terms.false_leads))]
    trades = tuple(_trade(result) for result in sorted(tried, key=lambda r: -r.threshold) if result.chosen)
    if not good and not listed:
        raise SchemaError(
            "no key is specific enough at these sizes",
            hint="Add a field such as the postcode district, or accept more false leads: " + _table(trades),
        )
    best = max(good, key=lambda result: (result.true, result.threshold), default=None)
    chosen = best.chosen if best else []
    keys = (*listed, *(_key(schema, weights, pattern, gain, search) for pattern, gain in chosen))
    return CompiledKeys(
        schema,
        keys,
        keys_digest(schema, keys, inputs),
        expected_true=best.true / ONE if best else 0.0,
        expected_false=best.false / ONE if best else 0.0,
        recall=sum(gain for _, gain in chosen) / SIMULATED,
        threshold=best.threshold / BIT if best else 0.0,
        trades=trades,
    )


def _lowest(search: _Search) -> list[_Result]:
    """All thresholds tried in the search for the lowest one that keeps the share of false leads."""
    share = fixed_point(search.terms.false_leads)
    low, high = 0, max(search.patterns.highest // _STEP, 1)
    tried = []
    while low < high:
        middle = (low + high) // 2
        result = search.at(middle * _STEP)
        tried.append(result)
        # If no pattern reaches the threshold, it is too high, not too low.
        low, high = (low, middle) if result.within(share) or not result.chosen else (middle + 1, high)
    tried += [search.at((low - step) * _STEP) for step in range(1, min(_BELOW, low) + 1)]
    return tried


def _digest(
    schema: Schema, receiver: Rates, sender: Rates, sizes: tuple[int, int], terms: CompileTerms
) -> bytes:
    hasher = Hash(SHA512_256())
    hasher.update(b"blindmatch/compile/v1\0" + schema.digest)
    for part in (
        receiver.encode(),
        sender.encode(),
        *(size.to_bytes(8, "big") for size in sizes),
        terms.encode(),
    ):
        hasher.update(len(part).to_bytes(4, "big") + part)
    return hasher.finalize()


def _listed(
    schema: Schema, receiver: Rates, sender: Rates, sizes: tuple[int, int], terms: CompileTerms
) -> tuple[CompiledKey, ...]:
    """The schema's own keys whose levels both lists have, and which seldom match two strangers.

    A key is used if its expected false leads are within the agreed share of the true leads that it finds where both lists have
    all its levels, or if they are at most half a pair (for small lists).
    """
    listed = []
    share, both = fixed_point(terms.false_leads), fixed_point(terms.overlap) * min(sizes)
    for key in schema.keys:
        levels = tuple(schema.level_index(name) for name in key.levels)
        if not all(rates.presence[level] for rates in (receiver, sender) for level in levels):
            continue
        chance = ONE
        for level in levels:
            chance = chance * fixed_point(schema.levels[level].u) // ONE
        false = chance * sizes[0] * sizes[1]
        if false > max(both * share // ONE, ONE // 2):
            continue
        weight = sum(schema.levels[level].bits for level in levels)
        listed.append(
            CompiledKey(
                key.name,
                levels,
                round(weight, 1),
                chance / ONE,
                describe_levels(schema, levels),
                key_id(key.name),
            )
        )
    return tuple(listed[: terms.budget - 1])


def _key(schema: Schema, weights: Weights, pattern: Pattern, gain: int, search: _Search) -> CompiledKey:
    model = schema.model
    dimensions = weights.space.dimensions
    levels = []
    for i, demand in enumerate(pattern.demands):
        own = dimensions[i]
        if pattern.swapped and own.name in model.names:
            levels += [schema.level_index(model.swapped)] if own.name == model.names[0] else []
        elif demand < len(own.levels):
            levels.append(schema.level_index(own.levels[demand].name))
    missing = [
        ("receiver", [dimensions[i] for i in pattern.missing.receiver]),
        ("sender", [dimensions[i] for i in pattern.missing.sender]),
    ]
    absent = [tuple(schema.level_index(level.name) for d in own for level in d.levels) for _, own in missing]
    words = [
        f"no {schema.field_named(d.name).title} on the {side}'s side" for side, own in missing for d in own
    ]
    name = "+".join(schema.levels[level].name for level in levels)
    tail = "".join(f" -{side}:{d.name}" for side, own in missing for d in own)
    odds = 2 ** (pattern.score / BIT) * search.true / ONE / (search.sizes[0] * search.sizes[1])
    return CompiledKey(
        name + tail,
        tuple(levels),
        pattern.score / BIT,
        search.false_leads([pattern]) / ONE / (search.sizes[0] * search.sizes[1]),
        "; ".join([describe_levels(schema, levels), *words]),
        key_id(name + tail),
        absent_receiver=absent[0],
        absent_sender=absent[1],
        guarded=True,
        posterior=odds / (1 + odds),
        gain=gain / SIMULATED,
    )


def _trade(result: _Result) -> TradeOff:
    return TradeOff(result.threshold / BIT, len(result.chosen), result.true / ONE, result.false / ONE)


def _table(trades: Sequence[TradeOff]) -> str:
    return "; ".join(
        f"at {trade.threshold:.0f} bits {trade.expected_false:.1f} false leads beside {trade.expected_true:.1f} true ones"
        for trade in trades[-6:]
    )
