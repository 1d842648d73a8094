"""`threshold`: what at least t of n agencies hold, found with a collector, without I/O.

    member i                     collector carries                    member j
    prepare_chunk(c) ...                                              prepare_chunk(c) ...
    commit()                     ------> receive_commitment()
    receive_commitments()        <------ commitments()        ------> receive_commitments()
    blinded_chunk(c)             ------> check_blinded()      ------> evaluate()
    receive_evaluated()          <------                      <------
    receive_attestation()        <------                      <------ attest()
    unblind_chunk(c), build_pair(p) ...
    commit_tables()              ------> receive_tables()
    table_chunk(c)               ------> receive_table_chunk()
                                         search_chunk(c) ..., find()
    receive_outcome()            <------ outcome()
    receive_outcome_chunk()      <------ outcome_chunk(c)
    find()
    countersign()                <------ receipt()
                                 ------> receive_signature()

`field` is the arithmetic, `tables` a member's shares, `reconstruct` the collector's search; `messages` and `statements` are what
travels, `states` the transitions, `checkpoint` what survives a crash. Points travel as in `match`.
"""
