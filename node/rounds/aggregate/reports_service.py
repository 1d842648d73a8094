"""The Reports service: results of counts and sums, for the agencies that an agreement's edges name under `report_to`."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from blindmatch.node.agreements import registry
from blindmatch.node.agreements.service import check_party
from blindmatch.node.node import Node
from blindmatch.node.rounds.aggregate import codec
from blindmatch.node.rounds.aggregate import results as aggregate_results
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.store import CLOSED
from blindmatch.node.transport.identity import Caller
from blindmatch.proto.v1 import number_pb2
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.session.messages import Header


class ReportsService:
    """Servicer of `blindmatch.v1.Reports`; behind the gate, so `context.caller` is verified and messages are parsed."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def Fetch(
        self, request: number_pb2.ReportsRequest, context: Any
    ) -> AsyncIterator[number_pb2.Report]:
        """Every result of an edge that this node receives and that reports to the caller."""
        agreement_id = codec.reports_request.read(request)
        for report in await asyncio.to_thread(self._reports, agreement_id, context.caller):
            yield codec.report(*report)

    def _reports(self, agreement_id: bytes, caller: Caller) -> list[codec.Report]:
        node = self._node
        row = node.store.find_agreement(agreement_id)
        stored = None if row is None else registry.open_stored(row)
        if stored is None or caller.agency not in stored.agreement.agencies:
            # As in `Agreements.Fetch`: an agency that is not a party does not learn whether the agreement exists.
            raise PeerError(PeerCode.UNKNOWN_AGREEMENT, "this node holds no such agreement with the caller")
        agreement = stored.agreement
        check_party(agreement, caller)
        if stored.withdrawn:
            raise PeerError(PeerCode.EXPIRED_AGREEMENT, f"withdrawn by {', '.join(sorted(stored.withdrawn))}")
        edges = {
            edge.id
            for edge in agreement.edges
            if caller.agency in edge.terms.report_to and edge.receiver.agency == node.agency
        }
        if not edges:
            raise PeerError(
                PeerCode.WRONG_AGENCY, f"no edge that {node.agency} receives reports to {caller.agency}"
            )
        reports = []
        for number in node.store.numbers(agreement_id=agreement_id):
            # Only results of this node's own rounds, and only of rounds that both sides have signed.
            comparison = (number.round_id, number.edge)
            edge_row = node.store.find_edge(*comparison)
            if number.edge not in edges or edge_row is None or edge_row.state != CLOSED:
                continue
            outcome, report = aggregate_results.signed_report(node, agreement, number)
            # Write the audit entry first: no report leaves this node without one.
            node.audit.round_event(
                AuditEvent.DISCLOSURE,
                "reported",
                comparison,
                recipient=caller.agency,
                agreement=agreement_id.hex(),
            )
            reports.append(codec.Report(Header(*comparison, 0), outcome, report))
        return reports
