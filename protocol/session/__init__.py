"""The kernel that every disclosure shares. This page is its theory of operation.

A session is one party's side of one edge (or of one threshold) of one round. It does no I/O, has no clock and starts no thread. It
is a state machine over a table of transitions, a checkpoint of constant size, a workspace of large arrays, and a secret seed, from
which it derives every key, blind and order. The same seed, inputs and messages give the same bytes, also after a crash.

Who drives it. A driver (a node's `rounds/`, or a test) calls the steps, carries messages, and stores the checkpoint. The session
decides what is allowed: each step is one event, which the table of its state permits or refuses. A step completes, or the session
fails: any exception leads to FAILED, and all secrets are wiped. The caller's mistakes are `SequenceError`, the peer's `PeerError`,
this node's own data `LocalError`.

Persist, then send. After a step whose result leaves the node, a driver does the following, in this order:

    1. store what the step returned (hits, outcome, receipt);
    2. take a snapshot: `session.snapshot()`;
    3. flush the workspace;
    4. store the snapshot;
    5. send the message.

The snapshot precedes the flush because a worker may finish a chunk meanwhile: a checkpoint may count less than the workspace
holds, never more. A session restored from the snapshot repeats the lost steps with the same bytes. It compares its elements, and
the digests in the workspace, with what it committed to, and fails if they have changed.

Messages are idempotent. A receiver of a message accepts a retransmission with the same bytes and gives the same answer; other
bytes are refused (ALTERED_CHUNK, BAD_COMMITMENT, BAD_OUTCOME). So a driver may repeat any message after a lost connection.

Commitments. Each side signs its number of elements and one digest over what it will send before it receives anything. Nothing is
evaluated and nothing is released unless it is as committed to. The running transcript covers both commitments and every chunk; at
the end both sides sign it in the receipt, which holds nothing that depends on the result.

Terminal states. CLOSED (both have signed) and FAILED are final, and in both the secrets are wiped. Only a closed sender still
answers, and only with the signature that it has given. FAILED never undoes CLOSED.

Threads. Every method runs to its end without waiting. `prepare_chunk` and the other steps per chunk whose documentation says so may
run in worker threads, for different chunks, beside one other call: each writes its own rows of the workspace and one flag, and
nothing else. All other methods belong to one thread at a time. A snapshot taken meanwhile counts finished chunks only.

Modules: `states` and `machine` (roles, shared events, tables), `base` and `session` (the sessions), `checkpoint`, `workspace`,
`chunks`, `messages` (what travels), `wire_fields`, `statements` and `rates_statement` (what is signed).
"""
