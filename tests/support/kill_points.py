"""What a node process does before its command in a crash test: small chunks, many checkpoints, and `kill -9` at its n-th write.

The functions run in the new process. `KILL_AT` numbers the write to the store, from 1; 0 never kills. `KILL_WHEN` is the side of
the write: `before` or `after`.
"""

import os
import signal
from collections.abc import Callable, Iterable
from typing import Any

from blindmatch.node.rounds import driver, streams
from blindmatch.node.storage.store import Store
from blindmatch.protocol.limits import LIMITS

KILL_AT, KILL_WHEN = "BLINDMATCH_TEST_KILL_AT", "BLINDMATCH_TEST_KILL_WHEN"
EDGE_WRITES = ("start_edge", "put_rates", "checkpoint", "put_leads", "put_number", "finish", "append_audit")
THRESHOLD_WRITES = (
    "start_edge", "put_statement", "checkpoint", "put_leads", "put_tally", "finish", "append_audit"
)  # fmt: skip


def prepare_edges() -> None:
    """For rounds of edges: a small round has many chunks and stores every step."""
    object.__setattr__(LIMITS, "chunk_elements", 32)
    driver.CHUNKS_PER_CHECKPOINT = 2
    streams.BATCH = 1
    _kill_at_write(EDGE_WRITES)


def prepare_threshold() -> None:
    """The same for rounds of a threshold."""
    object.__setattr__(LIMITS, "chunk_elements", 128)
    object.__setattr__(LIMITS, "chunk_tag_bytes", 1 << 17)
    driver.CHUNKS_PER_CHECKPOINT = 2
    _kill_at_write(THRESHOLD_WRITES)


def _kill_at_write(names: Iterable[str]) -> None:
    kill_at, after, writes = int(os.environ[KILL_AT]), os.environ[KILL_WHEN] == "after", 0

    def counted(write: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **more: Any) -> Any:
            nonlocal writes
            writes += 1
            last = writes == kill_at
            if last and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = write(*arguments, **more)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return step

    for name in names:
        setattr(Store, name, counted(getattr(Store, name)))
