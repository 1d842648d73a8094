"""`hits` and `hits+facts`: one edge of one round, both roles, without I/O.

    receiver                                sender
    prepare_chunk(i) ...                    prepare_chunk(i) ...
    commit()                     ------>    receive_commitment()
    receive_commitment()         <------    commit()
    blinded_chunk(i)             ------>    evaluate()
    receive_evaluated()          <------
    unblind_chunk(i)
    receive_tags()               <------    tag_chunk(i)         once every blinded chunk came as committed to
    find_hits()
    receipt()                    ------>    countersign()
    receive_receipt_signature()  <------

`table` holds the transitions, `messages` and `statements` what travels, `tags` the derivation and the lookup,
`computing` the heavy steps, `workspace` and `checkpoint` what survives a crash, `session` what both roles share.

Whoever drives a session keeps what a call gave (hits, receipt), takes a snapshot, flushes the workspace, stores the snapshot, and
only then sends: in this order, because a worker may finish a chunk meanwhile.
"""

from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.hits.receiver import Receiver
from blindmatch.protocol.hits.sender import Sender
from blindmatch.protocol.session.computing import Computer, Computing, LocalComputing
from blindmatch.protocol.session.messages import (
    BlindedChunk,
    EdgeContext,
    ElementSource,
    EvaluatedChunk,
    FactSource,
    Header,
    Hits,
    Receipt,
    TagChunk,
)
from blindmatch.protocol.session.session import SessionTerms
from blindmatch.protocol.session.statements import COMMITMENT_TYPE, RECEIPT_TYPE, ReceiptTerms
from blindmatch.protocol.session.states import FROM_PEER, TRANSITIONS, Event, Role, State
from blindmatch.protocol.session.workspace import Allocate, Workspace

__all__ = [
    "COMMITMENT_TYPE",
    "FROM_PEER",
    "RECEIPT_TYPE",
    "TRANSITIONS",
    "Allocate",
    "BlindedChunk",
    "Computer",
    "Computing",
    "Disclosure",
    "EdgeContext",
    "ElementSource",
    "EvaluatedChunk",
    "Event",
    "FactSource",
    "Header",
    "Hits",
    "LocalComputing",
    "Receipt",
    "ReceiptTerms",
    "Receiver",
    "Role",
    "Sender",
    "SessionTerms",
    "State",
    "TagChunk",
    "Workspace",
]
