"""From an officer's TOML file to an agreement: read strictly, fill in what peers say of themselves, validate.

One `[[edges]]` table may stand for many edges: where `agency` is a list, every receiver learns from every sender but itself.

The file holds the terms in people's units: dates, lists, names. Whatever is wrong is an `AgreementError` with the
path of the field as the officer wrote it, or an `InputError` when the file is no TOML at all.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import (
    LEAST_MINIMUM,
    TERM_FIELDS,
    Agreement,
    Edge,
    Linkage,
    Party,
    Side,
    Standing,
    Threshold,
    edge_terms,
    validation,
)
from blindmatch.protocol.errors import AgreementError, InputError
from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.linkage.schema import SchemaError, load_schema
from blindmatch.protocol.transcript import digest

_FILE_BYTES = 1 << 20
_UNSAID = "to be described"
_TOP = frozenset(
    [
        "title",
        "purpose",
        "schema",
        "marking",
        "handling_codes",
        "not_before",
        "expires",
        "rounds_budget",
        "calendar",
        "retention_days",
        "collector",
        "parties",
        "edges",
        "thresholds",
        "standing",
    ]
)
_PARTY = frozenset(["agency", "name", "role", "identity_key", "certificate_key", "legal_basis", "contact"])
_EDGE = frozenset(
    [
        "id",
        "receiver",
        "sender",
        "disclosure",
        "verified",
        "facts",
        "fact_bytes",
        "minimum_count",
        "band",
        "value",
        "decimals",
        "report_to",
        "leakage",
        "linkage",
    ]
)
_THRESHOLD = frozenset(["id", "members", "at_least", "minimum_count", "band", "leakage", "linkage"])
_STANDING = frozenset(["epoch_days", "checks_per_day"])
_LINKAGE = frozenset(["overlap", "false_leads", "budget", "missing"])
_SIDE = frozenset(["agency", "kind", "max_records", "tokens_per_record"])


@dataclass(frozen=True)
class Draft:
    """An agreement's terms as a file gives them; party entries may still lack what only the peer knows."""

    values: Mapping[str, Any]
    parties: tuple[Mapping[str, Any], ...]

    @property
    def unknown(self) -> tuple[str, ...]:
        """The agencies whose entry is incomplete: ask their nodes."""
        needed = _PARTY - {"contact"}
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
    _known(values, _TOP, "")
    thresholds = _tables(values, "thresholds") if "thresholds" in values else []
    edges = _tables(values, "edges") if "edges" in values or not thresholds else []
    sides = []
    for index, edge in enumerate(edges):
        _known(edge, _EDGE, f"edges[{index}].")
        roles = {role: f"edges[{index}].{role}" for role in ("receiver", "sender")}
        sides += [(field, _table(edge, role, field, _SIDE)) for role, field in roles.items()]
        _check_linkage(edge, f"edges[{index}]")
    for index, threshold in enumerate(thresholds):
        _known(threshold, _THRESHOLD, f"thresholds[{index}].")
        for place, member in enumerate(_tables(threshold, "members", f"thresholds[{index}].members")):
            field = f"thresholds[{index}].members[{place}]"
            _known(member, _SIDE, f"{field}.")
            sides.append((field, member))
        _check_linkage(threshold, f"thresholds[{index}]")
    if "standing" in values:
        _table(values, "standing", "standing", _STANDING)
    return Draft(values, _everybody(values, edges, sides))


def _everybody(
    values: Mapping[str, Any],
    edges: Sequence[Mapping[str, Any]],
    sides: Sequence[tuple[str, Mapping[str, Any]]],
) -> tuple[Mapping[str, Any], ...]:
    """The parties that are written out, then those that only stand somewhere else."""
    parties = [dict(party) for party in _tables(values, "parties")] if "parties" in values else []
    for index, party in enumerate(parties):
        _known(party, _PARTY, f"parties[{index}].")
        validation.identifier(f"parties[{index}].agency", party.get("agency"))
    named = {party["agency"] for party in parties}
    for field, side in sides:
        for place, agency in _agencies(side, field):
            validation.identifier(place, agency)
            if agency not in named:
                named.add(agency)
                parties.append({"agency": agency})
    for path, agency in _others(values, edges):
        validation.identifier(path, agency)
        if agency not in named:
            named.add(agency)
            parties.append({"agency": agency})
    return tuple(parties)


def complete(draft: Draft, entries: Mapping[str, Party], nonce: bytes) -> Agreement:
    """Make the agreement.

    Args:
        draft: the terms.
        entries: party entries as the agencies' own nodes gave them; what the file says of a party must agree with
            its keys, and replaces its texts.
        nonce: 16 random bytes.

    Raises:
        AgreementError: names the field.
    """
    values = draft.values
    schema = _given(values, "schema", "schema")
    try:
        schema_digest = load_schema(schema).digest
    except SchemaError as error:
        raise AgreementError("schema", error.message, hint=error.hint) from None
    parties = []
    for index, given in enumerate(draft.parties):
        with validation.at(f"parties[{index}]"):
            parties.append(_party(given, entries.get(given["agency"])))
    edges = []
    for index, edge in enumerate(values.get("edges", ())):
        with validation.at(f"edges[{index}]"):
            edges += [_edge(each, standing="standing" in values) for each in _pairs(edge)]
    collector = values.get("collector", "")
    thresholds = []
    for index, threshold in enumerate(values.get("thresholds", ())):
        with validation.at(f"thresholds[{index}]"):
            thresholds.append(_threshold(threshold, collector))
    with validation.at("standing"):
        standing = None if "standing" not in values else _standing(values["standing"])
    return Agreement(
        title=_given(values, "title", "title"),
        purpose=_text(_given(values, "purpose", "purpose")),
        parties=tuple(parties),
        schema=schema,
        schema_digest=schema_digest,
        edges=tuple(edges),
        marking=_given(values, "marking", "marking"),
        handling_codes=_list(values.get("handling_codes", ["P"]), "handling_codes"),
        not_before=_seconds(_given(values, "not_before", "not_before"), "not_before"),
        expires=_seconds(_given(values, "expires", "expires"), "expires"),
        rounds_budget=_given(values, "rounds_budget", "rounds_budget"),
        calendar=_given(values, "calendar", "calendar"),
        retention_days=_given(values, "retention_days", "retention_days"),
        collector=collector,
        nonce=nonce,
        thresholds=tuple(thresholds),
        standing=standing,
    )


def _party(given: Mapping[str, Any], entry: Party | None) -> Party:
    stated = dict(given)
    for name in ("identity_key", "certificate_key"):
        if name in stated:
            stated[name] = _key(stated[name], name)
            if entry is not None and stated[name] != getattr(entry, name):
                raise AgreementError(
                    name,
                    f"is not the key that the node of {entry.agency} gives",
                    hint="Leave the key out to take the node's, once you have compared it over another channel.",
                )
    merged = {**({} if entry is None else vars(entry)), **stated}
    for name in sorted(_PARTY - {"contact"}):
        if name not in merged:
            raise AgreementError(
                name,
                "is not known",
                hint=f"Add {given['agency']} to the peers in node.toml and reach its node, or write the entry out.",
            )
    return Party(**merged)


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


def _others(values: Mapping[str, Any], edges: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Who is a party without bringing a collection: the collector, and those that results are passed on to."""
    if values.get("collector"):
        yield "collector", values["collector"]
    for index, edge in enumerate(edges):
        field = f"edges[{index}].report_to"
        for place, agency in enumerate(_list(edge.get("report_to", []), field)):
            yield f"{field}[{place}]", agency


def _pairs(given: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """One table per edge: every receiver with every sender but itself."""
    sides = [_agencies(given[role], role) for role in ("receiver", "sender")]
    pairs = [(r, s) for _, r in sides[0] for _, s in sides[1]]
    if len(pairs) == 1:
        return [_pair(given, *pairs[0])]
    for name in ("id", "leakage"):
        if name in given:
            raise AgreementError(
                name, "is for one edge, and this table stands for several", hint="Leave it out."
            )
    return [_pair(given, receiver, sender) for receiver, sender in pairs if receiver != sender]


def _pair(given: Mapping[str, Any], receiver: str, sender: str) -> Mapping[str, Any]:
    ends = {"receiver": receiver, "sender": sender}
    return {**given, **{role: {**given[role], "agency": agency} for role, agency in ends.items()}}


def _edge(given: Mapping[str, Any], *, standing: bool) -> Edge:
    with validation.at("receiver"):
        receiver = _side(given["receiver"])
    with validation.at("sender"):
        sender = _side(given["sender"])
    words = _words(given)
    edge = Edge(
        id=given.get("id") or edge_id(receiver.agency, sender.agency),
        receiver=receiver,
        sender=sender,
        terms=edge_terms(given.get("disclosure", ""), _terms(given)),
        leakage=words or _UNSAID,
        linkage=_linkage(given),
    )
    return edge if words else terms.describe(edge, standing=standing)


def _terms(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the edge that belong to some disclosures only."""
    return {
        name: _list(given[name], name) if isinstance(empty, tuple) else given[name]
        for name, empty in TERM_FIELDS.items()
        if name in given
    }


def _threshold(given: Mapping[str, Any], collector: str) -> Threshold:
    members = []
    for index, side in enumerate(given["members"]):
        with validation.at(f"members[{index}]"):
            members.append(_side(side))
    words = _words(given)
    threshold = Threshold(
        id=_given(given, "id", "id"),
        members=tuple(members),
        at_least=_given(given, "at_least", "at_least"),
        minimum_count=given.get("minimum_count", LEAST_MINIMUM),
        band=given.get("band", 1),
        leakage=words or _UNSAID,
        linkage=_linkage(given),
    )
    return threshold if words else terms.describe(threshold, collector)


def _standing(given: Mapping[str, Any]) -> Standing:
    return Standing(_given(given, "epoch_days", "epoch_days"), given.get("checks_per_day", 0))


def _linkage(given: Mapping[str, Any]) -> Linkage:
    with validation.at("linkage"):
        return Linkage(**given.get("linkage", {}))


def _words(given: Mapping[str, Any]) -> str:
    words = given.get("leakage", "")
    validation.text("leakage", words, optional=True)
    return str(words)


def edge_id(receiver: str, sender: str) -> str:
    """An edge's usual name; what would be too long ends in eight digits of its digest, so that names differ."""
    name = f"{receiver}-from-{sender}"
    if len(name) <= terms.EDGE_CHARACTERS:
        return name
    return f"{name[: terms.EDGE_CHARACTERS - 9]}-{digest(name.encode()).hex()[:8]}"


def _side(given: Mapping[str, Any]) -> Side:
    for name in sorted(_SIDE):
        _given(given, name, "collection_kind" if name == "kind" else name)
    return Side(given["agency"], given["kind"], given["max_records"], given["tokens_per_record"])


def _key(value: object, field: str) -> bytes:
    try:
        return bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        raise AgreementError(field, "must be written as 64 hexadecimal digits") from None


def _seconds(value: object, field: str) -> int:
    """A TOML date (its first moment, UTC) or time (UTC unless it says otherwise) as seconds since 1970."""
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    elif isinstance(value, date):
        moment = datetime.combine(value, time(), UTC)
    else:
        raise AgreementError(field, "must be a date without quotes, such as 2026-03-01")
    return int(moment.timestamp())


def _given(values: Mapping[str, Any], name: str, field: str) -> Any:
    if name not in values:
        raise AgreementError(field, "is missing")
    return values[name]


def _text(value: object) -> Any:
    """A text without the blank lines around it that TOML's long strings bring along."""
    return value.strip() if isinstance(value, str) else value


def _list(value: object, field: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise AgreementError(field, 'must be a list, such as ["P"]')
    return tuple(value)


def _tables(values: Mapping[str, Any], name: str, field: str = "") -> list[Mapping[str, Any]]:
    tables = values.get(name)
    if not isinstance(tables, list) or not tables or not all(isinstance(item, Mapping) for item in tables):
        heading = name if not field else f"{field.partition('[')[0]}.{name}"
        raise AgreementError(field or name, f"must be one or more tables; each starts with [[{heading}]]")
    most = LIMITS.edges if name == "edges" else LIMITS.parties
    if len(tables) > most:
        raise AgreementError(field or name, f"has {len(tables)} entries; at most {most} are allowed")
    return tables


def _table(values: Mapping[str, Any], name: str, field: str, fields: frozenset[str]) -> Mapping[str, Any]:
    table = values.get(name)
    if not isinstance(table, Mapping):
        raise AgreementError(field, f"must be a table with {', '.join(sorted(fields))}")
    _known(table, fields, f"{field}.")
    return table


def _check_linkage(values: Mapping[str, Any], field: str) -> None:
    if "linkage" in values:
        _table(values, "linkage", f"{field}.linkage", _LINKAGE)


def _known(values: Mapping[str, Any], names: frozenset[str], prefix: str) -> None:
    for name in values:
        if name not in names:
            raise AgreementError(
                f"{prefix}{name}", "is not a field that we know", hint=f"Known: {', '.join(sorted(names))}."
            )
