"""An agreement as plain data, for `--json` and for printing: all of its terms, and how it stands on this node."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from blindmatch.node.agreements import bindings, registry
from blindmatch.node.agreements.common_names import common_names
from blindmatch.node.agreements.edge_groups import EdgeGroup, group_edges
from blindmatch.node.agreements.match_keys import KeyForecast, Own, forecast, own_rates
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.imports import open_collection
from blindmatch.node.node import Node
from blindmatch.node.storage.store import Contact
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import Agreement, Edge, EdgeTerms, Envelope, Side, Threshold, Withdrawal
from blindmatch.protocol.errors import BlindmatchError
from blindmatch.protocol.linkage import Schema, SchemaError, expected_chance_matches, load_schema

Data = dict[str, Any]
Shared = dict[int, tuple[KeyForecast, Data]]


def summarise(node: Node, held: StoredAgreement) -> Data:
    """Everything about an agreement that this node holds."""
    data = describe(held.agreement, held.envelope)
    contacts = node.store.contacts(held.id)
    for party in data["parties"]:
        agency = party["agency"]
        party["own"] = agency == node.settings.agency
        party["withdrawn"] = _word(held.withdrawn.get(agency))
        party["declined"] = _word(held.declined.get(agency))
        party["reached"] = None if party["own"] else _contact(contacts.get(agency))
    schema = _schema(held.agreement)
    known: dict[tuple[str, str], Own] = {}
    shared: Shared = {}
    used = node.store.rounds_used_by_edge(held.id)
    for edge, item in zip(held.agreement.edges, data["edges"], strict=True):
        item["rounds_used"] = used.get(edge.id, 0)
        item["collection"] = _collection(node, held, edge)
        if schema and item["collection"] and item["collection"]["name"]:
            own = _own(node, held, edge, known)
            ahead = forecast(schema.name, edge, own)
            item["forecast"] = _shared(ahead, shared)
            item["warnings"] = [*_warnings(edge, ahead), *common_names(schema, own.rates)]
    data["received_at"] = iso(held.received_at)
    data["state"] = state(node, held)
    data["why_no_round"] = _why_not(node, held)
    return data


def brief(node: Node, held: StoredAgreement) -> Data:
    """One line's worth of an agreement."""
    contacts = node.store.contacts(held.id)
    others = [agency for agency in held.agreement.agencies if agency != node.settings.agency]
    return {
        "id": held.id.hex(),
        "title": held.agreement.title,
        "parties": list(held.agreement.agencies),
        "edges": len(held.agreement.edges),
        "expires": iso(held.agreement.expires),
        "signed": [agency for agency in held.agreement.agencies if agency not in held.missing],
        "missing": list(held.missing),
        "declined": sorted(held.declined),
        "withdrawn": sorted(held.withdrawn),
        "not_reached": [agency for agency in others if agency in contacts and contacts[agency].error],
        "state": state(node, held),
    }


def describe(agreement: Agreement, envelope: Envelope) -> Data:
    """All terms of an agreement, without a node."""
    schema = _schema(agreement)
    shared: Shared = {}
    return {
        "id": envelope.id.hex(),
        "title": agreement.title,
        "purpose": agreement.purpose,
        "parties": [
            {**vars(party), "signed": party.agency in envelope.signatures} for party in agreement.parties
        ],
        "missing": list(terms.missing_signatures(agreement, envelope)),
        "suite": agreement.suite,
        "schema": {
            "name": agreement.schema,
            "digest": agreement.schema_digest.hex(),
            "known": schema is not None,
            "compared": _compared(schema),
        },
        "edges": [
            _edge(edge, schema, shared, standing=agreement.standing is not None) for edge in agreement.edges
        ],
        "alike": [_alike(each) for each in group_edges(agreement.edges)],
        "thresholds": [_threshold(threshold, agreement.collector) for threshold in agreement.thresholds],
        "marking": agreement.marking,
        "handling_codes": list(agreement.handling_codes),
        "not_before": iso(agreement.not_before),
        "expires": iso(agreement.expires),
        "rounds_budget": agreement.rounds_budget,
        "calendar": agreement.calendar,
        "retention_days": agreement.retention_days,
        "collector": agreement.collector,
        "standing": None if agreement.standing is None else vars(agreement.standing),
        "standing_learn": terms.standing_learn(),
    }


def state(node: Node, held: StoredAgreement) -> str:
    """How an agreement stands, in a few words."""
    agreement, now = held.agreement, node.clock()
    if held.left:
        return registry.departures(held)
    if now >= agreement.expires:
        return "expired"
    if held.missing:
        return f"waits for {', '.join(held.missing)}"
    if now < agreement.not_before:
        return "signed, not valid yet"
    used = node.store.rounds_used_by_edge(held.id)
    least = min(used.get(each.id, 0) for each in agreement.comparisons)
    return "rounds used up" if least >= agreement.rounds_budget else "in force"


def iso(seconds: int) -> str:
    """Seconds since 1970 as ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _why_not(node: Node, held: StoredAgreement) -> str | None:
    try:
        registry.ready(node, held.id, node.clock())
    except BlindmatchError as error:
        return error.message
    return None


def _collection(node: Node, held: StoredAgreement, edge: Edge) -> Mapping[str, Any] | None:
    """The collection that this node would bring, or why there is none; None on edges between others."""
    if edge not in bindings.own_edges(node, held.agreement):
        return None
    try:
        row = bindings.collection_for(node, held, edge.id)
    except BlindmatchError as error:
        return {"name": None, "problem": error.message, "hint": error.hint}
    bound = node.store.binding(held.id, edge.id) == row.id
    known = row.detail.get("facts")
    asked = edge.terms.facts if edge.sender.agency == node.agency and known is not None else ()
    lacking = [name for name in asked if name not in (known or ())]
    return {"name": row.name, "records": row.records, "bound": bound, "facts_missing": lacking}


def _own(node: Node, held: StoredAgreement, edge: Edge, known: dict[tuple[str, str], Own]) -> Own:
    """What this node's list says of itself; measured once for all edges that it enters."""
    row = bindings.collection_for(node, held, edge.id)
    role = "receiver" if edge.receiver.agency == node.agency else "sender"
    if (row.id, role) not in known:
        collection = open_collection(node, row.id)
        selected = collection.select(held.agreement.handling_codes)
        known[row.id, role] = Own(role, own_rates(collection, selected, held.id), len(selected))
    return known[row.id, role]


def _word(left: Withdrawal | None) -> Data | None:
    """What a party said when it declined or withdrew."""
    return None if left is None else {"at": iso(left.at), "reason": left.reason}


def _contact(contact: Contact | None) -> Data | None:
    """When a party was last reached; None when nobody has tried."""
    if contact is None:
        return None
    reached = None if contact.reached_at is None else iso(contact.reached_at)
    return {"at": reached, "tried": iso(contact.tried_at), "error": contact.error or None}


def _alike(group: EdgeGroup) -> Data:
    return {
        "edges": [edge.id for edge in group.edges],
        "receivers": list(group.receivers),
        "senders": list(group.senders),
        "whole": group.whole,
        "senders_of": {} if group.whole else {r: list(group.senders_of(r)) for r in group.receivers},
        **group.words(),
    }


def _schema(agreement: Agreement) -> Schema | None:
    """The agreement's schema, when this program has exactly that one."""
    try:
        schema = load_schema(agreement.schema)
    except SchemaError:
        return None
    return schema if schema.digest == agreement.schema_digest else None


def _compared(schema: Schema | None) -> list[str]:
    """The fields that the schema compares, in words."""
    return [] if schema is None else [field.title for field in schema.fields]


def _edge(edge: Edge, schema: Schema | None, shared: Shared, *, standing: bool) -> Data:
    ahead = None if schema is None else forecast(schema.name, edge)
    return {
        "id": edge.id,
        "receiver": _side(edge.receiver),
        "sender": _side(edge.sender),
        "disclosure": edge.disclosure.value,
        **_terms(edge.terms),
        "leakage": edge.leakage,
        "receiver_learns": edge.receiver_learns(),
        "sender_learns": edge.sender_learns(),
        "both_learn": terms.both_learn(),
        "leakage_is_usual": edge.leakage == terms.default_leakage(edge, standing=standing),
        "linkage": vars(edge.linkage),
        "forecast": None if ahead is None else _shared(ahead, shared),
        "warnings": [] if ahead is None else _warnings(edge, ahead),
    }


def _terms(own: EdgeTerms) -> Data:
    """Every field of every disclosure: those of others hold their empty value."""
    values = {**terms.TERM_FIELDS, **vars(own)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _threshold(threshold: Threshold, collector: str) -> Data:
    return {
        "id": threshold.id,
        "members": [_side(side) for side in threshold.members],
        "at_least": threshold.at_least,
        "minimum_count": threshold.minimum_count,
        "band": threshold.band,
        "leakage": threshold.leakage,
        "member_learns": threshold.member_learns(),
        "collector_learns": threshold.collector_learns(collector),
        "both_learn": terms.both_learn(),
        "leakage_is_usual": threshold.leakage == terms.default_leakage(threshold, collector),
        "linkage": vars(threshold.linkage),
    }


def _shared(ahead: KeyForecast, shared: Shared) -> Data:
    """The forecast's data, made once for all edges that share it."""
    if id(ahead) not in shared:
        shared[id(ahead)] = ahead, _forecast(ahead)
    return shared[id(ahead)][1]


def _forecast(ahead: KeyForecast) -> Data:
    """What a round gives, as far as the model can tell before it."""
    compiled = ahead.compiled
    if compiled is None:
        return {"problem": ahead.problem, "hint": ahead.hint}
    records = {"receiver": ahead.receiver_records, "sender": ahead.sender_records}
    return {
        "own": ahead.own,
        "records": records,
        "keys": [
            {
                "name": key.name,
                "words": key.words,
                "chance_matches": expected_chance_matches(key, *records.values()),
                "posterior": key.posterior,
            }
            for key in compiled.keys
        ],
        "tokens": {"receiver": ahead.receiver_tokens, "sender": ahead.sender_tokens},
        "expected_true": compiled.expected_true,
        "expected_false": compiled.expected_false,
        "recall": compiled.recall,
    }


def _side(side: Side) -> Data:
    return {**vars(side), "max_elements": side.max_elements}


def _warnings(edge: Edge, ahead: KeyForecast) -> list[str]:
    if ahead.compiled is None:
        lists = "our list and a full one" if ahead.own else "full lists"
        return [f"no round can run between {lists}: {ahead.problem}. {ahead.hint}"]
    keys = len(ahead.compiled.keys)
    return [
        f"{side.agency} pads every record to {side.tokens_per_record} tokens, but there are {keys} keys: "
        "a complete record loses its weakest ones"
        for side in (edge.receiver, edge.sender)
        if side.tokens_per_record < keys
    ]
