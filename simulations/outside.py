"""One area with each node its own process, every step through the command line."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.deploy import Site, draft_text, edge_id
from blindmatch.simulations.exchange import EdgeResult, Exchange, Setup, recorded_traffic
from blindmatch.simulations.inside import Clock
from blindmatch.simulations.outcome import FoundLead
from blindmatch.simulations.processes import NodeProcess, free_ports, serving


class Outside:
    """An area's nodes, each served by a process of its own."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._clock = Clock()
        ports = free_ports(len(setup.sites))
        self._nodes = {
            site.agency: NodeProcess(site.agency, site.home, port, setup.passphrase)
            for site, port in zip(setup.sites, ports, strict=True)
        }

    def run(self) -> Exchange:
        """Deploy, import, agree, compare; the nodes' folders stay as they are afterwards.

        Raises:
            LocalError: a command failed; its own words are in the message.
        """
        raise NotImplementedError
