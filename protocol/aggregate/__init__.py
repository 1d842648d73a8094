"""What `count` and `sum` share: one edge of one round that tells the receiver one number, without I/O.

    receiver                                sender
    prepare_chunk(i) ...
    commit()                     ------>    receive_commitment()
                                            prepare_chunk(i) ...
    receive_commitment()         <------    commit()
    points_chunk(i)              ------>    receive_points()
    points_taken(i)              <------
    receive_points()             <------    points_chunk(i)      once every point of the receiver came
    mask_chunk(i), answer()
    masked_chunk(i)              ------>    receive_masked()
    masked_taken(i)              <------
    receive_outcome()            <------    outcome()            counted, held against the minimum, banded
    receipt()                    ------>    countersign()
    receive_receipt_signature()  <------
    reveal()

The side whose records a number is about is the side that decides whether it may be told: the sender matches, on values that both
have blinded and the receiver has shuffled, and only what its gate lets through leaves it. See docs/adr/0021.

`table` holds the transitions, `messages` what travels, `statements` what is signed, `gate` the minimum and the bands, `session`,
`receiver` and `sender` the flow; `protocol.count` and `protocol.sum` the two constructions.
"""

from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms, Band, permitted_band
from blindmatch.protocol.aggregate.messages import COPIES, AggregateInputs, AggregateShape, Layout, RowsChunk
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
from blindmatch.protocol.aggregate.transitions import TRANSITIONS

__all__ = [
    "COPIES",
    "NO_PROOF",
    "OUTCOME_TYPE",
    "REPORT_TYPE",
    "TRANSITIONS",
    "AggregateCommitment",
    "AggregateInputs",
    "AggregateOutcome",
    "AggregateReceiver",
    "AggregateReport",
    "AggregateSender",
    "AggregateShape",
    "AggregateTerms",
    "Band",
    "Layout",
    "OutcomeContext",
    "RowsChunk",
    "permitted_band",
]
