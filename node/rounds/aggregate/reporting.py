"""Results that other agencies report to this node: fetched from each receiver, verified, stored."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from blindmatch.node.agreements import registry
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.node import Node
from blindmatch.node.rounds.aggregate import codec
from blindmatch.node.rounds.aggregate import results as aggregate_results
from blindmatch.node.rounds.aggregate.results import AggregateResult
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.transport.client import connect
from blindmatch.protocol.errors import BlindmatchError, LocalError, PeerCode, PeerError

MOST_REPORTS = 10_000
"""The most reports that one fetch accepts from one agency."""


@dataclass(frozen=True)
class Fetched:
    """The results that one receiver reported, or the error."""

    receiver: str
    results: Sequence[AggregateResult] = ()
    error: BlindmatchError | None = None


async def fetch(node: Node, agreement_id: bytes) -> list[Fetched]:
    """Fetch the results of every edge that reports to this node, from each edge's receiver.

    Returns:
        One entry per receiver, in the agreement's order. A failure of one receiver does not affect the others.

    Raises:
        LocalError: no edge of the agreement reports to this node.
        StoreError: there is no such agreement.
    """
    held = await asyncio.to_thread(registry.find, node, agreement_id)
    edges: dict[str, set[str]] = {}
    for edge in held.agreement.edges:
        if node.agency in edge.terms.report_to:
            edges.setdefault(edge.receiver.agency, set()).add(edge.id)
    if not edges:
        raise LocalError(
            f"no edge of this agreement reports to {node.agency}",
            hint="`blindmatch agreement show` shows the agencies to which each edge reports.",
        )
    return [await _fetch_from(node, held, receiver, names) for receiver, names in edges.items()]


async def _fetch_from(node: Node, held: StoredAgreement, receiver: str, edges: set[str]) -> Fetched:
    """The verified results of some edges from their receiver."""
    results: list[AggregateResult] = []
    key = held.agreement.party(receiver).certificate_key
    try:
        async with connect(node, receiver, certificate_key=key) as peer:
            with peer.errors():
                call = peer.reports.Fetch(codec.reports_request(held.id), timeout=peer.call_seconds)
                async for message in call:
                    if len(results) == MOST_REPORTS:
                        raise PeerError(
                            PeerCode.OVERSIZE, f"{receiver} sent more than {MOST_REPORTS} reports"
                        )
                    if not hasattr(message, "header"):
                        raise PeerError(PeerCode.BAD_MESSAGE, f"{receiver} sent a malformed message")
                    report = codec.read_report(message)
                    if report.header.edge not in edges:
                        raise PeerError(
                            PeerCode.UNKNOWN_ROUND, f"{receiver} reports an edge that does not report to us"
                        )
                    results.append(await asyncio.to_thread(_store, node, held, receiver, report))
    except BlindmatchError as error:
        return Fetched(receiver, error=error)
    return Fetched(receiver, results)


def _store(node: Node, held: StoredAgreement, receiver: str, report: codec.Report) -> AggregateResult:
    comparison = (report.header.round_id, report.header.edge)
    result = aggregate_results.store_report(node, held, comparison, report.outcome, report.report)
    node.audit.round_event(
        AuditEvent.DISCLOSURE,
        "report received",
        comparison,
        recipient=node.agency,
        receiver=receiver,
        agreement=held.id.hex(),
    )
    return result
