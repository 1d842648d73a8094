"""The first steps of an edge by hand, for trials that go on with something no node of ours would do."""

from typing import Any

from tests.support.local_nodes import LocalNodes

from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.rounds import edge_codec
from blindmatch.node.rounds.inputs import compile_edge, prepare_inputs, state_rates
from blindmatch.node.storage.store import EdgeRow
from blindmatch.node.transport.client import connect
from blindmatch.protocol.hits.receiver import Receiver
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.session.workspace import Workspace
from blindmatch.protocol.transcript import Signed


def row_of(town: LocalNodes, held: StoredAgreement, round_id: bytes, **more: Any) -> EdgeRow:
    """The agreement's first edge as its receiver's store would hold it."""
    edge = held.agreement.edges[0]
    receiver, sender = edge.receiver.agency, edge.sender.agency
    collection = town.nodes[receiver].store.collections()[0].id
    return EdgeRow(round_id, edge.id, held.id, "receiver", sender, collection, "preparing", 0, **more)


def rates_of(town: LocalNodes, held: StoredAgreement, round_id: bytes) -> Signed:
    """The receiver's statement of its rates."""
    row = row_of(town, held, round_id)
    node = town.nodes[held.agreement.edges[0].receiver.agency]
    return state_rates(node, held.agreement, row)


def preparation(held: StoredAgreement, rates: Signed, round_id: bytes) -> Any:
    """The message that carries the statement."""
    header = Header(round_id, held.agreement.edges[0].id, 0)
    return edge_codec.prepare_request(header, held.id, rates)


async def session_of(
    town: LocalNodes, held: StoredAgreement, round_id: bytes, *, limits: Limits, seed: bytes = bytes(32)
) -> Receiver:
    """Exchange rates as it should be; the receiver's session that follows from them, every chunk prepared."""
    edge = held.agreement.edges[0]
    node, ours = town.nodes[edge.receiver.agency], rates_of(town, held, round_id)
    async with connect(node, edge.sender.agency) as peer:
        _, theirs = edge_codec.prepare_reply.read(
            await peer.call(peer.match.Prepare, preparation(held, ours, round_id))
        )
    row = row_of(town, held, round_id, receiver_rates=ours, sender_rates=theirs, seed=seed)
    agreed = compile_edge(held.agreement, row)
    session = Receiver(
        agreed.context,
        seed=seed,
        signer=node.keys.identity,
        peer_key=held.agreement.party(edge.sender.agency).identity_key,
        elements=prepare_inputs(node, held.agreement, row, agreed).elements,
        workspace=Workspace.in_memory(),
        limits=limits,
    )
    for index in range(session.chunks):
        session.prepare_chunk(index)
    return session
