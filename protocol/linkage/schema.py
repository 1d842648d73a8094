"""The linkage schema: fields, levels, model and listed keys as data, with one digest over everything that affects a result."""

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
from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.linkage.levels import FIELD_KINDS, LEVEL_TESTS
from blindmatch.protocol.linkage.normalise import NORMALISATION

FORMAT = 2
"""Version of the file format: a model, from which each round's keys are compiled, and keys that are listed explicitly."""
MAX_COMPARED = 8
MAX_LEVELS = 7
"""Limits of a model: the compiler evaluates every combination of levels."""
MAX_NAME_BYTES = 64
"""A level's name is a BLAKE2b key, which has at most 64 bytes (RFC 7693 2.1)."""


class SchemaError(LocalError):
    """A linkage schema that is unknown or invalid; the message names the part."""


@dataclass(frozen=True)
class Field:
    """One column of a record, and its kind of text."""

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
    """A second field whose text the test also takes, or empty."""
    implies: tuple[str, ...] = ()
    """Levels of the same field that agree whenever this one does."""
    both: tuple[tuple[str, str], ...] = ()
    """Pairs of levels of which both together imply this one."""
    kin: float = 0.0
    """The same as `u`, for two people of one household; 0 means equal to `u`."""

    @property
    def bits(self) -> float:
        """The weight of agreement on this level, in bits: log2(m / u)."""
        return math.log2(self.m / self.u)


@dataclass(frozen=True)
class Key:
    """A listed match key: the levels that must all agree."""

    name: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Model:
    """How agreements on several fields combine to a score (Fellegi and Sunter 1969).

    A field's levels are in order from the strongest to the weakest; `m` and `u` of a level are the probabilities that it
    is the *best* one on which two records of the same person, or of two people, agree.
    """

    compared: tuple[str, ...]
    """The fields that contribute to the score; the others are used by listed keys only."""
    household: tuple[str, ...]
    """Compared fields on which members of a family agree together: their u is a joint probability."""
    person: tuple[str, ...]
    """Every pattern tests at least one of these fields."""
    missing: tuple[str, ...]
    """Fields that a pattern may require to be missing on one side."""
    swapped: str
    """The level that agrees when the names are in either order, or empty."""
    swapped_m: float
    """The probability that two records of one person have their names in different order."""
    names: tuple[str, str]
    """The two fields that `swapped` compares in either order; it replaces the best level of both."""
    along: float
    """The probability that a level below the best one, and not implied by it, agrees too in two records of one person."""
    relatives: float
    """Relatives on the other list of the people on one list, per person whom both lists are assumed to hold."""
    home: tuple[str, ...]
    """Household fields: where people share a home, one of these agrees on its best level together with another field."""


@dataclass(frozen=True)
class Schema:
    """A checked schema.

    Raises:
        SchemaError: a repeated name, an unknown kind, test, field or level, or a number out of range.
    """

    name: str
    title: str
    fields: tuple[Field, ...]
    levels: tuple[Level, ...]
    keys: tuple[Key, ...]
    """Keys that are listed beside the model, such as the company number."""
    model: Model
    digest: bytes = field(init=False)
    """SHA-512/256 over everything but titles and descriptions, 32 bytes: parties with equal digests make equal tokens."""

    def __post_init__(self) -> None:
        _check(self)
        object.__setattr__(self, "digest", _digest(self))

    def levels_of(self, name: str) -> tuple[Level, ...]:
        """The levels that compare this field only, strongest first."""
        return tuple(level for level in self.levels if level.field == name and not level.other)

    def field_named(self, name: str) -> Field:
        """The field of this name.

        Raises:
            KeyError: there is none.
        """
        return {item.name: item for item in self.fields}[name]

    def level_index(self, name: str) -> int:
        """The level's index in every array of level digests.

        Raises:
            ValueError: there is no level of this name.
        """
        return [level.name for level in self.levels].index(name)


def _check(schema: Schema) -> None:
    faults = (
        _names_fault,
        _levels_fault,
        _keys_fault,
        lambda each: next(_model_faults(each, each.model), ""),
    )
    if fault := next((text for find in faults if (text := find(schema))), ""):
        raise SchemaError(f"schema {schema.name}: {fault}")


def _names_fault(schema: Schema) -> str:
    for what, names in (
        ("field", [item.name for item in schema.fields]),
        ("level", [level.name for level in schema.levels]),
        ("key", [key.name for key in schema.keys]),
    ):
        if not 1 <= len(names) <= LIMITS.keys:
            return f"needs 1 to {LIMITS.keys} {what}s"
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
        # m may be below u: agreement on a weak level can be evidence against a match, because all stronger levels disagree.
        if not (0 < level.u < 1 and 0 < level.m < 1):
            return f"level {level.name} needs m and u between 0 and 1"
    return ""


def _keys_fault(schema: Schema) -> str:
    known = {level.name for level in schema.levels}
    for key in schema.keys:
        if not key.levels or len(set(key.levels)) != len(key.levels) or not set(key.levels) <= known:
            return f"key {key.name} has no levels, a repeated level, or an unknown level"
    return ""


def _model_faults(schema: Schema, model: Model) -> Iterator[str]:
    fields = {item.name for item in schema.fields}
    compared = set(model.compared)
    if not 2 <= len(compared) == len(model.compared) <= MAX_COMPARED or not fields >= compared:
        yield f"compared must list 2 to {MAX_COMPARED} different fields of the schema"
    for part in (model.household, model.person, model.missing, model.names, model.home):
        if not set(part) <= compared or len(set(part)) != len(part):
            yield "household, person, missing, names and home must list compared fields, each once"
    if not model.person:
        yield "person must list a field that distinguishes the members of a household"
    if not model.household or len(model.household) == len(model.compared):
        yield "household must list some of the compared fields, but not all"
    if model.swapped and model.swapped not in {level.name for level in schema.levels}:
        yield f"swapped names unknown level {model.swapped}"
    if not (0 < model.swapped_m < 1 and 0 <= model.along < 1 and 0 <= model.relatives <= 100):
        yield "swapped_m and along must be probabilities, and relatives a number from 0 to 100"
    yield from _linked_faults(schema)
    for name in model.compared:
        own = schema.levels_of(name)
        sums = (sum(x.m for x in own), sum(x.u for x in own), sum(x.kin or x.u for x in own))
        if not 1 <= len(own) <= MAX_LEVELS or max(sums) >= 1:
            yield f"field {name} needs 1 to {MAX_LEVELS} levels whose m, u and kin each add up to less than 1"


def _linked_faults(schema: Schema) -> Iterator[str]:
    if not set(schema.model.home) <= set(schema.model.household):
        yield "home must list fields of the household only"
    field_of = {level.name: level.field for level in schema.levels}
    order = [level.name for level in schema.levels]
    for level in schema.levels:
        linked = [*level.implies, *(name for pair in level.both for name in pair)]
        if any(field_of.get(name) != level.field or name == level.name for name in linked):
            yield f"level {level.name} implies a level that is not of its field"
        elif any(order.index(name) < order.index(level.name) for name in linked):
            yield f"level {level.name} is listed after a level that it implies"


def _digest(schema: Schema) -> bytes:
    fixed: dict[str, Any] = {
        "format": FORMAT,
        "normalisation": NORMALISATION,
        "name": schema.name,
        "fields": [[item.name, item.kind] for item in schema.fields],
        "levels": [[x.name, x.field, x.test, repr(x.m), repr(x.u)] for x in schema.levels],
        "keys": [[key.name, list(key.levels)] for key in schema.keys],
        "model": {name: repr(value) for name, value in sorted(vars(schema.model).items())},
        "implies": [
            [x.other, list(x.implies), [list(pair) for pair in x.both], repr(x.kin)] for x in schema.levels
        ],
    }
    hasher = Hash(SHA512_256())
    hasher.update(b"blindmatch/schema/v1\0")
    hasher.update(json.dumps(fixed, sort_keys=True, separators=(",", ":")).encode())
    return hasher.finalize()


def parse_schema(text: str) -> Schema:
    """Read a schema from TOML text.

    Raises:
        SchemaError: not TOML, another format version, a missing or unknown entry, or an invalid schema.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SchemaError(f"the schema is not TOML: {error}") from None
    if data.get("format") != FORMAT:
        raise SchemaError(
            f"the schema's format is not {FORMAT}", hint="Use a schema of this version of blindmatch."
        )
    try:
        _only(data, "format", "name", "title", "fields", "levels", "keys", "model")
        return Schema(
            name=_text(data["name"]),
            title=_text(data["title"]),
            fields=tuple(_field(item) for item in data["fields"]),
            levels=tuple(_level(item) for item in data["levels"]),
            keys=tuple(_key(item) for item in data["keys"]),
            model=_model(data["model"]),
        )
    except KeyError as error:
        raise SchemaError(f"the schema lacks the entry {error}") from None
    except (AttributeError, TypeError, ValueError) as error:
        raise SchemaError(f"the schema has an entry of the wrong type: {error}") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("expected text")
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
    """The names of the schemas that are part of blindmatch, sorted."""
    folder = resources.files("blindmatch.protocol.linkage") / "schemas"
    return tuple(
        sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))
    )


@cache
def load_schema(name: str) -> Schema:
    """A schema that is part of blindmatch.

    Raises:
        SchemaError: there is no schema of this name.
    """
    if name not in schema_names():
        raise SchemaError(
            f"no linkage schema is named {name!r}", hint=f"The schemas are {', '.join(schema_names())}."
        )
    folder = resources.files("blindmatch.protocol.linkage") / "schemas"
    schema = parse_schema((folder / f"{name}.toml").read_text(encoding="utf-8"))
    if schema.name != name:
        raise SchemaError(f"the schema in {name}.toml is named {schema.name!r}")
    return schema
