"""The linkage schema: fields, levels and keys as data, with one digest over everything that changes a result."""

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA512_256, Hash

from blindmatch.protocol.errors import LocalError
from blindmatch.protocol.linkage.normalise import FIELD_KINDS, LEVEL_TESTS, NORMALISATION

FORMAT = 1
MAX_KEYS = 254
"""A key's number is one byte, and 255 marks a filler."""
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
    digest: bytes = field(init=False)
    """32 bytes (SHA-512/256) over the fixed part: two parties with equal digests make equal tokens."""

    def __post_init__(self) -> None:
        _check(self)
        object.__setattr__(self, "digest", _digest(self))

    def field_named(self, name: str) -> Field:
        """The field, or `KeyError`."""
        return {item.name: item for item in self.fields}[name]

    def level_index(self, name: str) -> int:
        """The level's place in every array of level digests, or `ValueError`."""
        return [level.name for level in self.levels].index(name)


def _check(schema: Schema) -> None:
    fault = _names_fault(schema) or _levels_fault(schema) or _keys_fault(schema)
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


def _digest(schema: Schema) -> bytes:
    fixed = {
        "format": FORMAT,
        "normalisation": NORMALISATION,
        "name": schema.name,
        "threshold": repr(schema.threshold),
        "fields": [[item.name, item.kind] for item in schema.fields],
        "levels": [[x.name, x.field, x.test, repr(x.m), repr(x.u)] for x in schema.levels],
        "keys": [[key.name, list(key.levels)] for key in schema.keys],
    }
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
    if data.get("format") != FORMAT:
        raise SchemaError(f"the schema's format is not {FORMAT}", hint="Use a schema made for this version.")
    try:
        _only(data, "format", "name", "title", "threshold", "fields", "levels", "keys")
        return Schema(
            name=_text(data["name"]),
            title=_text(data["title"]),
            threshold=float(data["threshold"]),
            fields=tuple(_field(item) for item in data["fields"]),
            levels=tuple(_level(item) for item in data["levels"]),
            keys=tuple(_key(item) for item in data["keys"]),
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
    _only(item, "name", "field", "test", "words", "m", "u")
    name, on, test, words = (_text(item[entry]) for entry in ("name", "field", "test", "words"))
    return Level(name, on, test, words, float(item["m"]), float(item["u"]))


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
