"""Whether names are so common in a list that keys on them are less specific. Which names they are is not disclosed."""

from typing import Final

import numpy as np

from blindmatch.protocol.linkage import Rates, Schema
from blindmatch.protocol.linkage.comparison_states import ONE, Space, space
from blindmatch.protocol.linkage.rates import probability

COMMON_FACTOR: Final = 4
"""A name is common when two people share it this many times as often as the schema assumes: two bits less per key."""


def common_names(schema: Schema, rates: Rates) -> list[str]:
    """A warning for each field of names on which people of the list agree far more often than usual."""
    states = space(schema)
    warnings = []
    for dimension in states.dimensions:
        if dimension.name not in schema.model.names:
            continue
        usual = sum(u for state, u in zip(dimension.states, dimension.default_u, strict=True) if 0 in state)
        shared = _shared(states, rates, dimension.name)
        if shared >= COMMON_FACTOR * usual:
            warnings.append(
                f"one {dimension.levels[0].words} is common in our list: 1 pair of people in {_one_in(shared)} shares it, "
                f"where 1 in {_one_in(usual)} is usual; keys on it tell less, and fewer people can be told apart"
            )
    return warnings


def _one_in(rate: int) -> str:
    return f"{ONE / max(rate, 1):,.0f}"


def _shared(states: Space, rates: Rates, name: str) -> int:
    """How often two people agree on the best level of a field, in parts of 2^40."""
    for dimension, codes in zip(states.alone, rates.alone, strict=True):
        if dimension.name == name:
            return sum(
                probability(code) for state, code in zip(dimension.states, codes, strict=False) if 0 in state
            )
    shape = [len(dimension.states) for dimension in states.household]
    axis = [dimension.name for dimension in states.household].index(name)
    total = 0
    for place, code in enumerate(rates.household):
        at = np.unravel_index(place, shape)
        if 0 in states.household[axis].states[int(at[axis])]:
            total += probability(code)
    return total
