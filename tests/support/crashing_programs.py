"""Commands of nodes in processes that kill themselves, and loops that start them again until a round has ended."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from tests.support import kill_points
from tests.support.forked_processes import PROGRAM, ForkedProcess, Template
from tests.support.local_nodes import PASSPHRASE, LocalNodes

from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.node import Node
from blindmatch.node.rounds import runner
from blindmatch.node.rounds.retention import purge_expired
from blindmatch.node.storage.store import CLOSED

Steps = Callable[[int], tuple[int, str]]
"""For the number of kills so far: at which write, and on which side of it (`before` or `after`), to kill next."""


class Programs:
    """Real processes of the program, prepared by one of `kill_points`."""

    def __init__(self, template: Template, prepare: Callable[[], None] = kill_points.prepare_edges) -> None:
        self._template = template
        self._prepare = f"{prepare.__module__}:{prepare.__name__}"

    def start(
        self, town: LocalNodes, agency: str, *words: str, kill_at: int = 0, when: str = "after"
    ) -> ForkedProcess:
        """Start a command of one agency; it kills itself at its `kill_at`-th write, or never at 0."""
        environment = os.environ | {
            "BLINDMATCH_HOME": str(town.folder / agency),
            "BLINDMATCH_PASSPHRASE": PASSPHRASE,
            kill_points.KILL_AT: str(kill_at),
            kill_points.KILL_WHEN: when,
        }
        command = [sys.executable, "-c", PROGRAM, *words]
        return self._template.popen(command, env=environment, text=True, prepare=self._prepare)

    def serve(self, town: LocalNodes, agency: str, *, kill_at: int = 0, when: str = "after") -> ForkedProcess:
        """Start a server; returns when it answers or has ended."""
        process = self.start(town, agency, "node", "serve", kill_at=kill_at, when=when)
        for line in process.stderr or ():
            if '"serving"' in line:
                break
        return process

    def run_until_complete(
        self, town: LocalNodes, agency: str, stored: StoredAgreement, steps: Steps
    ) -> tuple[Any, int]:
        """Run a round, and resume it after each kill, until it ends by itself.

        Returns:
            What the last run printed, or None when it was killed between its last write and its end; the number of kills.
        """
        node, kills = town.nodes[agency], 0
        before = closed(node, stored)
        while True:
            (unfinished,) = {row.round_id for row in runner.unfinished(node)} or (None,)
            words = ["--resume", unfinished.hex()] if unfinished else [stored.id.hex()]
            at, when = steps(kills)
            process = self.start(town, agency, "round", "run", "--json", *words, kill_at=at, when=when)
            out, err = process.communicate(timeout=120)
            if process.returncode != -signal.SIGKILL:
                assert process.returncode == 0, err
                return json.loads(out), kills
            kills += 1
            if closed(node, stored) > before and not runner.unfinished(node):
                # The killed process had no time to erase its files; the node's next action erases them.
                purge_expired(node)
                return None, kills

    def serve_until_complete(
        self, town: LocalNodes, agency: str, steps: Steps, client: ForkedProcess
    ) -> tuple[Any, int]:
        """Serve until a client's process has ended, and start again after each kill; returns as above."""
        kills = 0
        at, when = steps(kills)
        server = self.serve(town, agency, kill_at=at, when=when)
        while client.poll() is None:
            try:
                server.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            _, err = server.communicate()
            assert server.returncode == -signal.SIGKILL, err
            kills += 1
            at, when = steps(kills)
            server = self.serve(town, agency, kill_at=at, when=when)
        out, err = client.communicate()
        assert client.returncode == 0, err
        server.terminate()
        server.communicate(timeout=60)
        return json.loads(out), kills


def closed(node: Node, stored: StoredAgreement) -> int:
    """How many comparisons of an agreement have closed on a node."""
    return sum(row.state == CLOSED for row in node.store.edges(agreement_id=stored.id))
