"""Real nodes for this level. `tls` comes first: it fixes the least TLS version before anything imports gRPC."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from tests.support.local_nodes import PASSPHRASE, LocalNodes, people, subjects

from blindmatch.node.pki import tls
from blindmatch.node.rounds import runner
from blindmatch.node.rounds.retention import purge_expired
from blindmatch.node.storage.store import CLOSED

assert tls.CIPHERS_BELOW_TLS13


@pytest.fixture
def town(tmp_path):
    """A police node with 40 subjects, and a council's with 50 suppliers, of whom 20 are subjects."""
    made = LocalNodes(
        tmp_path,
        {"west-force": "police", "north-council": "council", "south-council": "council"},
        time.time(),
    )
    made.import_rows("west-force", "groups", "subjects", subjects(40))
    made.import_rows(
        "north-council", "suppliers", "suppliers", people(50, first=20), facts=["contract_value"]
    )
    yield made
    made.close()


PROGRAM = """
import os, signal, sys
from blindmatch.node.pki import tls
from blindmatch.protocol import limits

object.__setattr__(limits.LIMITS, "chunk_elements", 32)
from blindmatch.node.rounds import driver, streams

driver.CHUNKS_PER_CHECKPOINT = 2
streams.BATCH = 1
from blindmatch.node.storage.store import Store

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

for name in ("start_edge", "keep_rates", "checkpoint", "put_leads", "put_number", "finish", "append_audit"):
    watch(name)

from blindmatch.node.cli import main

sys.argv[0] = "blindmatch"
main()
"""
"""`blindmatch` as users start it, but for a few lines before its `main`: they shrink the chunks and store every step, so that a
small round has many, and kill the process right before or right after its n-th write to the store."""


class Programs:
    """Real processes of the program above, or of another that kills itself in the same way."""

    def __init__(self, program=PROGRAM):
        self.program = program

    def start(self, town, agency, *words, kill_at=0, when="after"):
        """A command of one agency; it kills itself at its `kill_at`-th write, or never at 0."""
        environment = {
            **os.environ,
            "BLINDMATCH_HOME": str(town.folder / agency),
            "BLINDMATCH_PASSPHRASE": PASSPHRASE,
            "TRIAL_KILL_AT": str(kill_at),
            "TRIAL_KILL_WHEN": when,
        }
        return subprocess.Popen(
            [sys.executable, "-c", self.program, *words],
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def serve(self, town, agency, **crash):
        """A serving process, once it answers."""
        process = self.start(town, agency, "node", "serve", **crash)
        for line in process.stderr:
            if '"serving"' in line:
                break
        return process

    def run_again_and_again(self, town, agency, held, steps):
        """Run a round, resuming it each time that it was killed, until it ends by itself.

        `steps` gives, for the number of kills so far, at which write and on which side of it to kill next. Returns what the last
        run printed, or None when it was killed between its last step and its end, and the number of kills.
        """
        node, kills = town.nodes[agency], 0
        before = closed(node, held)
        while True:
            (unfinished,) = {row.round_id for row in runner.unfinished(node)} or (None,)
            words = ["--resume", unfinished.hex()] if unfinished else [held.id.hex()]
            at, when = steps(kills)
            process = self.start(town, agency, "round", "run", "--json", *words, kill_at=at, when=when)
            out, err = process.communicate(timeout=120)
            if process.returncode != -signal.SIGKILL:
                assert process.returncode == 0, err
                return json.loads(out), kills
            kills += 1
            if closed(node, held) > before and not runner.unfinished(node):
                # What it had no time to erase is cleared away by whatever the node does next.
                purge_expired(node)
                return None, kills

    def serve_again_and_again(self, town, agency, steps, client):
        """Serve for a client's process until that ends, starting again whenever the server was killed; as above."""
        kills = 0
        at, when = steps(kills)
        server = self.serve(town, agency, kill_at=at, when=when)
        while client.poll() is None:
            try:
                server.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            assert server.returncode == -signal.SIGKILL, server.stderr.read()
            server.communicate()
            kills += 1
            at, when = steps(kills)
            server = self.serve(town, agency, kill_at=at, when=when)
        out, err = client.communicate()
        assert client.returncode == 0, err
        server.terminate()
        server.communicate(timeout=60)
        return json.loads(out), kills


def closed(node, held):
    """How many comparisons of an agreement have closed on a node."""
    return sum(row.state == CLOSED for row in node.store.edges(agreement_id=held.id))


@pytest.fixture
def programs():
    """How to start real processes."""
    return Programs()
