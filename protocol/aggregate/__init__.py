"""`count` (PSI-cardinality) and `sum` (PSI-sum): one edge of one round that discloses one number to the receiver, without I/O.

    receiver                                sender
    prepare_chunk(i) ...
    commit()                     ------>    receive_commitment()
                                            prepare_chunk(i) ...
    receive_commitment()         <------    commit()
    points_chunk(i)              ------>    receive_points()
    acknowledge_points(i)              <------
    receive_points()             <------    points_chunk(i)      once every point of the receiver came
    mask_chunk(i), answer()
    masked_chunk(i)              ------>    receive_masked()
    acknowledge_masked(i)              <------
    receive_outcome()            <------    outcome()            counted, compared with the minimum, banded
    receipt()                    ------>    countersign()
    receive_receipt_signature()  <------
    reveal()

The side that owns the counted records decides whether the result may be disclosed: the sender matches, on values that both have
blinded and the receiver has shuffled, and only what its disclosure control permits leaves it. See docs/adr/0021.

`transitions` has the tables, `messages` what travels, `statements` what is signed, `disclosure_control` the minimum and the bands,
`session`, `receiver` and `sender` the flow; `count` and `sum` are the two constructions.
"""

from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms, Band, permitted_band
from blindmatch.protocol.aggregate.messages import COPIES, AggregateChunk, AggregateInputs, AggregateShape
from blindmatch.protocol.aggregate.receiver import AggregateReceiver
from blindmatch.protocol.aggregate.sender import AggregateSender
from blindmatch.protocol.aggregate.statements import (
    NO_PROOF,
    OUTCOME_TYPE,
    REPORT_TYPE,
    AggregateCommitment,
    AggregateOutcome,
    AggregateReport,
    OutcomeContext,
)
from blindmatch.protocol.aggregate.transitions import (
    FROM_PEER,
    RULES,
    TRANSITIONS,
    AggregateEvent,
    AggregateState,
)
from blindmatch.protocol.session.chunks import Layout

__all__ = [
    "COPIES",
    "FROM_PEER",
    "NO_PROOF",
    "OUTCOME_TYPE",
    "REPORT_TYPE",
    "RULES",
    "TRANSITIONS",
    "AggregateChunk",
    "AggregateCommitment",
    "AggregateEvent",
    "AggregateInputs",
    "AggregateOutcome",
    "AggregateReceiver",
    "AggregateReport",
    "AggregateSender",
    "AggregateShape",
    "AggregateState",
    "AggregateTerms",
    "Band",
    "Layout",
    "OutcomeContext",
    "permitted_band",
]
