"""One comparison through the protocol: both sessions in this process, message by message."""

import os
import time

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.hits.receiver import Receiver
from blindmatch.protocol.hits.sender import Sender
from blindmatch.protocol.limits import DIGEST_BYTES, LIMITS, SEED_BYTES, Limits
from blindmatch.protocol.session.chunks import ElementSource
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.session.workspace import Workspace
from blindmatch.protocol.transcript import Ed25519Signer

Indices = npt.NDArray[np.int64]
_ROUND_BYTES = 16


def find_hits(
    keys_digest: bytes, left: ElementSource, right: ElementSource, limits: Limits = LIMITS
) -> Indices:
    """Run a whole round between a receiver with the left elements and a sender with the right ones.

    Args:
        keys_digest: of the compiled match keys, 32 bytes; both commitments cover it.
        left: the receiver's elements, distinct.
        right: the sender's elements, distinct.
        limits: the chunk sizes of both sides.

    Returns:
        Indices of the left elements that hit, ascending.

    Raises:
        PeerError, LocalError: a session refused; with valid elements, never.
    """
    ours, theirs = (Ed25519Signer(name, Ed25519PrivateKey.generate()) for name in ("left", "right"))
    context = EdgeContext(
        agreement=os.urandom(DIGEST_BYTES),
        round_id=os.urandom(_ROUND_BYTES),
        edge="evaluation",
        receiver=ours.agency,
        sender=theirs.agency,
        disclosure=Disclosure.HITS,
        verified=False,
        keys_digest=keys_digest,
    )
    receiver = Receiver(
        context,
        seed=os.urandom(SEED_BYTES),
        signer=ours,
        peer_key=theirs.public,
        elements=left,
        workspace=Workspace.in_memory(),
        limits=limits,
    )
    sender = Sender(
        context,
        seed=os.urandom(SEED_BYTES),
        signer=theirs,
        peer_key=ours.public,
        elements=right,
        facts=None,
        workspace=Workspace.in_memory(),
        limits=limits,
    )
    for session in (receiver, sender):
        for index in range(session.chunks):
            session.prepare_chunk(index)
    sender.receive_commitment(receiver.commit())
    receiver.receive_commitment(sender.commit())
    for index in range(receiver.chunks):
        receiver.receive_evaluated(sender.evaluate(receiver.blinded_chunk(index)))
        receiver.unblind_chunk(index)
    for index in range(sender.tag_chunks):
        receiver.receive_tags(sender.tag_chunk(index))
    hits = receiver.find_hits()
    now = int(time.time())
    receiver.receive_receipt_signature(sender.countersign(receiver.receipt(now, now), now).sender_signature)
    return hits.elements
