"""An agreement on this node: its state, and all of its terms as plain data for `--json` and for printing."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from blindmatch.node.agreements import bindings, registry
from blindmatch.node.agreements.common_names import common_names
from blindmatch.node.agreements.edge_groups import EdgeGroup, group_edges
from blindmatch.node.agreements.fields import plain_data
from blindmatch.node.agreements.match_keys import KeyForecast, OwnList, forecast, own_rates
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.imports import open_collection
from blindmatch.node.node import Node
from blindmatch.node.storage.store import CollectionRow, Contact
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import Agreement, Edge, Side, Threshold, Withdrawal
from blindmatch.protocol.errors import BlindmatchError, PeerError
from blindmatch.protocol.linkage import Schema

Data = dict[str, Any]


@dataclass(frozen=True)
class AgreementSummary:
    """An agreement in one line: its state on this node, signatures, withdrawals, parties that were not reached."""

    id: str
    """Hexadecimal."""
    title: str
    parties: tuple[str, ...]
    edges: int
    expires: str
    signed: tuple[str, ...]
    missing: tuple[str, ...]
    """Parties that have not signed."""
    declined: tuple[str, ...]
    withdrawn: tuple[str, ...]
    not_reached: tuple[str, ...]
    """Parties that the last attempt did not reach."""
    state: str
    """In a few words."""

    def data(self) -> Data:
        """Plain values, as JSON has them."""
        return asdict(self)


def summarise(node: Node, stored: StoredAgreement) -> AgreementSummary:
    """An agreement in one line."""
    agreement, missing = stored.agreement, stored.missing
    contacts = node.store.contacts(stored.id)
    return AgreementSummary(
        id=stored.id.hex(),
        title=agreement.title,
        parties=agreement.agencies,
        edges=len(agreement.edges),
        expires=_iso(agreement.expires),
        signed=tuple(agency for agency in agreement.agencies if agency not in missing),
        missing=missing,
        declined=tuple(sorted(stored.declined)),
        withdrawn=tuple(sorted(stored.withdrawn)),
        not_reached=tuple(
            agency
            for agency in agreement.agencies
            if agency != node.agency and agency in contacts and contacts[agency].error
        ),
        state=_state(node, stored),
    )


def describe(node: Node, stored: StoredAgreement) -> Data:
    """All terms of an agreement, and all that this node knows about it, as plain data."""
    agreement = stored.agreement
    schema = _schema(agreement)
    data: Data = plain_data(agreement)
    for name in ("format", "schema_digest", "nonce"):
        del data[name]
    return data | {
        "id": stored.id.hex(),
        "parties": _parties(node, stored),
        "missing": list(stored.missing),
        "schema": {
            "name": agreement.schema,
            "digest": agreement.schema_digest.hex(),
            "known": schema is not None,
            "compared": [] if schema is None else [field.title for field in schema.fields],
        },
        "edges": _edges(node, stored, schema),
        "alike": [
            {**_group(each), "both_learn": terms.both_learn(agreement.schema)}
            for each in group_edges(agreement.edges)
        ],
        "thresholds": [_threshold(agreement, threshold) for threshold in agreement.thresholds],
        "not_before": _iso(agreement.not_before),
        "expires": _iso(agreement.expires),
        "standing_learn": terms.standing_learn(),
        "received_at": _iso(stored.received_at),
        "state": _state(node, stored),
        "why_no_round": _obstacle(node, stored),
    }


def _state(node: Node, stored: StoredAgreement) -> str:
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


def _iso(seconds: int) -> str:
    """Seconds since 1970 as ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _parties(node: Node, stored: StoredAgreement) -> list[Data]:
    contacts = node.store.contacts(stored.id)
    return [
        {
            **vars(party),
            "identity_key": party.identity_key.hex(),
            "certificate_key": party.certificate_key.hex(),
            "signed": party.agency in stored.envelope.signatures,
            "own": party.agency == node.agency,
            "withdrawn": _withdrawal(stored.withdrawn.get(party.agency)),
            "declined": _withdrawal(stored.declined.get(party.agency)),
            "reached": None if party.agency == node.agency else _contact(contacts.get(party.agency)),
        }
        for party in stored.agreement.parties
    ]


def _edges(node: Node, stored: StoredAgreement, schema: Schema | None) -> list[Data]:
    """Every edge, with what each side learns, the expected result, and this node's own collection for it."""
    agreement, standing = stored.agreement, stored.agreement.standing is not None

    @cache
    def own_list(collection_id: str, role: str) -> OwnList:
        """This node's list for an edge, measured once for all edges that it enters."""
        collection = open_collection(node, collection_id)
        selected = collection.select(agreement.handling_codes)
        return OwnList(role, own_rates(collection, selected, stored.id), len(selected))

    used = node.store.rounds_used_by_edge(stored.id)
    edges = []
    for edge in agreement.edges:
        row, collection = _collection(node, stored, edge)
        ahead, warnings = None, []
        if schema is not None:
            role = "receiver" if edge.receiver.agency == node.agency else "sender"
            own = None if row is None else own_list(row.id, role)
            ahead = forecast(schema.name, edge, own)
            warnings = [*_warnings(edge, ahead), *(common_names(schema, own.rates) if own else ())]
        edges.append(
            {
                **plain_data(edge),
                "receiver": _side(edge.receiver),
                "sender": _side(edge.sender),
                "receiver_learns": edge.receiver_learns(),
                "sender_learns": edge.sender_learns(),
                "both_learn": terms.both_learn(agreement.schema),
                "leakage_is_usual": edge.leakage
                == terms.default_leakage(edge, agreement.schema, standing=standing),
                "forecast": None if ahead is None else ahead.data,
                "warnings": warnings,
                "rounds_used": used.get(edge.id, 0),
                "collection": collection,
            }
        )
    return edges


def _obstacle(node: Node, stored: StoredAgreement) -> str | None:
    try:
        registry.usable_agreement(node, stored.id, node.clock())
    except BlindmatchError as error:
        return error.message
    return None


def _collection(node: Node, stored: StoredAgreement, edge: Edge) -> tuple[CollectionRow | None, Data | None]:
    """The collection of this node for an edge, or why there is none; no data on edges between other agencies."""
    if node.agency not in edge.agencies:
        return None, None
    try:
        row = bindings.collection_for(node, stored, edge.id)
    except BlindmatchError as error:
        return None, {"name": None, "problem": error.message, "hint": error.hint}
    bound = node.store.binding(stored.id, edge.id) == row.id
    known = row.detail.get("facts")
    asked = edge.terms.facts if edge.sender.agency == node.agency and known is not None else ()
    lacking = [name for name in asked if name not in (known or ())]
    return row, {"name": row.name, "records": row.records, "bound": bound, "facts_missing": lacking}


def _withdrawal(withdrawal: Withdrawal | None) -> Data | None:
    """The time and the reason of a decline or withdrawal."""
    return None if withdrawal is None else {"at": _iso(withdrawal.at), "reason": withdrawal.reason}


def _contact(contact: Contact | None) -> Data | None:
    """When a party was last reached; None when no attempt was made."""
    if contact is None:
        return None
    reached = None if contact.reached_at is None else _iso(contact.reached_at)
    return {"at": reached, "tried": _iso(contact.tried_at), "error": contact.error or None}


def _group(group: EdgeGroup) -> Data:
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
        return registry.check_schema(agreement)
    except PeerError:
        return None


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
        for side in edge.sides.values()
        if side.tokens_per_record < keys
    ]
