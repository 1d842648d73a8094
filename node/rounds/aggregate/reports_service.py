"""The Reports service: results of counts and sums, for the agencies that an agreement's edges name under `report_to`."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from blindmatch.node.agreements import registry
from blindmatch.node.agreements.service import check_party
from blindmatch.node.node import Node
from blindmatch.node.rounds.aggregate import codec as convert
from blindmatch.node.rounds.aggregate import results as aggregate_results
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.transport.identity import Caller
from blindmatch.proto.v1 import number_pb2
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.session.messages import Header


class ReportsService:
    """Servicer of `blindmatch.v1.Reports`; behind the gate, so `context.caller` is verified and messages are parsed."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def Fetch(  # noqa: N802 - gRPC's name
        self, request: number_pb2.ReportsRequest, context: Any
    ) -> AsyncIterator[number_pb2.Report]:
        """Every result of an edge that this node receives and that reports to the caller."""
        agreement_id = convert.read_reports_request(request)
        for report in await asyncio.to_thread(self._reports, agreement_id, context.caller):
            yield convert.report(*report)

    def _reports(self, agreement_id: bytes, caller: Caller) -> list[convert.Report]:
        node = self._node
        stored = node.store.find_agreement(agreement_id)
        held = None if stored is None else registry.open_stored(stored)
        if held is None or caller.agency not in held.agreement.agencies:
            # As from `Agreements.Fetch`: an agency that is no party does not learn whether it exists.
            raise PeerError(PeerCode.UNKNOWN_AGREEMENT, "this node holds no such agreement with the caller")
        agreement = held.agreement
        check_party(agreement, caller)
        if held.withdrawn:
            raise PeerError(PeerCode.EXPIRED_AGREEMENT, f"withdrawn by {', '.join(sorted(held.withdrawn))}")
        named = {
            edge.id
            for edge in agreement.edges
            if caller.agency in edge.terms.report_to and edge.receiver.agency == node.agency
        }
        if not named:
            raise PeerError(
                PeerCode.WRONG_AGENCY, f"no edge that {node.agency} receives reports to {caller.agency}"
            )
        reports = []
        for row in node.store.numbers(agreement_id=agreement_id):
            # Only results of our own rounds, and only of rounds that both sides have signed.
            closed = node.store.find_edge(row.round_id, row.edge)
            if row.edge not in named or closed is None or closed.state != "closed":
                continue
            outcome, report = aggregate_results.report(node, agreement, row)
            # Write the audit entry first: nothing leaves this node without one.
            node.audit.round_event(
                AuditEvent.DISCLOSURE,
                "reported",
                (row.round_id, row.edge),
                recipient=caller.agency,
                agreement=agreement_id.hex(),
            )
            reports.append(convert.Report(Header(row.round_id, row.edge, 0), outcome, report))
        return reports
