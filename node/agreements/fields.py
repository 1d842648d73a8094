"""The field table of a draft: every field that an officer may write, from the classes in `protocol.agreement`.

It drives the strict reading of a draft, the commented template, the plain data of `agreement show --json` and the table in
docs/agreement.md. A draft has people's units: dates, lists, hexadecimal digits.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, is_dataclass, replace
from datetime import UTC, date, datetime, time
from functools import cache
from typing import Any, Final

from blindmatch.protocol.agreement import EDGE_TERMS, TERM_FIELDS, Agreement, Disclosure, Edge, validation
from blindmatch.protocol.agreement.field_types import (
    DeclaredField,
    FieldType,
    Moment,
    Nested,
    Octets,
    OneOf,
    Several,
    Share,
    declared_fields,
)
from blindmatch.protocol.errors import AgreementError

_NAMES: Final = {"collection_kind": "kind"}
"""Fields that have a shorter name in a draft."""
_GENERATED: Final = frozenset({"format", "suite", "schema_digest", "nonce"})
"""Fields that no officer writes."""
_OPTIONAL: Final[Mapping[type, tuple[str, ...]]] = {Agreement: ("parties", "edges"), Edge: ("id",)}
"""Fields that an agreement needs and a draft does not."""


def _draft_fields(kind: Any) -> Mapping[str, DeclaredField]:
    fields = [field for field in declared_fields(kind) if field.name not in _GENERATED]
    fields = [replace(each, default="") if each.name in _OPTIONAL.get(kind, ()) else each for each in fields]
    if kind is Edge:
        fields += [_DISCLOSURE, *(field for terms in EDGE_TERMS.values() for field in declared_fields(terms))]
    return {_NAMES.get(field.name, field.name): field for field in fields}


draft_fields: Callable[[Any], Mapping[str, DeclaredField]] = cache(_draft_fields)
"""The fields of a class by the names that a draft gives them, in the order of the class. An edge has those of every disclosure."""


def read_table(kind: type, table: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a table in the agreement's form, by attribute. Fields that are left out have their default.

    Args:
        kind: the table's class.
        table: known fields only; those that hold tables hold tables.

    Raises:
        AgreementError: a required field is missing, or a value has no form that could become the field's.
    """
    values = {}
    for name, field in draft_fields(kind).items():
        if name in table:
            values[field.name] = read_value(field.type, table[name], name)
            if name != field.name:  # the class would call it by the other name
                field.type.check(name, values[field.name])
        elif field.required:
            raise AgreementError(name, "is missing")
    return values


def read_value(kind: FieldType, value: Any, path: str) -> Any:
    """A value of a draft in the agreement's form; whether it is allowed, the agreement checks.

    Raises:
        AgreementError: it has another form: no list, no date, no hexadecimal digits.
    """
    if isinstance(kind, Nested):
        with validation.at(path):
            return kind.kind(**read_table(kind.kind, value))
    if isinstance(kind, Several):
        if not isinstance(value, list):
            example = kind.item.names[0] if isinstance(kind.item, OneOf) else "..."
            raise AgreementError(path, f'must be a list, such as ["{example}"]')
        return tuple(read_value(kind.item, each, f"{path}[{index}]") for index, each in enumerate(value))
    if isinstance(kind, Moment):
        return _seconds(value, path)
    if isinstance(kind, Octets):
        try:
            return bytes.fromhex(value) if isinstance(value, str) else b""
        except ValueError:
            raise AgreementError(path, f"must be written as {kind.allowed}") from None
    return value


def plain_data(value: Any, share: Callable[[float], float] = float) -> Any:
    """A value of an agreement as plain data: dictionaries, lists, texts, numbers. An edge has the fields of every disclosure.

    Args:
        value: an object of `protocol.agreement`, or the value of a field.
        share: how a `Share` is written.
    """
    if isinstance(value, tuple):
        return [plain_data(each, share) for each in value]
    if not is_dataclass(value):
        return value
    data = {}
    for field in declared_fields(type(value)):
        each = getattr(value, field.name)
        data[field.name] = share(each) if isinstance(field.type, Share) else plain_data(each, share)
    if isinstance(value, Edge):
        empty = {name: plain_data(each) for name, each in TERM_FIELDS.items()}
        data |= {"disclosure": value.disclosure.value, **empty, **plain_data(value.terms)}
    return data


def draft_value(value: object) -> str:
    """A value as a draft writes it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(draft_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, str) else str(value)


def documentation() -> Iterator[tuple[str, str, str]]:
    """The rows of the table in the documentation: the field's path, its meaning, its allowed values."""
    return _rows(Agreement, "", set())


def _rows(kind: type, prefix: str, documented: set[type]) -> Iterator[tuple[str, str, str]]:
    """The rows of a class, then those of the classes in its fields, each class once."""
    documented.add(kind)
    fields = draft_fields(kind)
    for name, field in fields.items():
        if kind is not Edge or name not in TERM_FIELDS:
            yield f"{prefix}{name}", field.help, _allowed(field)
    if kind is Edge:
        for field, users in _term_fields().items():
            yield f"{prefix}{field.name}", f"{', '.join(users)}: {field.help}", _allowed(field)
    for name, field in fields.items():
        if field.nested and field.nested not in documented:
            yield from _rows(field.nested, f"{prefix}{name}.", documented)


def _term_fields() -> dict[DeclaredField, list[Disclosure]]:
    """The fields that belong to some disclosures only, and which; a field is there once for each meaning."""
    users: dict[DeclaredField, list[Disclosure]] = {}
    for disclosure, terms in EDGE_TERMS.items():
        for field in declared_fields(terms):
            try:  # a default that is not allowed is only the absence of a value
                field.type.check(field.name, field.default)
            except AgreementError:
                field = replace(field, default=MISSING)  # noqa: PLW2901
            users.setdefault(field, []).append(disclosure)
    return users


def _allowed(field: DeclaredField) -> str:
    if field.nested:
        return field.type.allowed + (" tables" if isinstance(field.type, Several) else "a table")
    if field.required:
        return field.type.allowed
    if field.default in ("", ()):
        return f"{field.type.allowed}; may be left out"
    default = ", ".join(field.default) if isinstance(field.default, tuple) else draft_value(field.default)
    return f"{field.type.allowed}; {default} when left out"


def _seconds(value: object, path: str) -> int:
    """A TOML date (its first moment, UTC) or time (UTC unless it names another zone) as seconds since 1970."""
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    elif isinstance(value, date):
        moment = datetime.combine(value, time(), UTC)
    else:
        raise AgreementError(path, "must be a date without quotes, such as 2026-03-01")
    return int(moment.timestamp())


_DISCLOSURE: Final = DeclaredField(
    "disclosure",
    MISSING,
    OneOf(tuple(EDGE_TERMS)),
    "What the receiver learns. "
    + " ".join(f"{name.value}: {each.summary}." for name, each in EDGE_TERMS.items()),
)
