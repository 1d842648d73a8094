"""Four keys without a round: for tests and trials of tokens, tables and sessions, where no model is needed."""

from functools import cache
from math import prod
from typing import Final

from blindmatch.protocol.linkage import CompiledKey, CompiledKeys, load_schema
from blindmatch.protocol.linkage.compiled_keys import describe_levels, key_id, keys_digest

SCHEMA: Final = load_schema("uk-person-company-2")

RECIPES: Final = {
    "company": ("company-number",),
    "name+dob": ("forename", "surname", "full-date"),
    "name+month+district": ("forename", "surname", "year-month", "district"),
    "name+month": ("forename", "surname", "year-month"),
}
"""Strongest first."""


@cache
def exact_keys() -> CompiledKeys:
    """Keys over the product's schema, none of them guarded or for missing fields; weights by the schema's own rates."""
    keys = []
    for name, recipe in RECIPES.items():
        levels = tuple(SCHEMA.level_index(level) for level in recipe)
        chosen = [SCHEMA.levels[level] for level in levels]
        weight = round(sum(level.bits for level in chosen), 1)
        chance = prod(level.u for level in chosen)
        keys.append(CompiledKey(name, levels, weight, chance, describe_levels(SCHEMA, levels), key_id(name)))
    return CompiledKeys(SCHEMA, tuple(keys), keys_digest(SCHEMA, keys))
