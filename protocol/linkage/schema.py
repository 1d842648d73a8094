"""The linkage schema: fields, levels and keys as data, with one digest over everything that changes a result."""

import json
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA512_256, Hash

from blindmatch.protocol.errors import LocalError
from blindmatch.protocol.linkage.levels import FIELD_KINDS, LEVEL_TESTS
from blindmatch.protocol.linkage.normalise import NORMALISATION

FORMATS = (1, 2)
"""1 lists its keys; 2 also states a model, from which each round's keys are compiled."""
MAX_KEYS = 254
"""A key's number is one byte, and 255 marks a filler."""
MAX_COMPARED = 8
MAX_LEVELS = 7
"""Bounds on a model: the compiler goes through every combination of levels."""
MAX_NAME_BYTES = 64
"""BLAKE2b takes a key of 64 bytes; a level's name is that key."""


class SchemaError(LocalError):
    """A linkage schema that is unknown or does not hold together; the message names the part."""


@dataclass(frozen=True)
class Field:
    """One column of a record: what kind of text it holds."""

    name: str
    kind: str
    title: str


@dataclass(frozen=True)
class Level:
    """One equality test on one field; `m` and `u` are probabilities in (0, 1)."""

    name: str
    field: str
    test: str
    words: str
    m: float
    u: float
    other: str = ""
    """A second field whose text the test gets too."""
    implies: tuple[str, ...] = ()
    """Levels of the same field that agree whenever this one does."""
    both: tuple[tuple[str, str], ...] = ()
    """Pairs of levels that together imply this one."""
    kin: float = 0.0
    """As `u`, for two people of one household; 0 stands for `u`."""

    @property
    def bits(self) -> float:
        """What agreeing on this level is worth: log2(m / u)."""
        return math.log2(self.m / self.u)


@dataclass(frozen=True)
class Key:
    """One recipe: the levels that must all agree."""

    name: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Model:
    """What format 2 adds: how agreements on several fields add up to a score.

    A field's levels stand from the most to the least telling; `m` and `u` of a level are the probabilities that it
    is the *best* one on which two records of the same person, or of two people, agree.
    """

    compared: tuple[str, ...]
    """The fields that the score adds up; all others only serve explicit keys."""
    household: tuple[str, ...]
    """Compared fields on which a family agrees together: their u is taken jointly."""
    person: tuple[str, ...]
    """Every pattern tests one of these fields."""
    missing: tuple[str, ...]
    """Fields that a pattern may state to be missing on one side."""
    swapped: str
    """The level that agrees when the names stand in either order, or empty."""
    swapped_m: float
    """How often two records of one person have their names in the other order."""
    names: tuple[str, str]
    """The fields that `swapped` puts in either order: their best levels are what it stands for."""
    along: float
    """How often a level below the best one, not implied by it, agrees too in records of one person."""
    relatives: float
    """How many relatives of the people on one list are on the other, per person whom both are assumed to hold."""
    home: tuple[str, ...]
    """Household fields of which one agrees on its best level, beside any other, where a home is shared."""


@dataclass(frozen=True)
class Schema:
    """A checked schema.

    Raises:
        SchemaError: a name twice, an unknown kind, test, field or level, or a number out of its range.
    """

    name: str
    title: str
    threshold: float
    fields: tuple[Field, ...]
    levels: tuple[Level, ...]
    keys: tuple[Key, ...]
    model: Model | None = None
    digest: bytes = field(init=False)
    """32 bytes (SHA-512/256) over the fixed part: two parties with equal digests make equal tokens."""

    def __post_init__(self) -> None:
        _check(self)
        object.__setattr__(self, "digest", _digest(self))

    def levels_of(self, name: str) -> tuple[Level, ...]:
        """The levels that compare one field by itself, most telling first."""
        return tuple(level for level in self.levels if level.field == name and not level.other)

    def field_named(self, name: str) -> Field:
        """The field, or `KeyError`."""
        return {item.name: item for item in self.fields}[name]

    def level_index(self, name: str) -> int:
        """The level's place in every array of level digests, or `ValueError`."""
        return [level.name for level in self.levels].index(name)


def _check(schema: Schema) -> None:
    fault = _names_fault(schema) or _levels_fault(schema) or _keys_fault(schema) or _model_fault(schema)
    if fault:
        raise SchemaError(f"schema {schema.name}: {fault}")


def _names_fault(schema: Schema) -> str:
    for what, names in (
        ("field", [item.name for item in schema.fields]),
        ("level", [level.name for level in schema.levels]),
        ("key", [key.name for key in schema.keys]),
    ):
        if not 1 <= len(names) <= MAX_KEYS:
            return f"needs 1 to {MAX_KEYS} {what}s"
        if len(set(names)) != len(names):
            return f"two {what}s share one name"
        if not all(name and len(name.encode()) <= MAX_NAME_BYTES for name in names):
            return f"a {what}'s name is empty or over {MAX_NAME_BYTES} bytes"
    return ""


def _levels_fault(schema: Schema) -> str:
    kinds = {item.name: item.kind for item in schema.fields}
    for name, kind in kinds.items():
        if kind not in FIELD_KINDS:
            return f"field {name} has unknown kind {kind}"
    for level in schema.levels:
        if level.field not in kinds:
            return f"level {level.name} names unknown field {level.field}"
        if level.test not in LEVEL_TESTS[kinds[level.field]]:
            return f"level {level.name} names unknown test {level.test}"
        if level.other and level.other not in kinds:
            return f"level {level.name} names unknown field {level.other}"
        # In a model a weak level may well speak against a match: the pair failed all the stronger ones.
        if schema.model is not None and 0 < level.m < 1 and 0 < level.u < 1:
            continue
        if not 0 < level.u < level.m < 1:
            return f"level {level.name} needs 0 < u < m < 1"
    return ""


def _keys_fault(schema: Schema) -> str:
    known = {level.name for level in schema.levels}
    for key in schema.keys:
        if not key.levels or len(set(key.levels)) != len(key.levels) or not set(key.levels) <= known:
            return f"key {key.name} names no level, one twice, or an unknown one"
    if not (math.isfinite(schema.threshold) and schema.threshold > 0):
        return "the threshold must be a number of bits above 0"
    return ""


def _model_fault(schema: Schema) -> str:
    return next(_model_faults(schema, schema.model), "") if schema.model else ""


def _model_faults(schema: Schema, model: Model) -> Iterator[str]:
    fields = {item.name for item in schema.fields}
    compared = set(model.compared)
    if not 2 <= len(compared) == len(model.compared) <= MAX_COMPARED or not fields >= compared:
        yield f"compares 2 to {MAX_COMPARED} of its fields, each once"
    for part in (model.household, model.person, model.missing, model.names, model.home):
        if not set(part) <= compared or len(set(part)) != len(part):
            yield "household, person, missing, names and home list compared fields, each once"
    if not model.person:
        yield "names no field that tells a person from the rest of the house"
    if not model.household or len(model.household) == len(model.compared):
        yield "names no field of a household, or no other"
    if model.swapped and model.swapped not in {level.name for level in schema.levels}:
        yield f"swapped names unknown level {model.swapped}"
    if not (0 < model.swapped_m < 1 and 0 <= model.along < 1 and 0 <= model.relatives <= 100):
        yield "swapped_m and along are probabilities, relatives a number from 0 to 100"
    yield from _linked_faults(schema)
    for name in model.compared:
        own = schema.levels_of(name)
        sums = (sum(x.m for x in own), sum(x.u for x in own), sum(x.kin or x.u for x in own))
        if not 1 <= len(own) <= MAX_LEVELS or max(sums) >= 1:
            yield f"field {name} needs 1 to {MAX_LEVELS} levels whose m, u and kin each add up to less than 1"


def _linked_faults(schema: Schema) -> Iterator[str]:
    at = {level.name: level.field for level in schema.levels}
    order = [level.name for level in schema.levels]
    for level in schema.levels:
        linked = [*level.implies, *(name for pair in level.both for name in pair)]
        if any(at.get(name) != level.field or name == level.name for name in linked):
            yield f"level {level.name} implies a level that is not of its field"
        elif any(order.index(name) < order.index(level.name) for name in linked):
            yield f"level {level.name} stands below one that it implies"


def _digest(schema: Schema) -> bytes:
    fixed: dict[str, Any] = {
        "format": 1 if schema.model is None else 2,
        "normalisation": NORMALISATION,
        "name": schema.name,
        "threshold": repr(schema.threshold),
        "fields": [[item.name, item.kind] for item in schema.fields],
        "levels": [[x.name, x.field, x.test, repr(x.m), repr(x.u)] for x in schema.levels],
        "keys": [[key.name, list(key.levels)] for key in schema.keys],
    }
    if schema.model is not None:
        fixed["model"] = {name: repr(value) for name, value in sorted(vars(schema.model).items())}
        fixed["implies"] = [
            [x.other, list(x.implies), [list(pair) for pair in x.both], repr(x.kin)] for x in schema.levels
        ]
    hasher = Hash(SHA512_256())
    hasher.update(b"blindmatch/schema/v1\0")
    hasher.update(json.dumps(fixed, sort_keys=True, separators=(",", ":")).encode())
    return hasher.finalize()


def parse_schema(text: str) -> Schema:
    """Read a schema from TOML text.

    Raises:
        SchemaError: not TOML, another format number, a missing or unknown entry, or parts that do not fit.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SchemaError(f"the schema is not TOML: {error}") from None
    if data.get("format") not in FORMATS:
        raise SchemaError(
            f"the schema's format is not one of {FORMATS}", hint="Use a schema made for this version."
        )
    try:
        known = ("format", "name", "title", "threshold", "fields", "levels", "keys")
        _only(data, *known, *(("model",) if data["format"] == 2 else ()))
        return Schema(
            name=_text(data["name"]),
            title=_text(data["title"]),
            threshold=float(data["threshold"]),
            fields=tuple(_field(item) for item in data["fields"]),
            levels=tuple(_level(item) for item in data["levels"]),
            keys=tuple(_key(item) for item in data["keys"]),
            model=_model(data["model"]) if data["format"] == 2 else None,
        )
    except KeyError as error:
        raise SchemaError(f"the schema lacks the entry {error}") from None
    except (AttributeError, TypeError, ValueError) as error:
        raise SchemaError(f"the schema has an entry of the wrong kind: {error}") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def _only(item: Mapping[str, Any], *names: str) -> None:
    unknown = set(item) - set(names)
    if unknown:
        raise SchemaError(f"the schema has unknown entries: {', '.join(sorted(unknown))}")


def _field(item: Mapping[str, Any]) -> Field:
    _only(item, "name", "kind", "title")
    return Field(_text(item["name"]), _text(item["kind"]), _text(item["title"]))


def _level(item: Mapping[str, Any]) -> Level:
    _only(item, "name", "field", "test", "words", "m", "u", "other", "implies", "both", "kin")
    name, on, test, words = (_text(item[entry]) for entry in ("name", "field", "test", "words"))
    both = tuple((_text(first), _text(second)) for first, second in item.get("both", ()))
    implies, other = _texts(item.get("implies", ())), _text(item.get("other", ""))
    rates = (float(item["m"]), float(item["u"]))
    return Level(name, on, test, words, *rates, other, implies, both, float(item.get("kin", 0)))


def _texts(items: Iterable[object]) -> tuple[str, ...]:
    return tuple(_text(item) for item in items)


def _model(item: Mapping[str, Any]) -> Model:
    _only(item, *Model.__dataclass_fields__)
    first, second = _texts(item["names"])
    return Model(
        **{name: _texts(item[name]) for name in ("compared", "household", "person", "missing", "home")},
        swapped=_text(item["swapped"]),
        names=(first, second),
        swapped_m=float(item["swapped_m"]),
        along=float(item["along"]),
        relatives=float(item["relatives"]),
    )


def _key(item: Mapping[str, Any]) -> Key:
    _only(item, "name", "levels")
    return Key(_text(item["name"]), tuple(_text(level) for level in item["levels"]))


def schema_names() -> tuple[str, ...]:
    """The schemas that come with the program."""
    folder = resources.files("blindmatch.protocol.linkage") / "schemas"
    return tuple(
        sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))
    )


@cache
def load_schema(name: str) -> Schema:
    """A schema that comes with the program.

    Raises:
        SchemaError: no schema of that name.
    """
    if name not in schema_names():
        raise SchemaError(
            f"no linkage schema is called {name!r}", hint=f"Known: {', '.join(schema_names())}."
        )
    folder = resources.files("blindmatch.protocol.linkage") / "schemas"
    schema = parse_schema((folder / f"{name}.toml").read_text(encoding="utf-8"))
    if schema.name != name:
        raise SchemaError(f"the schema in {name}.toml calls itself {schema.name!r}")
    return schema
