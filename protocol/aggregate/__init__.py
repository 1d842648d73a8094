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
