"""`threshold`: the elements that at least t of n agencies hold (over-threshold PSI), with a collector, without I/O. The theory of operation.

    member i                     collector relays                     member j
    prepare_chunk(c) ...                                              prepare_chunk(c) ...
    commit()                     ------> receive_commitment()
    receive_commitments()        <------ commitments()        ------> receive_commitments()
    blinded_chunk(c)             ------> check_blinded()      ------> evaluate()
    receive_evaluated()          <------ check_evaluated()    <------
    receive_attestation()        <------ check_attestation()  <------ attest()
    unblind_chunk(c), build_pair(p) ...
    commit_tables()              ------> receive_tables()
    table_chunk(c)               ------> receive_table_chunk()
                                         search_chunk(c) ..., find()
    receive_outcome()            <------ outcome()
    receive_outcome_chunk()      <------ outcome_chunk(c)
    find()
    countersign()                <------ receipt()
                                 ------> receive_signature()

Every member has an OPRF key of its own for the round. An element's joint output is that of the OPRF under the sum of all keys: a member
obtains it for its committed elements only, with an evaluation by every other member. A member evaluates only chunks that their owner
has signed, and signs its evaluations; the owner verifies that signature before it uses any of them.

From the joint outputs a member derives its tables: for each element, a bin in every table and, in the cell of that bin, shares of two
polynomials at the member's point, one with the constant term 0 and one with the element's mark. All other cells are uniform. The
collector tries every combination of t members on every cell. Shares that give 0 give a mark, and a mark that occurs in enough tables
is a shared element. The collector learns which members hold each shared element, and no element. Below the agreed minimum it
discards that result. Each member receives one bit per bin of every table, and maps the bits back to its own elements.

docs/threat-model.md states the adversary of each claim, docs/adr/0019 the choices and what a malicious member or collector can do.

`transitions` and `checkpoint` have the states, `field` the arithmetic, `share_tables` a member's shares, `reconstruct` the collector's search,
`messages` and `statements` what travels, `evaluation` and `member` a member's session, `collector` the collector's.
"""
