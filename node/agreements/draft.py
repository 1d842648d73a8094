"""From an officer's TOML file to an agreement: read strictly, add what peers' nodes state about themselves, validate.

One `[[edges]]` table may stand for many edges: where `agency` is a list, every receiver learns from every sender but itself.

The file holds the terms in people's units: dates, lists, names. Whatever is wrong is an `AgreementError` with the
path of the field as the officer wrote it, or an `InputError` when the file is no TOML at all.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from blindmatch.node.agreements.fields import draft_fields, read_table, read_value
from blindmatch.node.storage.files import read_bounded
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import TERM_FIELDS, Agreement, Edge, Party, edge_terms, validation
from blindmatch.protocol.agreement.field_types import DeclaredField, Identifier, Several
from blindmatch.protocol.errors import AgreementError, InputError
from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.linkage.schema import SchemaError, load_schema
from blindmatch.protocol.transcript import digest

_FILE_BYTES = 1 << 20
_PLACEHOLDER = "to be described"
_ROLES = ("receiver", "sender")

Table = Mapping[str, Any]
Built = TypeVar("Built")


@dataclass(frozen=True)
class Draft:
    """An agreement's terms as a file gives them; party entries may still lack what only the peer knows."""

    values: Table
    parties: tuple[Table, ...]

    @property
    def unknown(self) -> tuple[str, ...]:
        """The agencies whose entry is incomplete: ask their nodes."""
        return tuple(party["agency"] for party in self.parties if _lacking(party))


def read_draft(path: Path) -> Draft:
    """Read a draft file.

    Raises:
        InputError: not readable, not UTF-8, not TOML, too long.
        AgreementError: an unknown field, or no list where one is needed.
    """
    data = read_bounded(path, _FILE_BYTES, "a draft")
    try:
        return parse_draft(tomllib.loads(data.decode()))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"{path}: not TOML: {error}",
            hint="Texts stand in quotes; `blindmatch agreement draft --out FILE` writes an example.",
        ) from None


def parse_draft(values: Table) -> Draft:
    """Check the form of a draft; its values are checked when the agreement is made.

    Raises:
        AgreementError: an unknown or missing field, or a value of the wrong kind.
    """
    _check_form(Agreement, values if "thresholds" in values else {"edges": None, **values}, "")
    # The parties that are written out, then those that are only named elsewhere.
    parties = [dict(party) for party in values.get("parties", ())]
    for index, party in enumerate(parties):
        Identifier().check(f"parties[{index}].agency", party.get("agency"))
    listed = {party["agency"] for party in parties}
    for path, agency in _named_agencies(values):
        Identifier().check(path, agency)
        if agency not in listed:
            listed.add(agency)
            parties.append({"agency": agency})
    return Draft(values, tuple(parties))


def complete(draft: Draft, entries: Mapping[str, Party], nonce: bytes) -> Agreement:
    """Build the agreement.

    Args:
        draft: the terms.
        entries: party entries as the agencies' own nodes gave them; what the file states of a party must agree with
            its keys, and replaces its texts.
        nonce: 16 random bytes.

    Raises:
        AgreementError: names the field.
    """
    values = dict(draft.values)
    edges, thresholds = values.pop("edges", ()), values.pop("thresholds", ())
    values.pop("parties", None)
    if isinstance(
        values.get("purpose"), str
    ):  # without the blank lines around it that TOML's long strings add
        values["purpose"] = values["purpose"].strip()
    plain = read_table(Agreement, values)
    try:
        schema_digest = load_schema(plain["schema"]).digest
    except SchemaError as error:
        raise AgreementError("schema", error.message, hint=error.hint) from None
    context = {
        "schema": plain["schema"],
        "collector": plain.get("collector", ""),
        "standing": "standing" in plain,
    }
    threshold = draft_fields(Agreement)["thresholds"].nested
    return Agreement(
        **plain,
        schema_digest=schema_digest,
        parties=_each("parties", draft.parties, lambda table: [_party(table, entries.get(table["agency"]))]),
        edges=_each(
            "edges", edges, lambda table: [_comparison(Edge, each, context) for each in _pairs(table)]
        ),
        thresholds=_each("thresholds", thresholds, lambda table: [_comparison(threshold, table, context)]),
        nonce=nonce,
    )


def edge_id(receiver: str, sender: str) -> str:
    """An edge's usual name; what would be too long ends in eight digits of its digest, so that names differ."""
    name = f"{receiver}-from-{sender}"
    if len(name) <= terms.EDGE_CHARACTERS:
        return name
    return f"{name[: terms.EDGE_CHARACTERS - 9]}-{digest(name.encode()).hex()[:8]}"


def _check_form(kind: Any, table: Table, path: str) -> None:
    """Check that a table of the class `kind` has known fields only, and tables where the class has tables."""
    known = draft_fields(kind)
    prefix = f"{path}." if path else ""
    for name in table:
        if name not in known:
            raise AgreementError(
                f"{prefix}{name}", "is not a field that we know", hint=f"Known: {', '.join(sorted(known))}."
            )
    for name, field in known.items():
        if field.nested and (name in table or field.required):
            for inner_path, inner in _tables(field, table.get(name), f"{prefix}{name}"):
                _check_form(field.nested, inner, inner_path)


def _tables(field: DeclaredField, value: Any, path: str) -> list[tuple[str, Table]]:
    """The tables of a field, each with its path."""
    if not isinstance(field.type, Several):
        if not isinstance(value, Mapping):
            names = ", ".join(sorted(draft_fields(field.nested)))
            raise AgreementError(path, f"must be a table with {names}")
        return [(path, value)]
    if not isinstance(value, list) or not value or not all(isinstance(each, Mapping) for each in value):
        heading = re.sub(r"\[\d+\]", "", path)
        raise AgreementError(path, f"must be one or more tables; each starts with [[{heading}]]")
    if len(value) > field.type.highest:  # fewer than the least may be written out
        field.type.check_length(path, value)
    return [(f"{path}[{index}]", each) for index, each in enumerate(value)]


def _named_agencies(values: Table) -> Iterator[tuple[str, Any]]:
    """The agencies that a draft names outside the parties' entries, each with its path."""
    edges = values.get("edges", ())
    for index, edge in enumerate(edges):
        for role in _ROLES:
            yield from _agencies(edge[role], f"edges[{index}].{role}.agency")
    for index, threshold in enumerate(values.get("thresholds", ())):
        for place, member in enumerate(threshold["members"]):
            yield f"thresholds[{index}].members[{place}].agency", member.get("agency")
    if values.get("collector"):
        yield "collector", values["collector"]
    report_to = draft_fields(Edge)["report_to"].type
    for index, edge in enumerate(edges):
        path = f"edges[{index}].report_to"
        for place, agency in enumerate(read_value(report_to, edge.get("report_to", []), path)):
            yield f"{path}[{place}]", agency


def _agencies(side: Table, path: str) -> list[tuple[str, Any]]:
    """The agency or the agencies of an edge's side, each with its path."""
    agency = side.get("agency")
    if not isinstance(agency, list):
        return [(path, agency)]
    Several(Identifier(), 1, LIMITS.parties).check_length(path, agency)
    return [(f"{path}[{place}]", each) for place, each in enumerate(agency)]


def _pairs(table: Table) -> list[Table]:
    """One table per edge: every receiver with every sender but itself."""
    receivers, senders = ([agency for _, agency in _agencies(table[role], role)] for role in _ROLES)
    one = len(receivers) == len(senders) == 1
    for name in ("id", "leakage"):
        if name in table and not one:
            raise AgreementError(
                name, "is for one edge, and this table stands for several", hint="Leave it out."
            )
    return [
        {
            **table,
            **{role: {**table[role], "agency": agency} for role, agency in zip(_ROLES, pair, strict=True)},
        }
        for pair in product(receivers, senders)
        if one or pair[0] != pair[1]
    ]


def _each(name: str, tables: Iterable[Table], build: Callable[[Table], Iterable[Built]]) -> tuple[Built, ...]:
    """What each table of a list becomes; an error names the table."""
    built: list[Built] = []
    for index, table in enumerate(tables):
        with validation.at(f"{name}[{index}]"):
            built += build(table)
    return tuple(built)


def _comparison(kind: Any, table: Table, context: Mapping[str, Any]) -> Any:
    """An edge or a threshold, with the default words where the officer gives none; `context` are the arguments of those."""
    values = read_table(kind, table)
    if kind is Edge:
        given = {name: values.pop(name) for name in TERM_FIELDS if name in values}
        values["terms"] = edge_terms(values.pop("disclosure"), given)
        values["id"] = values.get("id") or edge_id(values["receiver"].agency, values["sender"].agency)
    if values.get("leakage", "") != "":
        return kind(**values)
    return terms.describe(kind(**{**values, "leakage": _PLACEHOLDER}), **context)


def _lacking(party: Table) -> list[str]:
    """The fields that an entry needs and does not have."""
    return sorted(name for name, field in draft_fields(Party).items() if field.required and name not in party)


def _party(table: Table, entry: Party | None) -> Party:
    if entry is None and (lacking := _lacking(table)):
        raise AgreementError(
            lacking[0],
            "is not known",
            hint=f"Add {table['agency']} to the peers in node.toml and reach its node, or write the entry out.",
        )
    fields = draft_fields(Party)
    stated = {name: read_value(fields[name].type, value, name) for name, value in table.items()}
    for name in ("identity_key", "certificate_key"):
        if entry is not None and name in stated and stated[name] != getattr(entry, name):
            raise AgreementError(
                name,
                f"is not the key that the node of {entry.agency} gives",
                hint="Leave the key out to take the node's, once you have compared it over another channel.",
            )
    return Party(**{**({} if entry is None else vars(entry)), **stated})
