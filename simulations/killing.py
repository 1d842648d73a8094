"""The real programs, killed at a chosen step: a few lines before `main` count writes to the store and kill the process at the n-th.

They also shrink the chunks and store every step, so that a small round has many.
"""

import os
import subprocess
import sys
from typing import Any

from blindmatch.simulations.loopback import PASSPHRASE, Town

PROGRAM = """
import os, signal, sys
from blindmatch.node import tls
from blindmatch.protocol import limits

object.__setattr__(limits.LIMITS, "chunk_elements", 32)
from blindmatch.node import edgework
from blindmatch.node.services import match

edgework.CHUNKS_PER_CHECKPOINT = 2
match._BATCH = 1
from blindmatch.node.store import Store

left = int(os.environ["TRIAL_KILL_AT"])
after = os.environ["TRIAL_KILL_WHEN"] == "after"

def watch(name):
    original = getattr(Store, name)

    def step(*arguments, **more):
        global left
        left -= 1
        mine = left == 0
        if mine and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*arguments, **more)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(Store, name, step)

for name in ("start_edge", "keep_rates", "checkpoint", "put_leads", "finish", "append_audit"):
    watch(name)

from blindmatch.node.cli import main

sys.argv[0] = "blindmatch"
main()
"""


def start(
    town: Town, agency: str, *words: str, kill_at: int = 0, when: str = "after"
) -> "subprocess.Popen[str]":
    """`blindmatch WORDS` as an agency's node; killed right before or after its write of that number, 0 for never."""
    environment = {
        **os.environ,
        "BLINDMATCH_HOME": str(town.folder / agency),
        "BLINDMATCH_PASSPHRASE": PASSPHRASE,
        "TRIAL_KILL_AT": str(kill_at),
        "TRIAL_KILL_WHEN": when,
    }
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM, *words],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def serve(town: Town, agency: str, **crash: Any) -> "subprocess.Popen[str]":
    """A serving process, once it answers."""
    process = start(town, agency, "node", "serve", **crash)
    if process.stderr is None:
        raise RuntimeError("the server's messages are not read")
    for line in process.stderr:
        if '"serving"' in line:
            break
    return process
