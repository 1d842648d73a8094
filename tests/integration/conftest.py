"""Real nodes for this level. `tls` comes first: it fixes the least TLS version before anything imports gRPC."""

import time

import pytest

from blindmatch.node import tls
from blindmatch.simulations.loopback import Town, people, subjects

assert tls.CIPHERS_BELOW_TLS13


@pytest.fixture
def town(tmp_path):
    """A police node with 40 subjects, and a council's with 50 suppliers, of whom 20 are subjects."""
    made = Town(
        tmp_path,
        {"west-force": "police", "north-council": "council", "south-council": "council"},
        time.time(),
    )
    made.bring("west-force", "groups", "subjects", subjects(40))
    made.bring("north-council", "suppliers", "suppliers", people(50, first=20), facts=["contract_value"])
    yield made
    made.close()
