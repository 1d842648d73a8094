"""What a node holds about comparisons after the last step: every table of its store, its audit log, the files of rounds."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Table, func, select

from blindmatch.node.node import Node
from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds.aggregate.results import AggregateResult
from blindmatch.node.rounds.leads import ResultLead
from blindmatch.node.rounds.standing import check_lookup
from blindmatch.node.rounds.threshold import tally as round_tally
from blindmatch.node.storage.store import EdgeRow
from blindmatch.node.storage.store.tables import metadata
from blindmatch.simulations.audit.leak_scan import Secrets, search_files
from blindmatch.simulations.drivers.results import DisclosedNumber

EXPECTED_TABLES = frozenset(
    {"schema_version", "collections", "agreements", "signatures", "withdrawals", "declines"}
    | {"proposals", "contacts", "bindings", "statements", "epochs", "deltas", "check_counts", "audit"}
)
"""Tables that no match can alter, and the audit log, which is inspected entry by entry."""

EDGE_COLUMNS = frozenset((
    "round", "edge", "agreement", "role", "peer", "collection", "state", "done", "total", "place", "started_at", "updated_at",
    "finished_at", "code", "reason", "receiver_rates", "sender_rates", "receipt", "receipt_signatures",
))  # fmt: skip
"""Columns of a finished edge that do not depend on matches: sizes, times, both statements of rates, the receipt."""

NEUTRAL_DETAILS = frozenset((
    "action", "agreement", "collection", "disclosure", "edge", "from", "id", "kind", "marking", "bad_rows", "on_bad",
    "records", "rows", "sender", "receiver", "signed_by", "code", "value", "entries", "missing", "unreadable", "negative",
    "left_out", "tokens", "collector", "members", "other",
))  # fmt: skip
"""Details of an audit entry that do not depend on matches."""

ComparisonKey = tuple[str, str]
"""A round's id, hexadecimal, and a comparison's."""


@dataclass(frozen=True)
class NodeContents:
    """Everything in one node that could disclose something about a comparison's outcome."""

    agency: str
    roles: Mapping[ComparisonKey, str] = field(default_factory=dict)
    """Every finished comparison, and the node's role in it."""
    leads: Mapping[ComparisonKey, tuple[ResultLead, ...]] = field(default_factory=dict)
    numbers: Mapping[ComparisonKey, DisclosedNumber] = field(default_factory=dict)
    """Results that are one number."""
    check_hits: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """By agreement and edge: the node's own references that submitted records have hit."""
    logged: frozenset[ComparisonKey] = frozenset()
    """Comparisons for which the audit log shows a number that depends on matches."""
    unexplained: tuple[str, ...] = ()
    """Rows and columns that the audit does not expect, secrets of finished edges, and files of rounds."""
    plaintext_files: tuple[str, ...] = ()
    """Files with content of a record in plaintext, among the node's files, its log and its recorded messages."""


def audit_node(node: Node, secrets: Secrets, wire: Path | None = None) -> NodeContents:
    """Inspect everything that a node holds.

    Args:
        node: open, without a running round.
        secrets: values that must not appear in plaintext.
        wire: the folder of its recorded messages, if they were recorded.
    """
    rows = node.store.edges()
    roles = {(row.round_id.hex(), row.edge): row.role for row in rows}
    leads = {
        (row.round_id.hex(), row.edge): tuple(round_leads.load(node, row.round_id, row.edge)) for row in rows
    }
    # Of its own rounds, and those that others reported.
    results = (AggregateResult.from_json(row.payload) for row in node.store.numbers())
    numbers = {(each.round, each.edge): DisclosedNumber.of_aggregate(each.data()) for each in results}
    tallies = dict(_tallies(node, rows))
    logged = frozenset(_logged(node, [row for row in rows if row.role != "sender"]))
    submitted = node.store.checks(looked=True)
    receiving = {edge for (_, edge), role in roles.items() if role == "receiver"}
    folders = [node.home, *([wire] if wire is not None and wire.exists() else [])]
    return NodeContents(
        agency=node.agency,
        roles=roles,
        leads={key: each for key, each in leads.items() if each},
        numbers=numbers | tallies,
        check_hits=_checked(node, {row.agreement_id for row in submitted}),
        logged=logged,
        unexplained=(
            *_unexplained(
                node,
                {
                    "leads": sum(map(len, leads.values())),
                    "numbers": len(numbers),
                    "tallies": len(tallies),
                    "checks": sum(row.edge in receiving for row in submitted),
                },
            ),
            *_round_files(node),
        ),
        plaintext_files=tuple(search_files(folders, secrets)),
    )


def _tallies(node: Node, rows: Sequence[EdgeRow]) -> Iterator[tuple[ComparisonKey, DisclosedNumber]]:
    """The numbers of thresholds that the node collected."""
    for row in rows:
        if row.role == "collector" and (tally := round_tally.load(node, row.round_id, row.edge)):
            yield (row.round_id.hex(), row.edge), DisclosedNumber.of_tally(tally.count)


def _checked(node: Node, agreements: Iterable[bytes]) -> dict[tuple[str, str], tuple[str, ...]]:
    """The hits of records that were submitted to the node. The node's audit log records this access."""
    hits: dict[tuple[str, str], list[str]] = {}
    for agreement in agreements:
        for check in check_lookup.results(node, agreement):
            for lead in check.leads:
                hits.setdefault((agreement.hex(), lead.edge), []).append(lead.reference)
    return {key: tuple(references) for key, references in hits.items()}


def _unexplained(node: Node, expected: Mapping[str, int]) -> Iterator[str]:
    """Rows beyond the expected number per table, and columns of edges that should be empty."""
    for table in metadata.sorted_tables:
        if table.name in EXPECTED_TABLES:
            continue
        if table.name == "edges":
            yield from _edge_columns(node, table)
            continue
        with node.store.read() as connection:
            count = connection.execute(select(func.count()).select_from(table)).scalar_one()
        if (surplus := count - expected.get(table.name, 0)) > 0:
            yield f"{surplus} rows of table {table.name}"


def _edge_columns(node: Node, table: Table) -> Iterator[str]:
    others = [column for column in table.c if column.name not in EDGE_COLUMNS]
    with node.store.read() as connection:
        rows = connection.execute(select(table.c.edge, *others).where(table.c.finished_at.is_not(None)))
        for row in rows:
            yield from (
                f"{column.name} of the finished edge {row.edge}"
                for column in others
                if getattr(row, column.name) not in (None, "", b"")
            )


def _round_files(node: Node) -> Iterator[str]:
    if node.rounds_dir.exists():
        for path in sorted(node.rounds_dir.rglob("*")):
            if path.is_file():
                yield f"file {path.relative_to(node.home)}"


def _logged(node: Node, received: Sequence[EdgeRow]) -> Iterator[ComparisonKey]:
    """Comparisons whose audit entries show more than sizes and names."""
    for row in node.store.audit_rows():
        words = row.subject.split()
        if set(json.loads(row.detail)) <= NEUTRAL_DETAILS:
            continue
        # "round ID edge NAME"; "round ID", or "checks under agreement ID", is about all comparisons of which the node gets the result.
        if len(words) == 4 and words[0] == "round":
            yield words[1], words[3]
        elif mine := [
            (each.round_id.hex(), each.edge)
            for each in received
            if words
            in (["round", each.round_id.hex()], ["checks", "under", "agreement", each.agreement_id.hex()])
        ]:
            yield from mine
        else:
            yield "", row.subject
