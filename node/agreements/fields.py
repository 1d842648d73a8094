"""The field table of a draft: every field that an officer may write, from the classes in `protocol.agreement`.

It drives the strict reading of a draft, the commented template, the plain data of `agreement show --json` and the table in
docs/agreement.md. A draft has people's units: dates, lists, hexadecimal digits.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from functools import cache
from typing import Any, Final

from blindmatch.protocol.agreement import (
    EDGE_TERMS,
    TERM_FIELDS,
    Agreement,
    Disclosure,
    Edge,
    Linkage,
    Party,
    Side,
    Standing,
    Threshold,
)
from blindmatch.protocol.agreement.field_types import (
    DeclaredField,
    FieldType,
    Moment,
    Nested,
    Octets,
    OneOf,
    Several,
    declared_fields,
)
from blindmatch.protocol.errors import AgreementError

SECTIONS: Final[Mapping[str, type]] = {
    "": Agreement,
    "parties": Party,
    "edges": Edge,
    "edges.receiver": Side,
    "edges.linkage": Linkage,
    "thresholds": Threshold,
    "standing": Standing,
}
"""The tables of a draft. Those of `edges.sender` and `thresholds.members` have the fields of `edges.receiver`."""

_NAMES: Final = {"collection_kind": "kind"}
"""Fields that have a shorter name in a draft."""
_GENERATED: Final = frozenset({"format", "suite", "schema_digest", "nonce"})
"""Fields that no officer writes."""


@dataclass(frozen=True)
class DraftField:
    """One field of a table of a draft."""

    name: str
    attribute: str
    """Its name in the agreement."""
    type: FieldType
    help: str
    required: bool
    default: Any
    """In the agreement's form; None when the field is required or its default is generated."""
    of_disclosure: bool = False
    """Whether it belongs to some disclosures only."""

    @property
    def nested(self) -> bool:
        """Whether it is a table, or a list of tables."""
        return isinstance(self.type.item if isinstance(self.type, Several) else self.type, Nested)


@cache
def draft_fields(section: str) -> Mapping[str, DraftField]:
    """The fields of a section by the names that a draft gives them, in the order of the class."""
    kind = SECTIONS[section]
    fields = [_draft_field(field) for field in declared_fields(kind) if field.name not in _GENERATED]
    if kind is Edge:
        fields = [replace(field, required=field.required and field.name != "id") for field in fields]
        fields += [_DISCLOSURE, *(replace(field, of_disclosure=True) for field, _ in _term_fields())]
    return {field.name: field for field in fields}


def read_table(section: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """The plain fields of a table in the agreement's form, by attribute; those that are left out have their default.

    Raises:
        AgreementError: a required field is missing, or a value has no form that could become the field's.
    """
    values = {}
    for field in draft_fields(section).values():
        if field.nested or field.of_disclosure:
            continue
        if field.name in table:
            values[field.attribute] = read_value(field.type, table[field.name], field.attribute)
        elif field.required:
            raise AgreementError(field.attribute, "is missing")
    return values


def read_terms(table: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an edge that belong to some disclosures only, as far as its table gives them.

    Raises:
        AgreementError: a value has no form that could become the field's.
    """
    return {
        field.attribute: read_value(field.type, table[field.name], field.attribute)
        for field in draft_fields("edges").values()
        if field.of_disclosure and field.name in table
    }


def read_value(kind: FieldType, value: object, path: str) -> Any:
    """A value of a draft in the agreement's form; whether it is allowed, the agreement checks.

    Raises:
        AgreementError: it has another form: no list, no date, no hexadecimal digits.
    """
    if isinstance(kind, Several):
        if not isinstance(value, list):
            example = kind.item.names[0] if isinstance(kind.item, OneOf) else "..."
            raise AgreementError(path, f'must be a list, such as ["{example}"]')
        return tuple(value)
    if isinstance(kind, Moment):
        return _seconds(value, path)
    if isinstance(kind, Octets):
        try:
            return bytes.fromhex(value) if isinstance(value, str) else b""
        except ValueError:
            raise AgreementError(path, f"must be written as {kind.allowed}") from None
    return value


def plain_data(value: Any) -> Any:
    """A value of an agreement as plain data: dictionaries, lists, texts, numbers. An edge has the fields of every disclosure."""
    if isinstance(value, tuple):
        return [plain_data(each) for each in value]
    fields = declared_fields(type(value)) if hasattr(value, "__dataclass_fields__") else ()
    if not fields:
        return value
    data = {field.name: plain_data(getattr(value, field.name)) for field in fields}
    if isinstance(value, Edge):
        empty = {name: plain_data(each) for name, each in TERM_FIELDS.items()}
        data |= {"disclosure": value.disclosure.value, **empty, **plain_data(value.terms)}
    return data


def term_fields(disclosure: Disclosure) -> tuple[DraftField, ...]:
    """The fields that belong to one disclosure, in the order of its class."""
    return tuple(_draft_field(field) for field in declared_fields(EDGE_TERMS[disclosure]))


def draft_value(value: object) -> str:
    """A value as a draft writes it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(draft_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, str) else str(value)


def documentation() -> Iterator[tuple[str, str, str]]:
    """The rows of the table in the documentation: the field's path, its meaning, its allowed values."""
    for section in SECTIONS:
        prefix = f"{section}." if section else ""
        for field in draft_fields(section).values():
            if not field.of_disclosure:
                yield f"{prefix}{field.name}", field.help, _allowed(field)
        if section == "edges":
            for field, users in _term_fields():
                yield f"edges.{field.name}", f"{', '.join(users)}: {field.help}", _allowed(field)


def _allowed(field: DraftField) -> str:
    if field.nested:
        return field.type.allowed + (" tables" if isinstance(field.type, Several) else "a table")
    if field.required:
        return field.type.allowed
    if field.default in (None, "", ()):
        return f"{field.type.allowed}; may be left out"
    default = ", ".join(field.default) if isinstance(field.default, tuple) else draft_value(field.default)
    return f"{field.type.allowed}; {default} when left out"


def _draft_field(field: DeclaredField) -> DraftField:
    name = _NAMES.get(field.name, field.name)
    default = None if field.required else field.default
    return DraftField(name, field.name, field.type, field.help, field.required, default)


def _term_fields() -> list[tuple[DraftField, list[Disclosure]]]:
    """The fields that belong to some disclosures only, and which; a field is there once for each meaning."""
    users: dict[DraftField, list[Disclosure]] = {}
    for disclosure, terms in EDGE_TERMS.items():
        for declared in declared_fields(terms):
            field = _draft_field(declared)
            try:  # a default that is not allowed is only the absence of a value
                field.type.check(field.name, field.default)
            except AgreementError:
                field = replace(field, required=True)
            users.setdefault(field, []).append(disclosure)
    return list(users.items())


def _seconds(value: object, path: str) -> int:
    """A TOML date (its first moment, UTC) or time (UTC unless it names another zone) as seconds since 1970."""
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    elif isinstance(value, date):
        moment = datetime.combine(value, time(), UTC)
    else:
        raise AgreementError(path, "must be a date without quotes, such as 2026-03-01")
    return int(moment.timestamp())


_DISCLOSURE: Final = DraftField(
    "disclosure",
    "disclosure",
    OneOf(tuple(EDGE_TERMS)),
    "What the receiver learns. "
    + " ".join(f"{name.value}: {each.summary}." for name, each in EDGE_TERMS.items()),
    required=True,
    default=None,
)
