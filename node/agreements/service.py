"""The Agreements service: who may see, propose and withdraw what.

The caller is the agency in the client certificate; its key must also be the one that the agreement names for it.
Every message is verified before anything is stored. The store is synchronous, so its work runs in a thread.
"""

import asyncio
from typing import Any

from blindmatch.node.agreements import codec as convert
from blindmatch.node.agreements import registry
from blindmatch.node.node import Node
from blindmatch.node.transport.identity import Caller
from blindmatch.proto.v1 import agreement_pb2 as pb
from blindmatch.proto.v1 import agreement_pb2_grpc
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import AgreementError, ConfigError, PeerCode, PeerError


class AgreementsService(agreement_pb2_grpc.AgreementsServicer):
    """Answers other agencies' nodes; the gate in front of it puts `caller` into the context and handles errors."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def Describe(self, request: pb.DescribeRequest, context: Any) -> pb.DescribeReply:  # noqa: ARG002 - gRPC's signature
        """This node's own party entry, for any agency whose certificate we trust."""
        convert.describe_request.read(request)
        try:
            return convert.describe_reply(registry.own_party(self._node))
        except ConfigError as error:
            # The reason holds no secret, and the other side's officer needs it.
            raise PeerError(
                PeerCode.REFUSED, f"this node cannot describe itself yet: {error.message}"
            ) from None

    async def Propose(self, request: pb.ProposeRequest, context: Any) -> pb.ProposeReply:
        """Store a proposal and its signatures, for the parties of the enclosed agreement; answer with all that this node holds."""
        envelope, withdrawals = convert.propose_request.read(request)
        caller: Caller = context.caller
        try:
            check_party(await asyncio.to_thread(registry.open_envelope, envelope), caller)
            stored = await asyncio.to_thread(
                registry.adopt, self._node, envelope, source=caller.agency, withdrawals=withdrawals, peer=True
            )
        except AgreementError as error:
            raise PeerError(
                PeerCode.BAD_MESSAGE, f"the agreement cannot be accepted: {error.message}"
            ) from None
        await asyncio.to_thread(self._node.store.note_contact, stored.id, caller.agency)
        return convert.propose_reply(stored.envelope, stored.signed_withdrawals)

    async def Fetch(self, request: pb.FetchRequest, context: Any) -> pb.FetchReply:
        """An agreement with all its signatures and withdrawals, for its parties; others cannot learn whether it exists."""
        agreement_id = convert.fetch_request.read(request)
        row = await asyncio.to_thread(self._node.store.find_agreement, agreement_id)
        caller: Caller = context.caller
        stored = None if row is None else await asyncio.to_thread(registry.open_stored, row)
        if stored is None or caller.agency not in stored.agreement.agencies:
            raise PeerError(PeerCode.UNKNOWN_AGREEMENT, "this node holds no such agreement with the caller")
        check_party(stored.agreement, caller)
        return convert.fetch_reply(stored.envelope, stored.signed_withdrawals)

    async def Withdraw(self, request: pb.WithdrawRequest, context: Any) -> pb.WithdrawReply:
        """Store a decline or withdrawal of the calling party; those of others travel with `Propose` and `Fetch`."""
        signed = convert.withdraw_request.read(request)
        caller: Caller = context.caller
        if signed.agency != caller.agency:
            raise PeerError(PeerCode.WRONG_AGENCY, f"{caller.agency} cannot withdraw for {signed.agency}")
        await asyncio.to_thread(registry.record_withdrawal, self._node, signed)
        await asyncio.to_thread(self._node.store.note_contact, signed.agreement, caller.agency)
        return convert.withdraw_reply()


def check_party(agreement: Agreement, caller: Caller) -> None:
    """The caller must be a party, with the certificate key that the agreement names.

    Raises:
        PeerError: WRONG_AGENCY or WRONG_CERTIFICATE.
    """
    if caller.agency not in agreement.agencies:
        raise PeerError(PeerCode.WRONG_AGENCY, f"{caller.agency} is not a party of the agreement")
    if agreement.party(caller.agency).certificate_key != caller.certificate_key:
        raise PeerError(
            PeerCode.WRONG_CERTIFICATE,
            f"{caller.agency} calls with another certificate key than the agreement states",
            hint="After a change of keys, draft and sign the agreement again.",
        )
