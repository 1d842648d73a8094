"""The compiler: a schema, both sides' rates and sizes, and the agreement's terms, to the ordered keys of one round.

It looks for the lowest threshold at which the keys that fit the budget keep the expected false leads within the
agreed share. Both sides run it on the same bytes and get the same bytes: integers throughout, and pseudo-random
numbers only out of a hash of the inputs.
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
from blindmatch.protocol.linkage.compiled_keys import (
    CompiledKey,
    CompiledKeys,
    TradeOff,
    describe_levels,
    key_id,
    keys_digest,
)
from blindmatch.protocol.linkage.patterns import MissingFields, Pattern, Patterns
from blindmatch.protocol.linkage.rates import PRESENT, Rates
from blindmatch.protocol.linkage.schema import Schema, SchemaError
from blindmatch.protocol.linkage.states import BIT, ONE, Dimension, fixed_point, space
from blindmatch.protocol.linkage.weights import Weights

SIMULATED: Final = 8_192
"""Matches drawn from the model, on which recall is reckoned: to about half a per cent."""
_STEP: Final = BIT // 16
_BELOW: Final = 12
"""Steps tried below the threshold that bisection finds: the share of false leads does not fall quite evenly."""
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CompileTerms:
    """What an agreement's edge says about its keys.

    Raises:
        SchemaError: a number out of its range.
    """

    overlap: float = 0.05
    """Assumed share of the shorter list that the other list holds too; overstating it costs precision."""
    false_leads: float = 0.01
    """Expected share of leads that are wrong, at most."""
    budget: int = 80
    """Keys, at most."""
    missing: bool = True
    """Whether a key may say that a field is missing on one side; a side that lies about it gets looser keys."""

    def __post_init__(self) -> None:
        if not (0 < self.overlap <= 1 and 0 < self.false_leads < 1 and 1 <= self.budget <= LIMITS.keys):
            raise SchemaError(
                f"overlap must be in (0, 1], false leads in (0, 1), the budget 1 to {LIMITS.keys} keys"
            )

    def encode(self) -> bytes:
        """Canonical bytes: shares in parts of 10^12."""
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
    """Matches drawn from the model: each kind of them by its states, and how many there are."""

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
            gone = [
                draws[3 * i + 1 + side] >= weights.presence[side][i] * (ONE // PRESENT) for side in (0, 1)
            ]
            missing = gone[0] + 2 * gone[1].astype(np.int64)
            rows.append(np.where(missing, last + missing, state))
        kinds, self.counts = np.unique(np.stack(rows), axis=1, return_counts=True)
        self.swapped = kinds[0].astype(np.bool_)
        self.states = kinds[1:]


def _held_by(dimension: Dimension) -> Bools:
    """(demands, states): which states meet a demand.

    Demands are the levels, nothing, missing on the receiver's side, missing on the sender's; states are the dimension's
    own and the missing ones.
    """
    states = len(dimension.states)
    held = np.zeros((len(dimension.levels) + 3, states + _MISSING), dtype=np.bool_)
    for level in range(len(dimension.levels)):
        held[level, :states] = [level in state for state in dimension.states]
    held[-3] = True
    held[-2, [states, states + 2]] = True
    held[-1, [states + 1, states + 2]] = True
    return held


class _Search:
    """Evaluates thresholds: minimal patterns, the best of them within the budget, and what to expect of those."""

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
        self._held = [_held_by(d) for d in self.dimensions]
        self._drawn = [held[:, states] for held, states in zip(self._held, self.matches.states, strict=True)]
        # Missing fields that hardly a match has cannot earn its place in the budget.
        self._missing_fields = [
            a for a in self.patterns.missing_fields if self._missing_share(a) >= ONE // 1024
        ]
        self._met = weights.met()
        # Thresholds next to each other have most of their patterns in common.
        self._found: dict[tuple[int, ...], Bools] = {}
        self.true = fixed_point(terms.overlap) * min(sizes)

    @staticmethod
    def _asked(pattern: Pattern) -> list[int]:
        """Per dimension the demand, as `_held_by` counts them."""
        asked = list(pattern.demands)
        for i in pattern.missing.receiver:
            asked[i] = -2
        for i in pattern.missing.sender:
            asked[i] = -1
        return asked

    def satisfied(self, pattern: Pattern) -> Bools:
        """Which kinds of match the pattern finds."""
        asked = (*self._asked(pattern), int(pattern.swapped))
        if asked not in self._found:
            self._found[asked] = self._satisfied(asked[:-1], self._names if pattern.swapped else [])
        return self._found[asked]

    def _satisfied(self, asked: Sequence[int], names: Sequence[int]) -> Bools:
        found = np.ones(len(self.matches.counts), dtype=np.bool_)
        if names:
            found &= self.matches.swapped | np.logical_and.reduce([self._drawn[i][0] for i in names])
            for i in names:
                found &= self.matches.states[i] < len(self.dimensions[i].states)
        for i, demand in enumerate(asked):
            if i not in names:
                found &= self._drawn[i][demand]
        return found

    def choose(self, candidates: Sequence[Pattern]) -> tuple[list[tuple[Pattern, int]], int]:
        """The patterns within the budget that add most recall, each with its gain; and all they find."""
        found = [self.satisfied(pattern) for pattern in candidates]
        left = self.matches.counts.copy()
        # Gains only shrink: a pattern whose old gain is not the best need not be looked at again.
        heap = [(-int(left @ f), i) for i, f in enumerate(found)]
        heapq.heapify(heap)
        chosen: list[tuple[Pattern, int]] = []
        while heap and len(chosen) < self.budget:
            stale, i = heapq.heappop(heap)
            gain = int(left @ found[i])
            if not gain:
                continue
            if -stale != gain:
                heapq.heappush(heap, (-gain, i))
                continue
            chosen.append((candidates[i], gain))
            left[found[i]] = 0
        return chosen, sum(gain for _, gain in chosen)

    def false_leads(self, chosen: Sequence[Pattern]) -> int:
        """Expected pairs of two people that some pattern finds, in parts of 2^40."""
        union = np.zeros([held.shape[1] for held in self._held], dtype=np.bool_)
        for pattern in chosen:
            asked = zip(self._held, self._asked(pattern), strict=True)
            union[np.ix_(*(np.flatnonzero(held[demand]) for held, demand in asked))] = True
        return self._mass(union) * self.sizes[0] * self.sizes[1]

    def _mass(self, cells: Bools) -> int:
        """Probability of a set of joint states in pairs of two people, in parts of 2^40: exact before it is rounded."""
        alone = len(self.weights.space.alone)
        flat = cells.reshape(*cells.shape[:alone], -1)
        total = 0
        for kind in self._met:
            held = flat @ kind.household.ravel()
            for at in np.argwhere(held):
                place = tuple(at.tolist())
                total += int(held[place]) * math.prod(int(kind.alone[i][s]) for i, s in enumerate(place))
        return int(total // ONE**alone)

    def _missing_share(self, missing: MissingFields) -> int:
        share = ONE
        for side, fields in enumerate((missing.receiver, missing.sender)):
            for i in fields:
                share = share * (PRESENT - self.weights.presence[side][i]) // PRESENT
        return share

    def at(self, threshold: int) -> "_Result":
        """What a threshold gives."""
        chosen, gained = self.choose(self._candidates(threshold))
        false = self.false_leads([pattern for pattern, _ in chosen])
        return _Result(threshold, chosen, self.true * gained // SIMULATED, false)

    def _candidates(self, threshold: int) -> list[Pattern]:
        return list(self.patterns.at(threshold, self._missing_fields))


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
    """The keys of one round, in the order in which they add recall; listed keys stand first.

    Args:
        schema: the linkage schema.
        receiver: the receiver's rates, as stated.
        sender: the sender's.
        receiver_records: how many records the receiver has stated.
        sender_records: the sender's number.
        terms: what the agreement's edge says.

    Raises:
        SchemaError: no key is specific enough at these sizes; the hint holds the trades.
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
    """Every threshold tried on the way to the lowest that keeps the share of false leads."""
    share = fixed_point(search.terms.false_leads)
    low, high = 0, max(search.patterns.highest // _STEP, 1)
    tried = []
    while low < high:
        middle = (low + high) // 2
        result = search.at(middle * _STEP)
        tried.append(result)
        # Where nothing reaches the threshold at all it is too high, not too low.
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
    """The schema's own keys that both lists can answer and that find two strangers seldom enough.

    That is within the share of false leads, beside what the key finds where both lists say all its levels; in small lists at
    any rate when half a pair of strangers is to be expected.
    """
    found = []
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
        found.append(
            CompiledKey(
                key.name,
                levels,
                round(weight, 1),
                chance / ONE,
                describe_levels(schema, levels),
                key_id(key.name),
            )
        )
    return tuple(found[: terms.budget - 1])


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
    absent = tuple(
        tuple(schema.level_index(level.name) for i in fields for level in dimensions[i].levels)
        for fields in (pattern.missing.receiver, pattern.missing.sender)
    )
    gone = [
        f"no {schema.field_named(dimensions[i].name).title} on the {side}'s side"
        for side, fields in (("receiver", pattern.missing.receiver), ("sender", pattern.missing.sender))
        for i in fields
    ]
    name = "+".join(schema.levels[level].name for level in levels)
    tail = "".join(
        f" -{side}:{dimensions[i].name}"
        for side, fields in (("receiver", pattern.missing.receiver), ("sender", pattern.missing.sender))
        for i in fields
    )
    odds = 2 ** (pattern.score / BIT) * search.true / ONE / (search.sizes[0] * search.sizes[1])
    return CompiledKey(
        name + tail,
        tuple(levels),
        pattern.score / BIT,
        search.false_leads([pattern]) / ONE / (search.sizes[0] * search.sizes[1]),
        "; ".join([describe_levels(schema, levels), *gone]),
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
