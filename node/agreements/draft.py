"""From an officer's TOML file to an agreement: read strictly, add what peers' nodes state about themselves, validate.

One `[[edges]]` table may stand for many edges: where `agency` is a list, every receiver learns from every sender but itself.

The file holds the terms in people's units: dates, lists, names. Whatever is wrong is an `AgreementError` with the
path of the field as the officer wrote it, or an `InputError` when the file is no TOML at all.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blindmatch.node.agreements.fields import draft_fields, read_table, read_terms, read_value
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import (
    Agreement,
    Edge,
    Linkage,
    Party,
    Side,
    Standing,
    Threshold,
    validation,
)
from blindmatch.protocol.agreement.disclosures import edge_terms
from blindmatch.protocol.agreement.field_types import Identifier, Text
from blindmatch.protocol.errors import AgreementError, InputError
from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.linkage.schema import SchemaError, load_schema
from blindmatch.protocol.transcript import digest

_FILE_BYTES = 1 << 20
_PLACEHOLDER = "to be described"


@dataclass(frozen=True)
class Draft:
    """An agreement's terms as a file gives them; party entries may still lack what only the peer knows."""

    values: Mapping[str, Any]
    parties: tuple[Mapping[str, Any], ...]

    @property
    def unknown(self) -> tuple[str, ...]:
        """The agencies whose entry is incomplete: ask their nodes."""
        needed = {name for name, field in draft_fields("parties").items() if field.required}
        return tuple(party["agency"] for party in self.parties if not needed <= set(party))


def read_draft(path: Path) -> Draft:
    """Read a draft file.

    Raises:
        InputError: not readable, not UTF-8, not TOML, too long.
        AgreementError: an unknown field, or no list where one is needed.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_BYTES + 1)
        if len(data) > _FILE_BYTES:
            raise InputError(f"{path}: has more than {_FILE_BYTES} bytes: not a draft")
        return parse_draft(tomllib.loads(data.decode()))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"{path}: not TOML: {error}",
            hint="Texts stand in quotes; `blindmatch agreement draft --out FILE` writes an example.",
        ) from None


def parse_draft(values: Mapping[str, Any]) -> Draft:
    """Check the form of a draft; its values are checked when the agreement is made.

    Raises:
        AgreementError: an unknown or missing field, or a value of the wrong kind.
    """
    _check_names(values, "", "")
    thresholds = _tables(values, "thresholds") if "thresholds" in values else []
    edges = _tables(values, "edges") if "edges" in values or not thresholds else []
    sides = []
    for index, edge in enumerate(edges):
        path = f"edges[{index}]"
        _check_names(edge, "edges", f"{path}.")
        roles = {role: f"{path}.{role}" for role in ("receiver", "sender")}
        sides += [(at, _table(edge, role, at, "edges.receiver")) for role, at in roles.items()]
        if "linkage" in edge:
            _table(edge, "linkage", f"{path}.linkage", "edges.linkage")
    for index, threshold in enumerate(thresholds):
        path = f"thresholds[{index}]"
        _check_names(threshold, "thresholds", f"{path}.")
        for place, member in enumerate(_tables(threshold, "members", f"{path}.members")):
            _check_names(member, "edges.receiver", f"{path}.members[{place}].")
            sides.append((f"{path}.members[{place}]", member))
        if "linkage" in threshold:
            _table(threshold, "linkage", f"{path}.linkage", "edges.linkage")
    if "standing" in values:
        _table(values, "standing", "standing", "standing")
    return Draft(values, _all_parties(values, edges, sides))


def _all_parties(
    values: Mapping[str, Any],
    edges: Sequence[Mapping[str, Any]],
    sides: Sequence[tuple[str, Mapping[str, Any]]],
) -> tuple[Mapping[str, Any], ...]:
    """The parties that are written out, then those that are only named elsewhere."""
    parties = [dict(party) for party in _tables(values, "parties")] if "parties" in values else []
    for index, party in enumerate(parties):
        _check_names(party, "parties", f"parties[{index}].")
        Identifier().check(f"parties[{index}].agency", party.get("agency"))
    listed = {party["agency"] for party in parties}
    named = [each for path, side in sides for each in _agencies(side, path)]
    for path, agency in [*named, *_without_collection(values, edges)]:
        Identifier().check(path, agency)
        if agency not in listed:
            listed.add(agency)
            parties.append({"agency": agency})
    return tuple(parties)


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
    values = draft.values
    plain = read_table("", values)
    try:
        schema_digest = load_schema(plain["schema"]).digest
    except SchemaError as error:
        raise AgreementError("schema", error.message, hint=error.hint) from None
    parties = []
    for index, entry in enumerate(draft.parties):
        with validation.at(f"parties[{index}]"):
            parties.append(_party(entry, entries.get(entry["agency"])))
    edges = []
    for index, table in enumerate(values.get("edges", ())):
        with validation.at(f"edges[{index}]"):
            edges += [_edge(each, plain["schema"], standing="standing" in values) for each in _pairs(table)]
    thresholds = []
    for index, table in enumerate(values.get("thresholds", ())):
        with validation.at(f"thresholds[{index}]"):
            thresholds.append(_threshold(table, plain["schema"], values.get("collector", "")))
    with validation.at("standing"):
        standing = Standing(**read_table("standing", values["standing"])) if "standing" in values else None
    if isinstance(plain["purpose"], str):  # without the blank lines around it that TOML's long strings add
        plain["purpose"] = plain["purpose"].strip()
    return Agreement(
        **plain,
        schema_digest=schema_digest,
        parties=tuple(parties),
        edges=tuple(edges),
        thresholds=tuple(thresholds),
        standing=standing,
        nonce=nonce,
    )


def _party(table: Mapping[str, Any], entry: Party | None) -> Party:
    stated = {}
    for name, field in sorted(draft_fields("parties").items()):
        if name in table:
            stated[name] = read_value(field.type, table[name], name)
        elif entry is None and field.required:
            raise AgreementError(
                name,
                "is not known",
                hint=f"Add {table['agency']} to the peers in node.toml and reach its node, or write the entry out.",
            )
    for name in ("identity_key", "certificate_key"):
        if entry is not None and name in stated and stated[name] != getattr(entry, name):
            raise AgreementError(
                name,
                f"is not the key that the node of {entry.agency} gives",
                hint="Leave the key out to take the node's, once you have compared it over another channel.",
            )
    return Party(**{**({} if entry is None else vars(entry)), **stated})


def _agencies(side: Mapping[str, Any], field: str) -> list[tuple[str, Any]]:
    """The agencies that one table names, each with its path; edges may name several."""
    agency = side.get("agency")
    if not isinstance(agency, list) or ".members[" in field:
        return [(f"{field}.agency", agency)]
    if not 0 < len(agency) <= LIMITS.parties:
        raise AgreementError(
            f"{field}.agency",
            f"has {len(agency)} entries; between 1 and {LIMITS.parties} are allowed",
        )
    return [(f"{field}.agency[{place}]", each) for place, each in enumerate(agency)]


def _without_collection(
    values: Mapping[str, Any], edges: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, Any]]:
    """Who is a party without a collection, each with its path: the collector, and those that results are passed on to."""
    if values.get("collector"):
        yield "collector", values["collector"]
    report_to = draft_fields("edges")["report_to"]
    for index, edge in enumerate(edges):
        path = f"edges[{index}].report_to"
        for place, agency in enumerate(read_value(report_to.type, edge.get("report_to", []), path)):
            yield f"{path}[{place}]", agency


def _pairs(table: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """One table per edge: every receiver with every sender but itself."""
    sides = [_agencies(table[role], role) for role in ("receiver", "sender")]
    pairs = [(r, s) for _, r in sides[0] for _, s in sides[1]]
    if len(pairs) == 1:
        return [_pair(table, *pairs[0])]
    for name in ("id", "leakage"):
        if name in table:
            raise AgreementError(
                name, "is for one edge, and this table stands for several", hint="Leave it out."
            )
    return [_pair(table, receiver, sender) for receiver, sender in pairs if receiver != sender]


def _pair(table: Mapping[str, Any], receiver: str, sender: str) -> Mapping[str, Any]:
    ends = {"receiver": receiver, "sender": sender}
    return {**table, **{role: {**table[role], "agency": agency} for role, agency in ends.items()}}


def _edge(table: Mapping[str, Any], schema: str, *, standing: bool) -> Edge:
    edge_values = read_table("edges", table)
    with validation.at("receiver"):
        receiver = _side(table["receiver"])
    with validation.at("sender"):
        sender = _side(table["sender"])
    edge = Edge(
        id=edge_values.get("id") or edge_id(receiver.agency, sender.agency),
        receiver=receiver,
        sender=sender,
        terms=edge_terms(edge_values["disclosure"], read_terms(table)),
        leakage=_leakage(table) or _PLACEHOLDER,
        linkage=_linkage(table),
    )
    return edge if _leakage(table) else terms.describe(edge, schema, standing=standing)


def _threshold(table: Mapping[str, Any], schema: str, collector: str) -> Threshold:
    members = []
    for index, side in enumerate(table["members"]):
        with validation.at(f"members[{index}]"):
            members.append(_side(side))
    threshold = Threshold(
        **{
            **read_table("thresholds", table),
            "members": tuple(members),
            "leakage": _leakage(table) or _PLACEHOLDER,
            "linkage": _linkage(table),
        }
    )
    return threshold if _leakage(table) else terms.describe(threshold, schema, collector)


def _linkage(table: Mapping[str, Any]) -> Linkage:
    with validation.at("linkage"):
        return Linkage(**read_table("edges.linkage", table.get("linkage", {})))


def _leakage(table: Mapping[str, Any]) -> str:
    """The officer's own words; empty when the usual words are wanted."""
    words = table.get("leakage", "")
    Text(optional=True).check("leakage", words)
    return str(words)


def edge_id(receiver: str, sender: str) -> str:
    """An edge's usual name; what would be too long ends in eight digits of its digest, so that names differ."""
    name = f"{receiver}-from-{sender}"
    if len(name) <= terms.EDGE_CHARACTERS:
        return name
    return f"{name[: terms.EDGE_CHARACTERS - 9]}-{digest(name.encode()).hex()[:8]}"


def _side(table: Mapping[str, Any]) -> Side:
    return Side(**read_table("edges.receiver", table))


def _tables(values: Mapping[str, Any], name: str, field: str = "") -> list[Mapping[str, Any]]:
    tables = values.get(name)
    if not isinstance(tables, list) or not tables or not all(isinstance(item, Mapping) for item in tables):
        heading = name if not field else f"{field.partition('[')[0]}.{name}"
        raise AgreementError(field or name, f"must be one or more tables; each starts with [[{heading}]]")
    most = LIMITS.edges if name == "edges" else LIMITS.parties
    if len(tables) > most:
        raise AgreementError(field or name, f"has {len(tables)} entries; at most {most} are allowed")
    return tables


def _table(values: Mapping[str, Any], name: str, path: str, section: str) -> Mapping[str, Any]:
    table = values.get(name)
    if not isinstance(table, Mapping):
        raise AgreementError(path, f"must be a table with {', '.join(sorted(draft_fields(section)))}")
    _check_names(table, section, f"{path}.")
    return table


def _check_names(table: Mapping[str, Any], section: str, prefix: str) -> None:
    known = draft_fields(section)
    for name in table:
        if name not in known:
            raise AgreementError(
                f"{prefix}{name}", "is not a field that we know", hint=f"Known: {', '.join(sorted(known))}."
            )
