"""`hits` and `hits+facts`: one edge of one round, both roles, without I/O. See `protocol.session` for how sessions are driven.

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

`transitions` has the tables, `tags` the derivation of tags and the sealing of facts, `lookup` the sorted table, `computing` the heavy
steps, `shapes` the arrays of the workspace.
"""
