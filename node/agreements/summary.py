"""An agreement as plain data, for `--json` and for printing: all of its terms, and its state on this node."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from blindmatch.node.agreements import bindings, registry
from blindmatch.node.agreements.common_names import common_names
from blindmatch.node.agreements.edge_groups import EdgeGroup, group_edges
from blindmatch.node.agreements.fields import plain_data
from blindmatch.node.agreements.match_keys import KeyForecast, OwnList, forecast, own_rates
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.imports import open_collection
from blindmatch.node.node import Node
from blindmatch.node.storage.store import Contact
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import Agreement, Edge, Envelope, Side, Threshold, Withdrawal
from blindmatch.protocol.errors import BlindmatchError
from blindmatch.protocol.linkage import Schema, SchemaError, expected_chance_matches, load_schema

Data = dict[str, Any]
Shared = dict[int, tuple[KeyForecast, Data]]


def summarise(node: Node, stored: StoredAgreement) -> Data:
    """All that this node knows about an agreement."""
    data = describe(stored.agreement, stored.envelope)
    contacts = node.store.contacts(stored.id)
    for party in data["parties"]:
        agency = party["agency"]
        party["own"] = agency == node.settings.agency
        party["withdrawn"] = _withdrawal(stored.withdrawn.get(agency))
        party["declined"] = _withdrawal(stored.declined.get(agency))
        party["reached"] = None if party["own"] else _contact(contacts.get(agency))
    schema = _schema(stored.agreement)
    known: dict[tuple[str, str], OwnList] = {}
    shared: Shared = {}
    used = node.store.rounds_used_by_edge(stored.id)
    for edge, item in zip(stored.agreement.edges, data["edges"], strict=True):
        item["rounds_used"] = used.get(edge.id, 0)
        item["collection"] = _collection(node, stored, edge)
        if schema and item["collection"] and item["collection"]["name"]:
            own = _own(node, stored, edge, known)
            ahead = forecast(schema.name, edge, own)
            item["forecast"] = _shared(ahead, shared)
            item["warnings"] = [*_warnings(edge, ahead), *common_names(schema, own.rates)]
    data["received_at"] = iso(stored.received_at)
    data["state"] = state(node, stored)
    data["why_no_round"] = _obstacle(node, stored)
    return data


def brief(node: Node, stored: StoredAgreement) -> Data:
    """An agreement in one line."""
    contacts = node.store.contacts(stored.id)
    others = [agency for agency in stored.agreement.agencies if agency != node.settings.agency]
    return {
        "id": stored.id.hex(),
        "title": stored.agreement.title,
        "parties": list(stored.agreement.agencies),
        "edges": len(stored.agreement.edges),
        "expires": iso(stored.agreement.expires),
        "signed": [agency for agency in stored.agreement.agencies if agency not in stored.missing],
        "missing": list(stored.missing),
        "declined": sorted(stored.declined),
        "withdrawn": sorted(stored.withdrawn),
        "not_reached": [agency for agency in others if agency in contacts and contacts[agency].error],
        "state": state(node, stored),
    }


def describe(agreement: Agreement, envelope: Envelope) -> Data:
    """All terms of an agreement, without a node."""
    schema = _schema(agreement)
    shared: Shared = {}
    data: Data = plain_data(agreement)
    for name in ("format", "schema_digest", "nonce"):
        del data[name]
    return data | {
        "id": envelope.id.hex(),
        "parties": [
            {**vars(party), "signed": party.agency in envelope.signatures} for party in agreement.parties
        ],
        "missing": list(terms.missing_signatures(agreement, envelope)),
        "schema": {
            "name": agreement.schema,
            "digest": agreement.schema_digest.hex(),
            "known": schema is not None,
            "compared": _compared(schema),
        },
        "edges": [_edge(agreement, edge, schema, shared) for edge in agreement.edges],
        "alike": [
            {**_alike(each), "both_learn": terms.both_learn(agreement.schema)}
            for each in group_edges(agreement.edges, agreement.schema)
        ],
        "thresholds": [_threshold(agreement, threshold) for threshold in agreement.thresholds],
        "not_before": iso(agreement.not_before),
        "expires": iso(agreement.expires),
        "standing_learn": terms.standing_learn(),
    }


def state(node: Node, stored: StoredAgreement) -> str:
    """The state of an agreement, in a few words."""
    agreement, now = stored.agreement, node.clock()
    if stored.withdrawals:
        return registry.describe_withdrawals(stored)
    if now >= agreement.expires:
        return "expired"
    if stored.missing:
        return f"waits for {', '.join(stored.missing)}"
    if now < agreement.not_before:
        return "signed, not valid yet"
    used = node.store.rounds_used_by_edge(stored.id)
    least = min(used.get(each.id, 0) for each in agreement.comparisons)
    return "rounds used up" if least >= agreement.rounds_budget else "in force"


def iso(seconds: int) -> str:
    """Seconds since 1970 as ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _obstacle(node: Node, stored: StoredAgreement) -> str | None:
    try:
        registry.usable_agreement(node, stored.id, node.clock())
    except BlindmatchError as error:
        return error.message
    return None


def _collection(node: Node, stored: StoredAgreement, edge: Edge) -> Mapping[str, Any] | None:
    """The collection of this node for an edge, or why there is none; None on edges between other agencies."""
    if edge not in bindings.own_edges(node, stored.agreement):
        return None
    try:
        row = bindings.collection_for(node, stored, edge.id)
    except BlindmatchError as error:
        return {"name": None, "problem": error.message, "hint": error.hint}
    bound = node.store.binding(stored.id, edge.id) == row.id
    known = row.detail.get("facts")
    asked = edge.terms.facts if edge.sender.agency == node.agency and known is not None else ()
    lacking = [name for name in asked if name not in (known or ())]
    return {"name": row.name, "records": row.records, "bound": bound, "facts_missing": lacking}


def _own(node: Node, stored: StoredAgreement, edge: Edge, known: dict[tuple[str, str], OwnList]) -> OwnList:
    """This node's list for an edge, measured once for all edges that it enters."""
    row = bindings.collection_for(node, stored, edge.id)
    role = "receiver" if edge.receiver.agency == node.agency else "sender"
    if (row.id, role) not in known:
        collection = open_collection(node, row.id)
        selected = collection.select(stored.agreement.handling_codes)
        known[row.id, role] = OwnList(role, own_rates(collection, selected, stored.id), len(selected))
    return known[row.id, role]


def _withdrawal(withdrawal: Withdrawal | None) -> Data | None:
    """The time and the reason of a decline or withdrawal."""
    return None if withdrawal is None else {"at": iso(withdrawal.at), "reason": withdrawal.reason}


def _contact(contact: Contact | None) -> Data | None:
    """When a party was last reached; None when no attempt was made."""
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
    """The agreement's schema, if this program has exactly that one."""
    try:
        schema = load_schema(agreement.schema)
    except SchemaError:
        return None
    return schema if schema.digest == agreement.schema_digest else None


def _compared(schema: Schema | None) -> list[str]:
    """The fields that the schema compares, in words."""
    return [] if schema is None else [field.title for field in schema.fields]


def _edge(agreement: Agreement, edge: Edge, schema: Schema | None, shared: Shared) -> Data:
    usual = terms.default_leakage(edge, agreement.schema, standing=agreement.standing is not None)
    ahead = None if schema is None else forecast(schema.name, edge)
    return {
        **plain_data(edge),
        "receiver": _side(edge.receiver),
        "sender": _side(edge.sender),
        "receiver_learns": edge.receiver_learns(),
        "sender_learns": edge.sender_learns(),
        "both_learn": terms.both_learn(agreement.schema),
        "leakage_is_usual": edge.leakage == usual,
        "forecast": None if ahead is None else _shared(ahead, shared),
        "warnings": [] if ahead is None else _warnings(edge, ahead),
    }


def _threshold(agreement: Agreement, threshold: Threshold) -> Data:
    usual = terms.default_leakage(threshold, agreement.schema, agreement.collector)
    return {
        **plain_data(threshold),
        "members": [_side(side) for side in threshold.members],
        "member_learns": threshold.member_learns(),
        "collector_learns": threshold.collector_learns(agreement.collector),
        "both_learn": terms.both_learn(agreement.schema),
        "leakage_is_usual": threshold.leakage == usual,
    }


def _shared(ahead: KeyForecast, shared: Shared) -> Data:
    """The forecast's data, built once for all edges that share it."""
    if id(ahead) not in shared:
        shared[id(ahead)] = ahead, _forecast(ahead)
    return shared[id(ahead)][1]


def _forecast(ahead: KeyForecast) -> Data:
    """The expected result of a round, as the model predicts it."""
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
