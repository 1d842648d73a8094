"""Standing agreements: one key for an epoch, only changes travel, and single records are compared in between.

    match ── full round ──> open_sender, open_receiver
                                  │
                                  v  an epoch: `Sent` at the sender, `Received` at the receiver, one `Base` at both
                     change_sender, DeltaSender   <──>   DeltaReceiver, change_receiver

`own` is a side's list by records, `table` the sender's table at the receiver, `changes` what is told of its changes, `lists` the
steps from one to the next, `delta` the sessions, `statements` what both sign, `check` the single records.
"""

from blindmatch.protocol.standing.delta import DeltaReceiver, DeltaSender
from blindmatch.protocol.standing.epoch import Epoch, first_state, next_state, opening_key_seed
from blindmatch.protocol.standing.list_updates import (
    DeltaUpdate,
    ReceiverList,
    RecordSource,
    RowSource,
    SenderChange,
    change_receiver,
    change_sender,
    current_hits,
    open_receiver,
    open_sender,
)
from blindmatch.protocol.standing.record_list import FreshSlots, RecordList, compare_digests
from blindmatch.protocol.standing.release_plan import ReleasedList
from blindmatch.protocol.standing.statements import (
    DELTA_COMMITMENT_TYPE,
    DELTA_RECEIPT_TYPE,
    ChangeCounts,
    DeltaReceipt,
    EpochState,
    ListSize,
    read_receipt,
    receipt_type,
)
from blindmatch.protocol.standing.tag_table import TagTable

__all__ = [
    "DELTA_COMMITMENT_TYPE",
    "DELTA_RECEIPT_TYPE",
    "ChangeCounts",
    "DeltaReceipt",
    "DeltaReceiver",
    "DeltaSender",
    "DeltaUpdate",
    "Epoch",
    "EpochState",
    "FreshSlots",
    "ListSize",
    "ReceiverList",
    "RecordList",
    "RecordSource",
    "ReleasedList",
    "RowSource",
    "SenderChange",
    "TagTable",
    "change_receiver",
    "change_sender",
    "compare_digests",
    "current_hits",
    "first_state",
    "next_state",
    "open_receiver",
    "open_sender",
    "opening_key_seed",
    "read_receipt",
    "receipt_type",
]
