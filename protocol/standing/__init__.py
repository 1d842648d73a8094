"""Standing agreements: one key for an epoch, only changes travel, and single records are compared in between.

    match ── full round ──> open_sender, open_receiver
                                  │
                                  v  an epoch: `Sent` at the sender, `Received` at the receiver, one `Base` at both
                     change_sender, DeltaSender   <──>   DeltaReceiver, change_receiver

`own` is a side's list by records, `table` the sender's table at the receiver, `changes` what is told of its changes, `lists` the
steps from one to the next, `delta` the sessions, `statements` what both sign, `check` the single records.
"""
