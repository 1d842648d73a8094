"""Standing agreements: one key for an epoch, delta rounds of changes only, and single checks between rounds. The theory of operation.

    full round of `hits` ── open_sender, open_receiver ──> an epoch
                                                             │  sender: ReleasedList     receiver: ReceiverList     both: EpochState
                                                             v
                     change_sender, DeltaSender   <──>   DeltaReceiver, change_receiver          once per delta round
                     submission, answer_query     <──>   submission_hits, Query, query_hits      per single check

This is updatable PSI. An epoch begins with a full round and is named by it. Its OPRF key and its tags are those of that round until it
ends, so a record that does not change needs no new evaluation. Both sides carry a state of 32 bytes over every round of the epoch;
the signed commitments of a delta round name it, and sides whose states differ end the epoch (DIVERGED).

A delta round discloses to both sides how many records each added and removed, besides what a full round discloses. The sender
removes and adds as many rows as these counts imply, padded, so that the rows do not show how tokens overlap (`release_plan`).
Facts are sealed for the round or check that carries them: no key seals two payloads.

A single check compares one record: the sender submits it, or the receiver queries it. All messages of a check have the size that
the agreement gives, whether or not the record hits.

`record_list` is a side's list of records, `tag_table` the receiver's copy of the sender's table, `release_plan` the sender's change of
that table, `list_updates` the steps of both sides outside the sessions, `delta` the sessions, `statements` what both sign, `single_check` the
checks, `epoch` the secrets.
"""
