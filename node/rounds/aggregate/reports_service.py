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
        """Every result that this node was told on an edge that reports to the caller."""
        agreement_id = convert.read_reports_request(request)
        for said in await asyncio.to_thread(self._found, agreement_id, context.caller):
            yield convert.report(said)

    def _found(self, agreement_id: bytes, caller: Caller) -> list[convert.Report]:
        node = self._node
        row = node.store.find_agreement(agreement_id)
        held = None if row is None else registry.open_stored(row)
        if held is None or caller.agency not in held.agreement.agencies:
            # As from `Agreements.Fetch`: who is no party cannot tell whether it exists.
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
        found = []
        for kept in node.store.numbers(agreement_id=agreement_id):
            # Only what a round of our own told us, and only of rounds that both sides have signed.
            closed = node.store.find_edge(kept.round_id, kept.edge)
            if kept.edge not in named or closed is None or closed.state != "closed":
                continue
            outcome, report = aggregate_results.report(node, agreement, kept)
            # The log first: what it does not know of must not be able to leave this node.
            node.audit.round_event(
                AuditEvent.DISCLOSURE,
                "reported",
                (kept.round_id, kept.edge),
                recipient=caller.agency,
                agreement=agreement_id.hex(),
            )
            found.append(convert.Report(Header(kept.round_id, kept.edge, 0), outcome, report))
        return found
