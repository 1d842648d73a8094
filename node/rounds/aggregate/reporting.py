"""Results that other agencies report to this node: fetched from each receiver, verified, stored."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from blindmatch.node.agreements import registry
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.node import Node
from blindmatch.node.rounds.aggregate import codec as convert
from blindmatch.node.rounds.aggregate import results as aggregate_results
from blindmatch.node.rounds.aggregate.results import AggregateResult
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.transport.client import connect
from blindmatch.protocol.errors import BlindmatchError, LocalError, PeerCode, PeerError

MOST = 10_000
"""Reports that one fetch takes from one agency."""


@dataclass(frozen=True)
class Fetched:
    """The answer of one receiver: its results, or the error."""

    receiver: str
    results: Sequence[AggregateResult] = ()
    error: BlindmatchError | None = None


async def fetch(node: Node, agreement_id: bytes) -> list[Fetched]:
    """Fetch the results of every edge that reports to this node, from each edge's receiver.

    Returns:
        One entry per receiver, in the agreement's order; one that fails does not stop the others.

    Raises:
        LocalError: no edge of the agreement reports to this node.
        StoreError: there is no such agreement.
    """
    held = await asyncio.to_thread(registry.find, node, agreement_id)
    receivers = dict.fromkeys(
        edge.receiver.agency for edge in held.agreement.edges if node.agency in edge.terms.report_to
    )
    if not receivers:
        raise LocalError(
            f"no edge of this agreement reports to {node.agency}",
            hint="`blindmatch agreement show` states which agency receives which result.",
        )
    return [await _from(node, held, receiver) for receiver in receivers]


async def _from(node: Node, held: StoredAgreement, receiver: str) -> Fetched:
    try:
        return Fetched(receiver, await _take(node, held, receiver))
    except BlindmatchError as error:
        return Fetched(receiver, error=error)


async def _take(node: Node, held: StoredAgreement, receiver: str) -> list[AggregateResult]:
    party = held.agreement.party(receiver)
    results: list[AggregateResult] = []
    async with connect(node, receiver, certificate_key=party.certificate_key) as peer:
        with peer.errors():
            call = peer.reports.Fetch(convert.reports_request(held.id), timeout=peer.call_seconds)
            async for message in call:
                if len(results) == MOST:
                    raise PeerError(PeerCode.OVERSIZE, f"{receiver} sent more than {MOST} reports")
                if not hasattr(message, "header"):
                    raise PeerError(PeerCode.BAD_MESSAGE, f"{receiver} sent a message that is malformed")
                report = convert.Report(*convert.report.read(message))
                results.append(await asyncio.to_thread(_store, node, held, receiver, report))
    return results


def _store(node: Node, held: StoredAgreement, receiver: str, report: convert.Report) -> AggregateResult:
    where = (report.header.round_id, report.header.edge)
    ours = [
        edge.id
        for edge in held.agreement.edges
        if edge.receiver.agency == receiver and node.agency in edge.terms.report_to
    ]
    if report.header.edge not in ours:
        raise PeerError(PeerCode.UNKNOWN_ROUND, f"{receiver} reports an edge that does not report to us")
    result = aggregate_results.take_report(node, held, where, report.outcome, report.report)
    node.audit.round_event(
        AuditEvent.DISCLOSURE,
        "report received",
        where,
        recipient=node.agency,
        receiver=receiver,
        agreement=held.id.hex(),
    )
    return result
